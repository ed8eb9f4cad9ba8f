"""Anchors, or other constants behind the heads, are not the float model's."""

from __future__ import annotations

import numpy as np

from harness.diagnosis.causes import put_back
from harness.diagnosis.causes.suspects import find_suspects, pairs_of
from harness.diagnosis.evidence import Evidence
from harness.diagnosis.findings import Finding, Number
from harness.diagnosis.layers.constants import ConstantPair

CAUSE = "anchors"


def examine(evidence: Evidence) -> Finding | None:
    """Put the float model's anchors, and the factors and terms of its own, back into the file."""
    found = put_back.helpful_layers(evidence, pairs_of(find_suspects(evidence).anchors))
    if not found:
        return None
    words = "; ".join(_words(pair) for pair in found[:3])
    return put_back.finding(
        evidence,
        CAUSE,
        found,
        words,
        "Export with the anchors of the float model's configuration; the command quantizes the float model, which has "
        "them.",
        (
            Number("constants", len(found)),
            Number("largest difference as a share", max(p.share for p in found)),
        ),
    )


def _words(pair: ConstantPair) -> str:
    if pair.part != "anchors":
        return (
            f"the constant that {pair.operator} multiplies or adds at {pair.layer} (anchors, strides or a grid) is not "
            f"the float model's: it differs by {pair.share:.0%}{_factor(pair)}"
        )
    first, second = pair.first.reshape(-1, 4), pair.second.reshape(-1, 4)
    for order in ((0, 1, 3, 2), (1, 0, 3, 2), (1, 2, 3, 0), (3, 0, 1, 2), (2, 3, 0, 1)):
        if np.allclose(first[:, order], second, atol=1e-3):
            return f"the anchors' columns are in another order: {_columns(order)} for y, x, height, width"
    if np.allclose(first[:, :2], second[:, :2], atol=1e-3):
        return f"the anchors have other sizes than the float model's{_factor(pair, slice(2, 4))}"
    rows = {tuple(row) for row in np.round(first, 3).tolist()}
    if all(tuple(row) in rows for row in np.round(second, 3).tolist()):
        return (
            "the anchors are the float model's in another order of rows: maps or aspect ratios changed places"
        )
    return f"the anchors are others than the float model's: they differ by {pair.share:.0%}"


def _columns(order: tuple[int, ...]) -> str:
    return ", ".join(("y", "x", "height", "width")[k] for k in order)


def _factor(pair: ConstantPair, columns: slice = slice(None)) -> str:
    """Return by which factors values were changed."""
    first, second = pair.first[..., columns], pair.second[..., columns]
    some = np.abs(first) > 1e-6
    ratios = second[some] / first[some]
    if not ratios.size:
        return ""
    low, high = float(ratios.min()), float(ratios.max())
    return f", times {low:.3g}" if high - low < 0.02 * abs(high) else f", times {low:.3g} to {high:.3g}"
