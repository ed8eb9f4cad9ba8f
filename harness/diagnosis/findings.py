"""What a cause's examination gives: the finding, its numbers and its remedy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from harness.accuracy.bootstrap import PairedDifference
from harness.cards import ModelCard
from harness.edit.nms import NmsChange

Confidence = Literal["certain", "likely", "possible"]
Effort = Literal["setting", "edit", "requantize", "retrain"]
EFFORTS: tuple[Effort, ...] = ("setting", "edit", "requantize", "retrain")
"""From the least work to the most: a card's entry, an edit of the file, quantizing again, training again."""


@dataclass(frozen=True)
class Number:
    """One number behind a finding; `unit` is empty for shares and counts, `mAP`, `dB`, `px`, … else."""

    name: str
    value: float | int | str | None
    unit: str = ""


@dataclass(frozen=True)
class Remedy:
    """What to do about a cause.

    Attributes:
        sentence: An imperative sentence.
        command: The exact command as arguments, `harness` first; None where it is not ours to do.
        can_try: Whether `--try` can carry it out and measure it.
        fix: The same as data, for `--try`; None where only the user can do it.
    """

    sentence: str
    command: tuple[str, ...] | None = None
    can_try: bool = False
    fix: Fix | None = None


@dataclass(frozen=True)
class Finding:
    """A named cause that was found.

    Attributes:
        cause: Its key in `harness.diagnosis.causes.CAUSES`.
        confidence: `certain`, `likely` or `possible`.
        rule: The rule that gave the confidence, in words.
        sentence: What is wrong, with the decisive numbers.
        numbers: The numbers behind it.
        gain: What taking the cause away brought in a counterfactual run: `first` is the quantized model's mAP as it
            is, `second` without the cause; None where it was not measured.
        effort: How much work the remedy is.
        remedy: What to do.
    """

    cause: str
    confidence: Confidence
    rule: str
    sentence: str
    numbers: tuple[Number, ...]
    gain: PairedDifference | None
    effort: Effort
    remedy: Remedy


@dataclass(frozen=True)
class NewCard:
    """Other entries of the quantized model's card."""

    card: ModelCard


@dataclass(frozen=True)
class NewNms:
    """Other options of `TFLite_Detection_PostProcess`."""

    change: NmsChange


@dataclass(frozen=True)
class CutPostProcess:
    """Take the operator out with all behind it; suppress on the host."""


@dataclass(frozen=True)
class Requantize:
    """Quantize the float model anew.

    Attributes:
        mode: Of `harness quantize`.
        keep_float: Regular expressions of the names of tensors whose operators stay float.
    """

    mode: str = "int8"
    keep_float: tuple[str, ...] = ()


Fix = NewCard | NewNms | CutPostProcess | Requantize
