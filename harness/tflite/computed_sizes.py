"""Tensors whose size an interpreter knows only while it runs: with one of them, delegates for fixed sizes take nothing.

LiteRT allocates an output when it prepares the graph if what states its size is a constant, or follows from shapes
through operators whose outputs it keeps from then on (`IsConstantOrPersistentTensor`). Which operators do was seen by
handing ai-edge-litert 2.3.0's GPU accelerator one graph for each: it refuses the whole model otherwise.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from harness.tflite.graph import Operator, Subgraph

# fmt: off
SIZED_BY: Mapping[str, tuple[int, ...]] = {
    "RESHAPE": (1,), "TILE": (1,), "BROADCAST_TO": (1,), "FILL": (0,), "EXPAND_DIMS": (1,), "TRANSPOSE": (1,),
    "PAD": (1,), "PADV2": (1,), "MIRROR_PAD": (1,), "SLICE": (1, 2), "STRIDED_SLICE": (1, 2, 3), "RANGE": (0, 1, 2),
    "RESIZE_BILINEAR": (1,), "RESIZE_NEAREST_NEIGHBOR": (1,), "TRANSPOSE_CONV": (0,), "ONE_HOT": (1,),
    "TOPK_V2": (1,), "SPACE_TO_BATCH_ND": (1, 2), "BATCH_TO_SPACE_ND": (1, 2), "MEAN": (1,), "SUM": (1,),
    "REDUCE_MAX": (1,), "REDUCE_MIN": (1,), "REDUCE_PROD": (1,), "ARG_MAX": (1,), "ARG_MIN": (1,), "SPLIT": (0,),
    "SPLIT_V": (1, 2), "SPARSE_TO_DENSE": (1,),
}
# fmt: on
"""Operator → the inputs whose values state the size of its output (tensorflow/lite/kernels, `Prepare`)."""
FROM_CONTENT = frozenset({"WHERE", "UNIQUE"})
"""Operators whose output is as large as what they find."""
KEPT = frozenset({"STRIDED_SLICE", "CONCATENATION", "MUL", "GATHER", "REDUCE_PROD", "RESHAPE"})
"""Operators whose output is known before a run where their inputs are; seen, as `COMPUTED` was."""
COMPUTED = frozenset({"PACK", "ADD", "SUB", "CAST", "MAXIMUM", "MINIMUM", "FLOOR_DIV", "SLICE"})
"""Operators whose output is not known before a run, even of constants."""
_FROM_SHAPES = frozenset({"SHAPE", "RANK"})


@dataclass(frozen=True)
class ComputedSizes:
    """The operators of a graph whose outputs have a size that is computed.

    Attributes:
        certain: Their names with counts, most frequent first.
        possible: The same where LiteRT's rule for what states the size is not known.
    """

    certain: tuple[tuple[str, int], ...] = ()
    possible: tuple[tuple[str, int], ...] = ()

    @property
    def words(self) -> str:
        """The certain ones in words: `15 RESHAPE, 5 TILE`."""
        return ", ".join(f"{count} {name}" for name, count in self.certain)


def find_computed_sizes(graph: Subgraph) -> ComputedSizes:
    """Return the operators of a subgraph whose outputs have a size that is computed."""
    known = _known_beforehand(graph)
    found: dict[bool | None, Counter[str]] = {False: Counter(), None: Counter()}
    for operator in graph.operators:
        answer = False if operator.name in FROM_CONTENT else _worst(_sizes(operator, known))
        if answer is not True:
            found[answer][operator.name] += 1
    return ComputedSizes(tuple(found[False].most_common()), tuple(found[None].most_common()))


def _sizes(operator: Operator, known: Mapping[int, bool | None]) -> Iterator[bool | None]:
    for place in SIZED_BY.get(operator.name, ()):
        if place < len(operator.inputs) and operator.inputs[place] >= 0:
            yield known.get(operator.inputs[place], False)


def _known_beforehand(graph: Subgraph) -> dict[int, bool | None]:
    """Return for each tensor whether its values are known before a run; None where the rule is not known."""
    known: dict[int, bool | None] = {tensor.index: tensor.constant for tensor in graph.tensors}
    for operator in graph.operators:
        answer = _output_is_known(operator, known)
        known.update((index, answer) for index in operator.outputs if index >= 0)
    return known


def _output_is_known(operator: Operator, known: Mapping[int, bool | None]) -> bool | None:
    if operator.name in _FROM_SHAPES:
        return True
    if operator.custom or operator.name in COMPUTED:
        return False
    inputs = _worst(known.get(index, False) for index in operator.inputs if index >= 0)
    return inputs if operator.name in KEPT or inputs is False else None


def _worst(answers: Iterator[bool | None]) -> bool | None:
    given = set(answers)
    return False if False in given else None if None in given else True
