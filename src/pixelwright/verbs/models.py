"""The models: list them, show one, pull and remove third-party ones, read the ledger of licenses, verify here and now.

Every function returns data; beside it stand its text for people and its dictionary for machines.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from pixelwright import hub
from pixelwright.bundle import ModelBundle, read_bundle
from pixelwright.card import contract_rows, plain, score_text, terms_rows
from pixelwright.errors import BundleError, NotPulled, PixelwrightError, UsageError, describe
from pixelwright.runtimes.parity import ParityCheck, verify
from pixelwright.structures.draft import Entry, Published
from pixelwright.structures.spec import License, Measured

if TYPE_CHECKING:
    from pixelwright.io.fetch import OnTransfer

AnyModel = str | PathLike[str]
Where = Literal["shipped", "pulled", "damaged", "not pulled"]


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One model in the list.

    Attributes:
        name: To give with `--model`.
        task: What it is for.
        version: Of the bundle.
        size_bytes: Of its files; of those that have to be fetched, where it is not pulled.
        commercial: Whether all its terms allow commercial use.
        score: The headline, with who measured it.
        where: `shipped` in the package, `pulled` into the cache (`damaged` since), or `not pulled`.
    """

    name: str
    task: str
    version: str
    size_bytes: int
    commercial: str
    score: str
    where: Where


@dataclass(frozen=True, slots=True)
class NotHere:
    """What the hub knows of a model that is not pulled."""

    name: str
    entry: Entry


@dataclass(frozen=True, slots=True)
class Pulled:
    """What came of pulling one model: its bundle, or why there is none."""

    name: str
    bundle: ModelBundle | None = None
    error: PixelwrightError | None = None


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


def list_models(task: str | None = None) -> list[ModelRow]:
    """The models shipped in the package, then the third-party ones that can be pulled; of one task, or of all."""
    rows = [_row(read_bundle(hub.locate(name)), "shipped") for name in hub.names()]
    for name, entry in hub.entries().items():
        rows.append(_pulled_row(name, entry) if hub.pulled(name) else _entry_row(name, entry, "not pulled"))
    return [row for row in rows if task in (None, row.task)]


def show_model(model: AnyModel) -> ModelBundle | NotHere:
    """The bundle of a model, checked; of a third-party one that is not pulled, what the hub knows.

    Raises:
        UnknownName: There is no such model.
        BundleError: It is damaged.
    """
    try:
        return read_bundle(hub.locate(model))
    except NotPulled as err:
        return NotHere(err.name, hub.entry(err.name))


def to_pull(names: Sequence[str], *, all_models: bool, task: str | None) -> list[str]:
    """The third-party models that are named, and all, or those of a task, where that is asked for.

    Raises:
        UnknownName: There is no such model; nothing has been fetched yet.
    """
    known = hub.entries()
    for name in names:
        if name not in hub.names():
            hub.entry(name)
    wanted = [name for name in known if all_models or task is not None]
    return list(dict.fromkeys([*names, *(name for name in wanted if task in (None, known[name].draft.task))]))


def pull_model(name: str, *, mirror: AnyModel | None = None, on_transfer: OnTransfer | None = None) -> Pulled:
    """A model in the cache; see `hub.pull` for what it raises."""
    from pixelwright.verbs.convert import try_out

    return Pulled(name, hub.pull(name, mirror=mirror, on_transfer=on_transfer, accept=try_out))


def remove_model(name: str) -> int:
    """Bytes that are free again after a third-party model has been taken out of the cache.

    Raises:
        UsageError: It is part of the package.
        UnknownName: There is no such model.
    """
    if name in hub.names():
        raise UsageError(f"model {name!r} is part of the package. Only models that were pulled can be removed.")
    return hub.remove(name)


def list_licenses(models: Sequence[AnyModel] = (), *, everything: bool = False) -> list[LedgerRow]:
    """The terms of code, weights and data of the models named, of those at hand, or of all that the hub knows."""
    known = (*hub.names(), *hub.entries()) if everything else hub.at_hand()
    return [
        LedgerRow(name, what, terms.license, terms.commercial, terms.url, terms.note)
        for name, license_ in map(_license, models or known)
        for what, terms in terms_rows(license_)
    ]


def _license(model: AnyModel) -> tuple[str, License]:
    shown = show_model(model)
    if isinstance(shown, NotHere):
        return shown.name, shown.entry.draft.license
    return shown.spec.name, shown.spec.license


def not_commercial(ledger: Iterable[LedgerRow]) -> list[LedgerRow]:
    """The rows that do not clearly allow commercial use; with any, `models licenses --commercial` ends with code 1."""
    return [row for row in ledger if row.commercial != "yes"]


def verify_models(models: Sequence[AnyModel] = (), *, device: str = "auto", threads: int = 0) -> list[Verdict]:
    """Every checksum in full, then parity with the stored answers, of the models named or of those at hand.

    Raises:
        UnknownName: There is no such model.
        NotPulled: It is not on this machine.
    """
    return [_verdict(model, device, threads) for model in models or hub.at_hand()]


def _verdict(model: AnyModel, device: str, threads: int) -> Verdict:
    try:
        bundle = read_bundle(hub.locate(model), verify="full")
        return Verdict(str(model), None, tuple(verify(bundle, device=device, threads=threads)))
    except BundleError as err:
        return Verdict(str(model), err)


def _row(bundle: ModelBundle, where: Where, entry: Entry | None = None) -> ModelRow:
    spec = bundle.spec
    size = sum(file.bytes for artifact in spec.artifacts for file in artifact.files)
    score = _headline(spec.measured, entry)
    return ModelRow(spec.name, spec.task, spec.version, size, spec.license.commercial, score, where)


def _pulled_row(name: str, entry: Entry) -> ModelRow:
    try:
        return _row(read_bundle(hub.locate(name)), "pulled", entry)
    except BundleError:  # pulling it again mends it, and the others are listed all the same
        return _entry_row(name, entry, "damaged")


def _entry_row(name: str, entry: Entry, where: Where) -> ModelRow:
    draft, size = entry.draft, sum(file.bytes for file in entry.files)
    score = _headline(draft.measured, entry)
    return ModelRow(name, draft.task, draft.version, size, draft.license.commercial, score, where)


def _headline(measured: Sequence[Measured], entry: Entry | None) -> str:
    """One score: of a third-party model the authors', on the test set that others are compared on."""
    if entry is not None and entry.published:
        return f"{published_text(entry.published[0])} (published)"
    return score_text(measured[0]) if measured else "not measured"


def published_text(row: Published) -> str:
    """A score of the authors as in `ap50 0.253, COCO val2017`."""
    return f"{row.metric} {row.value:.4g}, {row.data}"


def list_text(rows: Sequence[ModelRow]) -> str:
    """A table of the models."""
    head = ("model", "task", "version", "size", "commercial", "where", "score")
    return _table(
        head,
        [(r.name, r.task, r.version, f"{r.size_bytes / 1e6:.2f} MB", r.commercial, r.where, r.score) for r in rows],
    )


def pull_text(rows: Sequence[Pulled]) -> str:
    """A line for each model that is here now, with whether its terms allow commerce."""
    here = [(row.name, row.bundle) for row in rows if row.bundle is not None]
    lines = [f"{name}: ready, commercial use: {bundle.spec.license.commercial}, {bundle.path}" for name, bundle in here]
    if len(rows) > 1:
        lines.append(f"{len(here)} of {len(rows)} models are here.")
    return "\n".join(lines)


def pull_dict(rows: Sequence[Pulled]) -> list[dict[str, Any]]:
    """The same for `--json`."""
    return [
        {
            "model": row.name,
            "path": None if row.bundle is None else str(row.bundle.path),
            "digest": None if row.bundle is None else row.bundle.digest,
            "commercial": None if row.bundle is None else row.bundle.spec.license.commercial,
            "error": None if row.error is None else describe(row.error),
        }
        for row in rows
    ]


def show_text(model: ModelBundle | NotHere) -> str:
    """The contract, the scores and the parity record, to be read."""
    return _entry_text(model) if isinstance(model, NotHere) else _bundle_text(model)


def _entry_text(model: NotHere) -> str:
    entry, draft = model.entry, model.entry.draft
    files = [(file.role, f"{file.bytes / 1e6:.2f} MB", file.sha256, file.url) for file in entry.files]
    scores = [(row.metric, f"{row.value:.4g}", row.data, row.url) for row in entry.published]
    parts = [
        f"{model.name} {draft.version}: {plain(draft.summary)}",
        f"{plain(entry.title)}\n{entry.source}\nnot pulled; get it with: pixelwright models pull {model.name}",
        _table(("file", "size", "SHA-256", "address"), files),
        _table(("contract", ""), contract_rows(draft)),
        _table(("published", "", "data", "source"), scores) if scores else "no published score",
        _table(("licenses", "license", "commercial"), _terms(draft.license)),
    ]
    return "\n\n".join(parts)


def _terms(license_: License) -> list[tuple[str, str, str]]:
    return [(what, terms.license, terms.commercial) for what, terms in terms_rows(license_)]


def _bundle_text(bundle: ModelBundle) -> str:
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
        _table(("licenses", "license", "commercial"), _terms(spec.license)),
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


def show_dict(model: ModelBundle | NotHere) -> dict[str, Any]:
    """The whole contract for `--json`, with folder and digest; of a model that is not pulled its entry in the hub."""
    if isinstance(model, NotHere):
        return {"path": None, "name": model.name, "entry": msgspec.to_builtins(model.entry)}
    return {"path": str(model.path), "digest": model.digest, "bundle": msgspec.to_builtins(model.spec)}


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
