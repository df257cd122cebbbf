"""The numbers and fields of the TensorFlow Lite schema that the importer reads.

Source: https://github.com/tensorflow/tensorflow/blob/master/tensorflow/lite/schema/schema.fbs, Apache-2.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

IDENTIFIER = b"TFL3"

DTYPES: Mapping[int, str] = MappingProxyType(
    {
        0: "float32",
        1: "float16",
        2: "int32",
        3: "uint8",
        4: "int64",
        6: "bool",
        7: "int16",
        9: "int8",
        10: "float64",
        12: "uint64",
        15: "uint32",
        16: "uint16",
    }
)
# Tensors of these may be in a file, and in an error message.
STRANGE_DTYPES: Mapping[int, str] = MappingProxyType(
    {5: "string", 8: "complex64", 11: "complex128", 13: "resource", 14: "variant", 17: "int4", 18: "bfloat16"}
)

# BuiltinOperator, in order.
_NAMES = """
ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE EMBEDDING_LOOKUP FLOOR
FULLY_CONNECTED HASHTABLE_LOOKUP L2_NORMALIZATION L2_POOL_2D LOCAL_RESPONSE_NORMALIZATION LOGISTIC LSH_PROJECTION LSTM
MAX_POOL_2D MUL RELU RELU_N1_TO_1 RELU6 RESHAPE RESIZE_BILINEAR RNN SOFTMAX SPACE_TO_DEPTH SVDF TANH CONCAT_EMBEDDINGS
SKIP_GRAM CALL CUSTOM EMBEDDING_LOOKUP_SPARSE PAD UNIDIRECTIONAL_SEQUENCE_RNN GATHER BATCH_TO_SPACE_ND
SPACE_TO_BATCH_ND TRANSPOSE MEAN SUB DIV SQUEEZE UNIDIRECTIONAL_SEQUENCE_LSTM STRIDED_SLICE BIDIRECTIONAL_SEQUENCE_RNN
EXP TOPK_V2 SPLIT LOG_SOFTMAX DELEGATE BIDIRECTIONAL_SEQUENCE_LSTM CAST PRELU MAXIMUM ARG_MAX MINIMUM LESS NEG PADV2
GREATER GREATER_EQUAL LESS_EQUAL SELECT SLICE SIN TRANSPOSE_CONV SPARSE_TO_DENSE TILE EXPAND_DIMS EQUAL NOT_EQUAL LOG
SUM SQRT RSQRT SHAPE POW ARG_MIN FAKE_QUANT REDUCE_PROD REDUCE_MAX PACK LOGICAL_OR ONE_HOT LOGICAL_AND LOGICAL_NOT
UNPACK REDUCE_MIN FLOOR_DIV REDUCE_ANY SQUARE ZEROS_LIKE FILL FLOOR_MOD RANGE RESIZE_NEAREST_NEIGHBOR LEAKY_RELU
SQUARED_DIFFERENCE MIRROR_PAD ABS SPLIT_V UNIQUE CEIL REVERSE_V2 ADD_N GATHER_ND COS WHERE RANK ELU REVERSE_SEQUENCE
MATRIX_DIAG QUANTIZE MATRIX_SET_DIAG ROUND HARD_SWISH IF WHILE NON_MAX_SUPPRESSION_V4 NON_MAX_SUPPRESSION_V5
SCATTER_ND SELECT_V2 DENSIFY SEGMENT_SUM BATCH_MATMUL PLACEHOLDER_FOR_GREATER_OP_CODES CUMSUM CALL_ONCE BROADCAST_TO
RFFT2D CONV_3D IMAG REAL COMPLEX_ABS HASHTABLE HASHTABLE_FIND HASHTABLE_IMPORT HASHTABLE_SIZE REDUCE_ALL
CONV_3D_TRANSPOSE VAR_HANDLE READ_VARIABLE ASSIGN_VARIABLE BROADCAST_ARGS RANDOM_STANDARD_NORMAL BUCKETIZE
RANDOM_UNIFORM MULTINOMIAL GELU DYNAMIC_UPDATE_SLICE RELU_0_TO_1 UNSORTED_SEGMENT_PROD UNSORTED_SEGMENT_MAX
UNSORTED_SEGMENT_SUM ATAN2 UNSORTED_SEGMENT_MIN SIGN BITCAST BITWISE_XOR RIGHT_SHIFT
"""
OPERATORS: tuple[str, ...] = tuple(_NAMES.split())
CUSTOM = OPERATORS.index("CUSTOM")

SAME, VALID = 0, 1  # Padding
NONE, RELU, RELU_N1_TO_1, RELU6, TANH, SIGN_BIT = range(6)  # ActivationFunctionType

# option -> (field number, kind, default); a kind that ends in [] is a list
Fields = Mapping[str, tuple[int, str, Any]]
_ACTIVATION: Fields = {"activation": (0, "int8", NONE)}
_CONV: Fields = {"padding": (0, "int8", SAME), "stride_w": (1, "int32", 0), "stride_h": (2, "int32", 0)}
_POOL: Fields = {
    **_CONV,
    "filter_w": (3, "int32", 0),
    "filter_h": (4, "int32", 0),
    "activation": (5, "int8", NONE),
}
_REDUCER: Fields = {"keep_dims": (0, "bool", False)}
_ARG: Fields = {"output_type": (0, "int8", 0)}
_BLOCK: Fields = {"block": (0, "int32", 0)}

OPTIONS: Mapping[str, Fields] = MappingProxyType(
    {
        "CONV_2D": {
            **_CONV,
            "activation": (3, "int8", NONE),
            "dilation_w": (4, "int32", 1),
            "dilation_h": (5, "int32", 1),
        },
        "DEPTHWISE_CONV_2D": {
            **_CONV,
            "activation": (4, "int8", NONE),
            "dilation_w": (5, "int32", 1),
            "dilation_h": (6, "int32", 1),
        },
        "TRANSPOSE_CONV": {**_CONV, "activation": (3, "int8", NONE)},
        "AVERAGE_POOL_2D": _POOL,
        "MAX_POOL_2D": _POOL,
        "L2_POOL_2D": _POOL,
        "FULLY_CONNECTED": {
            **_ACTIVATION,
            "weights_format": (1, "int8", 0),
            "keep_num_dims": (2, "bool", False),
        },
        "SOFTMAX": {"beta": (0, "float32", 0.0)},
        "CONCATENATION": {"axis": (0, "int32", 0), "activation": (1, "int8", NONE)},
        "ADD": _ACTIVATION,
        "SUB": _ACTIVATION,
        "MUL": _ACTIVATION,
        "DIV": _ACTIVATION,
        "L2_NORMALIZATION": _ACTIVATION,
        "LOCAL_RESPONSE_NORMALIZATION": {
            "radius": (0, "int32", 0),
            "bias": (1, "float32", 0.0),
            "alpha": (2, "float32", 0.0),
            "beta": (3, "float32", 0.0),
        },
        "RESIZE_BILINEAR": {"align_corners": (2, "bool", False), "half_pixel_centers": (3, "bool", False)},
        "RESIZE_NEAREST_NEIGHBOR": {"align_corners": (0, "bool", False), "half_pixel_centers": (1, "bool", False)},
        "RESHAPE": {"new_shape": (0, "int32[]", ())},
        "SPACE_TO_DEPTH": _BLOCK,
        "DEPTH_TO_SPACE": _BLOCK,
        "GATHER": {"axis": (0, "int32", 0), "batch_dims": (1, "int32", 0)},
        "MEAN": _REDUCER,
        "SUM": _REDUCER,
        "REDUCE_MAX": _REDUCER,
        "REDUCE_MIN": _REDUCER,
        "REDUCE_PROD": _REDUCER,
        "REDUCE_ANY": _REDUCER,
        "REDUCE_ALL": _REDUCER,
        "SQUEEZE": {"squeeze_dims": (0, "int32[]", ())},
        "SPLIT": {"num_splits": (0, "int32", 0)},
        "SPLIT_V": {"num_splits": (0, "int32", 0)},
        "STRIDED_SLICE": {
            "begin_mask": (0, "int32", 0),
            "end_mask": (1, "int32", 0),
            "ellipsis_mask": (2, "int32", 0),
            "new_axis_mask": (3, "int32", 0),
            "shrink_axis_mask": (4, "int32", 0),
            "offset": (5, "bool", False),
        },
        "ARG_MAX": _ARG,
        "ARG_MIN": _ARG,
        "SHAPE": _ARG,
        "PACK": {"count": (0, "int32", 0), "axis": (1, "int32", 0)},
        "UNPACK": {"count": (0, "int32", 0), "axis": (1, "int32", 0)},
        "ONE_HOT": {"axis": (0, "int32", 0)},
        "LEAKY_RELU": {"alpha": (0, "float32", 0.0)},
        "MIRROR_PAD": {"mode": (0, "int8", 0)},
        "BATCH_MATMUL": {"adj_x": (0, "bool", False), "adj_y": (1, "bool", False)},
        "CUMSUM": {"exclusive": (0, "bool", False), "reverse": (1, "bool", False)},
        "GELU": {"approximate": (0, "bool", False)},
        "FAKE_QUANT": {
            "min": (0, "float32", 0.0),
            "max": (1, "float32", 0.0),
            "bits": (2, "int32", 0),
            "narrow_range": (3, "bool", False),
        },
    }
)
