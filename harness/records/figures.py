"""COCO's figures as a record keeps them: by themselves, since what computes them needs no record."""

from __future__ import annotations

import msgspec


class CocoFigures(msgspec.Struct, frozen=True, kw_only=True):
    """The 12 figures of COCO's summarize; None where pycocotools gives -1 (nothing to average)."""

    map: float | None
    ap50: float | None
    ap75: float | None
    ap_small: float | None
    ap_medium: float | None
    ap_large: float | None
    ar1: float | None
    ar10: float | None
    ar100: float | None
    ar_small: float | None
    ar_medium: float | None
    ar_large: float | None
