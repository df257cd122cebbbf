"""What is computed element by element: arithmetic, comparisons, logic, choice."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import MappingProxyType

import numpy as np

from pixelwright.interop.tflite.faults import DamageError
from pixelwright.interop.tflite.network import Operator
from pixelwright.interop.tflite.ops.finish import finish
from pixelwright.interop.tflite.ops.places import aligned, keep, keeps_steps, meet, take
from pixelwright.interop.tflite.values import Values

Two = Callable[[Values, str, str], str]
One = Callable[[Values, str], str]


def _pair(values: Values, op: Operator, make: Two) -> None:
    if len(op.inputs) < 2:
        raise DamageError(f"a {op.kind} has {len(op.inputs)} inputs")
    layout = meet(values, op.inputs[:2])
    left, right = (aligned(values, index, layout) for index in op.inputs[:2])
    finish(values, op, make(values, left, right), layout)


def _compare(values: Values, op: Operator, kind: str, *, negate: bool = False) -> None:
    if len(op.inputs) < 2:
        raise DamageError(f"a {op.kind} has {len(op.inputs)} inputs")
    layout = meet(values, op.inputs[:2])
    left, right = (aligned(values, index, layout) for index in op.inputs[:2])
    result = values.emit.node(kind, [left, right])
    values.put_stored(op.outputs[0], values.emit.node("Not", [result]) if negate else result, layout)


def _alone(values: Values, op: Operator, make: One) -> None:
    layout = values.layout(op.inputs[0])
    finish(values, op, make(values, values.real(op.inputs[0], layout)), layout)


def _two(kind: str) -> Callable[[Values, Operator], None]:
    return partial(_pair, make=lambda values, left, right: values.emit.node(kind, [left, right]))


def _one(kind: str) -> Callable[[Values, Operator], None]:
    return partial(_alone, make=lambda values, data: values.emit.node(kind, [data]))


def _squared_difference(values: Values, left: str, right: str) -> str:
    difference = values.emit.node("Sub", [left, right])
    return values.emit.node("Mul", [difference, difference])


def _divide(values: Values, left: str, right: str) -> str:
    return values.emit.node("Div", [left, right])


def _floor_divide(values: Values, left: str, right: str) -> str:
    if values.emit.dtype(left).startswith("float"):
        return values.emit.node("Floor", [_divide(values, left, right)])
    # ONNX rounds toward zero; without its remainder, which has the divisor's sign, nothing is left to round.
    rest = values.emit.node("Mod", [left, right])
    return _divide(values, values.emit.node("Sub", [left, rest]), right)


def _floor_modulo(values: Values, left: str, right: str) -> str:
    if not values.emit.dtype(left).startswith("float"):
        return values.emit.node("Mod", [left, right])
    whole = values.emit.node("Mul", [_floor_divide(values, left, right), right])
    return values.emit.node("Sub", [left, whole])


def _inverse_root(values: Values, data: str) -> str:
    return values.emit.node("Reciprocal", [values.emit.node("Sqrt", [data])])


def _zeros(values: Values, data: str) -> str:
    return values.emit.node("Mul", [data, values.emit.constant(np.zeros(()), values.emit.dtype(data))])


def add_all(values: Values, op: Operator) -> None:
    """ADD_N."""
    layout = meet(values, op.inputs)
    names = [aligned(values, index, layout) for index in op.inputs]
    if not names:
        raise DamageError("an ADD_N of nothing")
    total = names[0]
    for name in names[1:]:
        total = values.emit.node("Add", [total, name])
    finish(values, op, total, layout)


def choose(values: Values, op: Operator) -> None:
    """SELECT and SELECT_V2; the older one may have one condition for each row."""
    if len(op.inputs) < 3:
        raise DamageError(f"a {op.kind} has {len(op.inputs)} inputs")
    condition, yes, no = op.inputs[:3]
    rank = len(values.shape(yes))
    rows = op.kind == "SELECT" and len(values.shape(condition)) == 1 and rank > 1
    layout = "last" if rows else meet(values, op.inputs[:3])
    flag = aligned(values, condition, layout, real=False)
    if rows:
        flag = values.emit.node("Unsqueeze", [flag, values.emit.constant(list(range(1, rank)), "int64")])
    stored = all(keeps_steps(values, index, op.outputs[0]) for index in (yes, no))
    sides = [aligned(values, index, layout, real=not stored) for index in (yes, no)]
    result = values.emit.node("Where", [flag, *sides])
    if stored:
        values.put_stored(op.outputs[0], result, layout)
    else:
        values.put_real(op.outputs[0], result, layout)


def negate_truth(values: Values, op: Operator) -> None:
    """LOGICAL_NOT."""
    layout = values.layout(op.inputs[0])
    name = take(values, op.inputs[0], op.outputs[0], layout)
    keep(values, op.inputs[0], op.outputs[0], values.emit.node("Not", [name]), layout)


CONVERTERS = MappingProxyType(
    {
        "ADD": _two("Add"),
        "SUB": _two("Sub"),
        "MUL": _two("Mul"),
        "DIV": _two("Div"),
        "MAXIMUM": _two("Max"),
        "MINIMUM": _two("Min"),
        "POW": _two("Pow"),
        "SQUARED_DIFFERENCE": partial(_pair, make=_squared_difference),
        "FLOOR_DIV": partial(_pair, make=_floor_divide),
        "FLOOR_MOD": partial(_pair, make=_floor_modulo),
        "ADD_N": add_all,
        "LOGICAL_AND": _two("And"),
        "LOGICAL_OR": _two("Or"),
        "LOGICAL_NOT": negate_truth,
        "EQUAL": partial(_compare, kind="Equal"),
        "NOT_EQUAL": partial(_compare, kind="Equal", negate=True),
        "LESS": partial(_compare, kind="Less"),
        "LESS_EQUAL": partial(_compare, kind="LessOrEqual"),
        "GREATER": partial(_compare, kind="Greater"),
        "GREATER_EQUAL": partial(_compare, kind="GreaterOrEqual"),
        "SELECT": choose,
        "SELECT_V2": choose,
        "EXP": _one("Exp"),
        "LOG": _one("Log"),
        "SQRT": _one("Sqrt"),
        "RSQRT": partial(_alone, make=_inverse_root),
        "SQUARE": partial(_alone, make=lambda values, data: values.emit.node("Mul", [data, data])),
        "ABS": _one("Abs"),
        "NEG": _one("Neg"),
        "SIGN": _one("Sign"),
        "FLOOR": _one("Floor"),
        "CEIL": _one("Ceil"),
        "ROUND": _one("Round"),
        "SIN": _one("Sin"),
        "COS": _one("Cos"),
        "ZEROS_LIKE": partial(_alone, make=_zeros),
    }
)
