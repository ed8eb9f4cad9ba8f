"""Of what the loss consists: parts that add up to it, found by swapping parts of the two sides' outputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Method = Literal["raw heads", "matched detections"]


@dataclass(frozen=True)
class Part:
    """One part of the loss.

    Attributes:
        name: `scores`, `boxes`, `labels`, `missed`, `extra`, `settings` or `unexplained`.
        loss: mAP that is lost through it; negative where it helps.
        low: Lower end of its 95 % interval over images; None where it cannot be told.
        high: Upper end.
        alone: mAP that is lost when only this part is the quantized side's and all else the float side's.
        rest: mAP that is lost when this part is the float side's and all else the quantized side's.
        meaning: What it means, in words.
    """

    name: str
    loss: float
    low: float | None
    high: float | None
    alone: float | None
    rest: float | None
    meaning: str


@dataclass(frozen=True)
class SizeLoss:
    """How much AP is lost on objects of one size: `small` (area < 32² px), `medium` or `large` (> 96²)."""

    name: str
    float_ap: float | None
    quantized_ap: float | None
    loss: float | None


@dataclass(frozen=True)
class Attribution:
    """Where the loss of mAP comes from.

    Attributes:
        method: `raw heads` swaps tensors before suppression, candidate by candidate; `matched detections` swaps
            boxes, scores and labels of detections that were paired by overlap.
        reason: Why this method.
        total: mAP that was lost: float less quantized.
        parts: They add up to `total`, the last of them, `unexplained`, included.
        sizes: AP by the size of the objects.
        lost: Objects that the float side finds at IoU 0.5 and the quantized one does not.
        gained: Objects that only the quantized side finds.
        n_objects: Objects that are to be found.
    """

    method: Method
    reason: str
    total: float
    parts: tuple[Part, ...]
    sizes: tuple[SizeLoss, ...]
    lost: int
    gained: int
    n_objects: int

    def part(self, name: str) -> Part | None:
        """Return a part by its name; None where there is no such part."""
        return next((part for part in self.parts if part.name == name), None)
