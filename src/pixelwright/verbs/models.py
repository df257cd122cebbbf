"""The models at hand: list them, show one, read the ledger of licenses, verify them here and now.

Every function returns data; beside it stand its text for people and its dictionary for machines.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from os import PathLike
from typing import Any, Literal

import msgspec

from pixelwright import hub
from pixelwright.bundle import ModelBundle, read_bundle
from pixelwright.card import contract_rows, plain, score_text, terms_rows
from pixelwright.errors import BundleError, describe
from pixelwright.runtimes.parity import ParityCheck, verify

AnyModel = str | PathLike[str]


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One model in the list."""

    name: str
    task: str
    version: str
    size_bytes: int
    commercial: str
    score: str


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One thing in a model and its terms."""

    model: str
    what: str
    license: str
    commercial: str
    url: str
    note: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of verifying one model.

    Attributes:
        model: As it was named.
        error: The fault of its files or contract, or None.
        checks: The reference, and each runtime and precision of its record, where the files are sound.
    """

    model: str
    error: BundleError | None
    checks: tuple[ParityCheck, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether the files are sound, and nothing that was tried differs."""
        return self.error is None and all(check.holds or check.skipped for check in self.checks)

    @property
    def checked(self) -> bool:
        """Whether anything was tried beyond the checksums."""
        return not all(check.skipped for check in self.checks)

    @property
    def outcome(self) -> Literal["verified", "not checked", "failed"]:
        """What it comes to: sound files alone are not verified."""
        return "failed" if not self.ok else "verified" if self.checked else "not checked"


def list_models() -> list[ModelRow]:
    """The models shipped in the package."""
    return [_row(read_bundle(hub.locate(name))) for name in hub.names()]


def show_model(model: AnyModel) -> ModelBundle:
    """The bundle of a model, checked.

    Raises:
        UnknownName: There is no such model.
        BundleError: It is damaged.
    """
    return read_bundle(hub.locate(model))


def list_licenses(models: Sequence[AnyModel] = ()) -> list[LedgerRow]:
    """The terms of code, weights and data of the models named, or of all."""
    bundles = [read_bundle(hub.locate(model)) for model in models or hub.names()]
    return [
        LedgerRow(bundle.spec.name, what, terms.license, terms.commercial, terms.url, terms.note)
        for bundle in bundles
        for what, terms in terms_rows(bundle.spec)
    ]


def not_commercial(ledger: Iterable[LedgerRow]) -> list[LedgerRow]:
    """The rows that do not clearly allow commercial use; with any, `models licenses --commercial` ends with code 1."""
    return [row for row in ledger if row.commercial != "yes"]


def verify_models(models: Sequence[AnyModel] = (), *, device: str = "auto", threads: int = 0) -> list[Verdict]:
    """Every checksum in full, then parity with the stored answers, of the models named or of all.

    Raises:
        UnknownName: There is no such model.
    """
    return [_verdict(model, device, threads) for model in models or hub.names()]


def _verdict(model: AnyModel, device: str, threads: int) -> Verdict:
    try:
        bundle = read_bundle(hub.locate(model), verify="full")
        return Verdict(str(model), None, tuple(verify(bundle, device=device, threads=threads)))
    except BundleError as err:
        return Verdict(str(model), err)


def _row(bundle: ModelBundle) -> ModelRow:
    spec = bundle.spec
    size = sum(file.bytes for artifact in spec.artifacts for file in artifact.files)
    score = score_text(spec.measured[0]) if spec.measured else "not measured"
    return ModelRow(spec.name, spec.task, spec.version, size, spec.license.commercial, score)


def list_text(rows: Sequence[ModelRow]) -> str:
    """A table of the models."""
    head = ("model", "task", "version", "size", "commercial", "score")
    return _table(
        head,
        [(r.name, r.task, r.version, f"{r.size_bytes / 1e6:.2f} MB", r.commercial, r.score) for r in rows],
    )


def show_text(bundle: ModelBundle) -> str:
    """The contract, the scores and the parity record, to be read."""
    spec = bundle.spec
    scores = [(score_text(row), f"n = {row.n}", row.data.name, row.condition) for row in spec.measured]
    parity = [
        (
            row.runtime,
            row.precision,
            f"differs by {row.largest_difference:.2g}, allowed {row.tolerance:.2g}",
            f"{row.metric} {row.metric_delta:+.2g}" if row.metric else "",
            "holds" if row.holds else "does not hold",
        )
        for row in spec.parity
    ]
    parts = [
        f"{spec.name} {spec.version}: {plain(spec.summary)}",
        f"folder {bundle.path}\ndigest {bundle.digest}",
        _table(("contract", ""), contract_rows(spec)),
        _table(("measured", "", "data", "condition"), scores) if scores else "nothing measured",
        _table(("parity", "", "difference", "metric", ""), parity) if parity else "no parity record",
        _table(("licenses", "license", "commercial"), [(w, t.license, t.commercial) for w, t in terms_rows(spec)]),
    ]
    return "\n\n".join(parts)


def licenses_text(rows: Sequence[LedgerRow]) -> str:
    """The ledger as a table; the notes below it."""
    table = _table(
        ("model", "what", "license", "commercial"), [(r.model, r.what, r.license, r.commercial) for r in rows]
    )
    notes = [f"{r.model}, {plain(r.what)}: {plain(r.note)} {plain(r.url)}".rstrip() for r in rows if r.note or r.url]
    return "\n".join([table, *(["", *notes] if notes else [])])


def verify_text(verdicts: Sequence[Verdict]) -> str:
    """A table with a line for each runtime of each model, and what it all comes to."""
    rows: list[tuple[str, ...]] = []
    for verdict in verdicts:
        if verdict.error is not None:
            rows.append((verdict.model, "files", "FAILED", str(verdict.error)))
            continue
        rows.append((verdict.model, "files", "ok", "every checksum agrees"))
        for check in verdict.checks:
            state = "skipped" if check.skipped else "ok" if check.holds else "FAILED"
            rows.append((verdict.model, f"{check.runtime} {check.precision}", state, check.verdict))
    counts = Counter(verdict.outcome for verdict in verdicts)
    others = [f", {counts[outcome]} {outcome}" for outcome in ("not checked", "failed") if counts[outcome]]
    total = f"{counts['verified']} of {len(verdicts)} models verified{''.join(others)}."
    return f"{_table(('model', 'what', 'result', ''), rows)}\n\n{total}"


def list_dict(rows: Sequence[ModelRow]) -> list[dict[str, Any]]:
    """The list for `--json`."""
    return [asdict(row) for row in rows]


def show_dict(bundle: ModelBundle) -> dict[str, Any]:
    """The whole contract for `--json`, with folder and digest."""
    return {"path": str(bundle.path), "digest": bundle.digest, "bundle": msgspec.to_builtins(bundle.spec)}


def licenses_dict(rows: Sequence[LedgerRow]) -> list[dict[str, Any]]:
    """The ledger for `--json`."""
    return [asdict(row) for row in rows]


def verify_dict(verdicts: Sequence[Verdict]) -> list[dict[str, Any]]:
    """The verdicts for `--json`; a difference that is infinite is null."""
    return [
        {
            "model": verdict.model,
            "ok": verdict.ok,
            "outcome": verdict.outcome,
            "error": None if verdict.error is None else describe(verdict.error),
            "checks": [_check_dict(check) for check in verdict.checks],
        }
        for verdict in verdicts
    ]


def _check_dict(check: ParityCheck) -> dict[str, Any]:
    finite = check.largest_difference < float("inf")
    return {
        **asdict(check),
        "largest_difference": check.largest_difference if finite else None,
        "holds": check.holds,
    }


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their longest cell; the last one as long as it likes."""
    cells = [tuple(map(plain, row)) for row in (head, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in cells)
