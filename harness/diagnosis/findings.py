"""The findings about causes: each with its numbers and its remedy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from harness.accuracy.bootstrap import PairedDifference
from harness.cards import ModelCard
from harness.diagnosis.runs.patched_file import Affine, Floats
from harness.edit.nms import NmsChange

Confidence = Literal["certain", "likely", "possible"]
Effort = Literal["setting", "edit", "requantize", "retrain"]
EFFORTS: tuple[Effort, ...] = ("setting", "edit", "requantize", "retrain")
"""From the least work to the most: a card's entry, an edit of the file, quantizing again, training again."""


@dataclass(frozen=True)
class Number:
    """One number behind a finding; `unit` is empty for shares and counts, else `mAP`, `dB`, `px`, …."""

    name: str
    value: float | int | str | None
    unit: str = ""


@dataclass(frozen=True)
class Remedy:
    """What to do about a cause.

    Attributes:
        sentence: An imperative sentence.
        command: The exact command as arguments, `harness` first; None where the harness cannot do it.
        can_try: Whether `--try` can carry it out and measure it.
        fix: The same as data, for `--try`; None where only the user can do it.
    """

    sentence: str
    command: tuple[str, ...] | None = None
    can_try: bool = False
    fix: Fix | None = None


@dataclass(frozen=True)
class Correction:
    """What a trial changed to take a cause away, so that another one can be tried on top of it.

    Attributes:
        card: Another card for the file; None for its own.
        constants: Tensor → the real values that it shall hold.
        activations: Tensor → how it shall be stored.
        options: Place of an operator → other options of it.
    """

    card: ModelCard | None = None
    constants: Mapping[int, Floats] = field(default_factory=dict)
    activations: Mapping[int, Affine] = field(default_factory=dict)
    options: Mapping[int, Mapping[str, float | int | bool]] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """How many constants, ranges and operators it changes; a card is one."""
        return (self.card is not None) + len(self.constants) + len(self.activations) + len(self.options)


@dataclass(frozen=True)
class Finding:
    """A cause that was found.

    Attributes:
        cause: Its key in `harness.diagnosis.causes.CAUSES`.
        confidence: `certain`, `likely` or `possible`.
        rule: The rule that gave the confidence, in words.
        sentence: The fault, with the decisive numbers.
        numbers: The numbers behind it.
        gain: The gain without the cause, measured in a trial: `first` is the quantized model's mAP as it is, `second`
            without the cause; None where it was not measured.
        effort: The work that the remedy takes.
        remedy: What to do.
        correction: What the trial changed; None where that cannot be put together with other changes.
    """

    cause: str
    confidence: Confidence
    rule: str
    sentence: str
    numbers: tuple[Number, ...]
    gain: PairedDifference | None
    effort: Effort
    remedy: Remedy
    correction: Correction | None = field(default=None, compare=False, repr=False)


def unmeasured(
    cause: str, sentence: str, numbers: tuple[Number, ...], remedy: Remedy, seen_in: str = "the file"
) -> Finding:
    """Return a fault that another quantization mends and that is seen, but without a float model cannot be measured."""
    rule = f"seen in {seen_in}; what it costs cannot be measured without a float model"
    return Finding(cause, "possible", rule, sentence, numbers, None, "requantize", remedy)


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
    """Cut the operator with everything behind it; suppress on the host."""


@dataclass(frozen=True)
class Requantize:
    """Quantize the float model again.

    Attributes:
        mode: A mode of `harness quantize`.
        keep_float: Regular expressions of the names of tensors whose operators stay float.
    """

    mode: str = "int8"
    keep_float: tuple[str, ...] = ()


Fix = NewCard | NewNms | CutPostProcess | Requantize
