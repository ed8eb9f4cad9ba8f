"""Two logs side by side: usually of one network, quantized after training and during it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness.edgetpu.log import ModelLog

FLOAT_EDGES = ("QUANTIZE", "DEQUANTIZE")


@dataclass(frozen=True)
class Pair:
    """One kind of row in two logs.

    Attributes:
        operator: Its operator.
        status: Its status.
        first: How many the first log has; None for no such row.
        second: The same of the second.
    """

    operator: str
    status: str
    first: int | None
    second: int | None


def side_by_side(one: ModelLog, other: ModelLog) -> list[Pair]:
    """Put rows of the same operator and status beside each other, in the order of the first log."""
    counts = [_counts(model) for model in (one, other)]
    keys = dict.fromkeys([*counts[0], *counts[1]])
    return [Pair(*key, counts[0].get(key), counts[1].get(key)) for key in keys]


def _counts(model: ModelLog) -> dict[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = {}
    for row in model.rows:
        found[row.operator, row.status] = found.get((row.operator, row.status), 0) + row.count
    return found


def remarks(pairs: list[Pair], names: tuple[str, str]) -> Iterator[str]:
    """Say what one log alone has, QUANTIZE and DEQUANTIZE with the reason."""
    for name, own, others in ((names[0], "first", "second"), (names[1], "second", "first")):
        operators = {pair.operator for pair in pairs if getattr(pair, own) is not None}
        missing = operators - {pair.operator for pair in pairs if getattr(pair, others) is not None}
        edges = [operator for operator in FLOAT_EDGES if operator in missing]
        if edges:
            yield (
                f"only {name} has {' and '.join(edges)}: post-training quantization leaves float at the graph's edges, "
                "a model trained with quantization (uint8 in and out) does not"
            )
        if rest := sorted(missing - set(edges)):
            yield f"only {name} has {', '.join(rest)}"
