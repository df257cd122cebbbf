"""What the doctor can find: one row for each kind of fault, how bad it is, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

# error    makes training stop, learn something false, or its score untrue
# warning  is likely a mistake, or costs accuracy
# note     is to be known
Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
Check = Literal["files", "labels", "balance", "duplicates", "surprises", "mislabeled"]
CHECKS: tuple[Check, ...] = ("files", "labels", "balance", "duplicates", "surprises", "mislabeled")


@dataclass(frozen=True, slots=True)
class Rule:
    """A kind of fault.

    Attributes:
        check: Which part of the examination finds it.
        severity: How bad it is.
        what: Those that have it.
        advice: What to do.
    """

    check: Check
    severity: Severity
    what: str
    advice: str


@dataclass(frozen=True, slots=True)
class Case:
    """One occurrence: the samples it is about, and what was found in them."""

    ids: tuple[str, ...]
    detail: str


@dataclass(frozen=True, slots=True)
class Finding:
    """All cases of one kind of fault.

    Attributes:
        name: Of the kind, as in `RULES`.
        cases: The worst first, where there is a worst.
    """

    name: str
    cases: tuple[Case, ...]

    @property
    def rule(self) -> Rule:
        """What this kind is."""
        return RULES[self.name]

    @property
    def headline(self) -> str:
        """The fault with the number of its cases."""
        return f"{self.rule.what}: {len(self.cases):,}"

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "finding": self.name,
            "check": self.rule.check,
            "severity": self.rule.severity,
            "what": self.rule.what,
            "advice": self.rule.advice,
            "count": len(self.cases),
            "cases": [{"ids": list(case.ids), "detail": case.detail} for case in self.cases],
        }


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The result of an examination.

    Attributes:
        description: What was understood of the data set, line by line.
        samples: How many it has.
        read: How many of them could be read.
        findings: The worst first.
        remarks: What was left out or how it was done, a sentence each.
        seconds: Wall time.
    """

    description: tuple[str, ...]
    samples: int
    read: int
    findings: tuple[Finding, ...]
    remarks: tuple[str, ...]
    seconds: float

    def count(self, severity: Severity) -> int:
        """Cases of one severity."""
        return sum(len(one.cases) for one in self.findings if one.rule.severity == severity)

    @property
    def exit_code(self) -> int:
        """0 nothing but notes, 1 findings, 3 nothing could be read."""
        if not self.read:
            return 3
        return int(any(one.rule.severity != "note" for one in self.findings))

    def to_dict(self) -> dict[str, Any]:
        """Plain data, as `--json` prints it."""
        return {
            "data": list(self.description),
            "samples": self.samples,
            "read": self.read,
            **{f"{severity}s": self.count(severity) for severity in SEVERITIES},
            "findings": [one.to_dict() for one in self.findings],
            "remarks": list(self.remarks),
            "seconds": round(self.seconds, 2),
        }


def ranked(cases: Mapping[str, Sequence[Case]]) -> tuple[Finding, ...]:
    """Findings of all kinds that have cases, in order of severity and then of the checks."""
    found = [Finding(name, tuple(cases[name])) for name in RULES if cases.get(name)]
    return tuple(
        sorted(found, key=lambda one: (SEVERITIES.index(one.rule.severity), CHECKS.index(one.rule.check)))
    )  # fmt: skip


RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "unreadable": Rule(
            "files", "error", "pictures that cannot be read", "Replace or remove them: training leaves them out."
        ),
        "not-finite": Rule("files", "error", "pictures with NaN or infinity", "Replace those values."),
        "overlooked": Rule(
            "files", "warning", "pictures with faults that the reader passed over",
            "Look at them: a part of the picture may be missing.",
        ),
        "blank": Rule("files", "warning", "pictures of a single color", "Remove them, unless they are a class."),
        "label-unusable": Rule(
            "labels", "error", "labels that cannot be used", "Correct or remove them: what they say is left out."
        ),
        "not-understood": Rule(
            "labels", "error", "reasons why nothing can be learned from these data",
            "Correct it: a training stops here.",
        ),
        "labels-alike": Rule(
            "labels", "error", "labels that differ by case or spaces alone",
            "Write them alike: now they are learned as different classes.",
        ),
        "label-unreadable": Rule("labels", "error", "label files that cannot be read", "Correct them."),
        "box-turned": Rule(
            "labels", "error", "boxes that fit the picture as it is stored, not upright",
            "The labels were made without the EXIF orientation. Turn the boxes, or store the pictures upright.",
        ),
        "box-outside": Rule(
            "labels", "error", "boxes that reach out of their picture", "Correct them, or the size of the picture."
        ),
        "box-empty": Rule("labels", "error", "boxes without an area", "Draw them, or remove them."),
        "mask-size": Rule(
            "labels", "error", "masks of another size than their picture", "Make them anew in the picture's size."
        ),
        "mask-empty": Rule("labels", "error", "masks without a pixel", "Draw them, or remove the thing."),
        "copies-labeled-differently": Rule(
            "duplicates", "error", "groups of equal pictures with different labels",
            "At most one of the labels is right: correct them, and keep one picture.",
        ),
        "copies-across-splits": Rule(
            "duplicates", "error", "groups of equal pictures in different splits",
            "Keep each in one split: a score on pictures that were learned by heart is too high.",
        ),
        "near-across-splits": Rule(
            "duplicates", "error", "groups of nearly equal pictures in different splits",
            "Keep each group in one split, for instance with --group.",
        ),
        "class-missing": Rule(
            "balance", "error", "classes without a sample", "Add samples, or remove the class from the labels."
        ),
        "label-doubt": Rule(
            "labels", "warning", "files or folders that seem to be labels, and were not understood",
            "Correct or remove them, or say with --layout how the data lie.",
        ),
        "split-empty": Rule("labels", "warning", "splits without a sample", "Fill them, or remove their folders."),
        "unlabeled": Rule("labels", "warning", "pictures without a label", "Label them, or leave them out."),
        "box-tiny": Rule(
            "labels", "warning", "boxes narrower than 2 pixels", "Remove them, if they are slips of the mouse."
        ),
        "box-twice": Rule("labels", "warning", "things with two boxes of one class", "Remove one of each two."),
        "keypoint-outside": Rule(
            "labels", "warning", "keypoints outside of their picture", "Correct them, or mark them as not labeled."
        ),
        "map-void": Rule("labels", "warning", "maps that are all void", "Label them, or leave them out."),
        "class-rare": Rule(
            "balance", "warning", "classes with fewer than 5 samples",
            "Add samples: so few cannot be learned, split and scored.",
        ),
        "class-missing-in-split": Rule("balance", "warning", "classes missing in a split", "Split anew, by class."),
        "imbalance": Rule(
            "balance", "warning", "classes far from balanced",
            "Train with class weights or a balanced sampler, and look at the scores of each class.",
        ),
        "copies": Rule("duplicates", "warning", "groups of equal pictures", "Keep one of each."),
        "near-labeled-differently": Rule(
            "duplicates", "warning", "groups of nearly equal pictures with different labels",
            "Look at them: one of the labels may be wrong.",
        ),
        "near": Rule(
            "duplicates", "warning", "groups of nearly equal pictures",
            "Keep one of each, or give them a group so that no split parts them.",
        ),
        "turned": Rule(
            "surprises", "warning", "pictures stored turned, while their labels have places",
            "They are turned upright here. Make sure that they were when they were labeled.",
        ),
        "depth": Rule(
            "surprises", "warning", "pictures with another bit depth than the others",
            "Find out why: the same thing may have other values in them.",
        ),
        "color": Rule(
            "surprises", "warning", "pictures with other channels than the others",
            "Convert them, or find out where they come from.",
        ),
        "size": Rule(
            "surprises", "warning", "pictures far smaller or larger than the others",
            "Look whether they are thumbnails, or from another source.",
        ),
        "mislabeled": Rule("mislabeled", "warning", "labels that are likely wrong", "Look at them: the surest first."),
        "label-remark": Rule("labels", "note", "remarks on how labels were read", "See that they were meant so."),
        "background": Rule("labels", "note", "pictures without a thing", "Fine, if they are backgrounds on purpose."),
        "stored-turned": Rule("surprises", "note", "pictures stored turned", "They are turned upright here."),
        "mixed": Rule(
            "surprises", "note", "mixtures of pictures of several depths or channels",
            "Make sure that it does not tell the classes apart.",
        ),
        "ending": Rule("surprises", "note", "files of another format than their name says", "Rename them."),
        "pages": Rule("surprises", "note", "files with several pages or frames", "Only the first is used."),
        "alpha": Rule("surprises", "note", "pictures with alpha", "They are put onto white."),
    }
)  # fmt: skip
