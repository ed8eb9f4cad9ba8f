"""Sort the constants that are no rounding of the float model's by what may have happened to the file.

All layers together speak of another checkpoint, all biases of other batch-norm statistics, a permutation of the heads
of the order of classes; what is left are single layers. Each constant is suspected of one thing only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.diagnosis.causes.contradictions import misread_biases
from harness.diagnosis.causes.float16_underflow import is_underflow
from harness.diagnosis.evidence import Evidence
from harness.diagnosis.layers.constant_faults import ConstantFault, class_order, name_fault, takes_few_values
from harness.diagnosis.layers.constants import ConstantPair, Constants

MOST_LAYERS, SEVERAL = 0.5, 4
"""From half of the layers on all are of another checkpoint; from four biases on they have something in common."""
PART = 0.25
MOVED = frozenset({"other", "scaled", "shifted", "rescaled"})
"""What other statistics do to biases, and to weights."""
TELLING = frozenset({"other", "rescaled", "clipped"})
"""What another training does to weights."""


@dataclass(frozen=True)
class Suspects:
    """The faults of constants, by what they speak for.

    Attributes:
        classes: Output channels of heads in another order of classes.
        few_bits: Weights of few bits.
        checkpoint: Weights and biases of another training.
        statistics: Biases, and rescaled weights, of other batch-norm statistics.
        weights: Weights of single layers, with the biases of the same layers.
        biases: Biases of single layers.
        anchors: Anchors, and other constants that are no weights.
    """

    classes: tuple[ConstantFault, ...] = ()
    few_bits: tuple[ConstantFault, ...] = ()
    checkpoint: tuple[ConstantFault, ...] = ()
    statistics: tuple[ConstantFault, ...] = ()
    weights: tuple[ConstantFault, ...] = ()
    biases: tuple[ConstantFault, ...] = ()
    anchors: tuple[ConstantFault, ...] = ()


def find_suspects(evidence: Evidence) -> Suspects:
    """Return the faults of the constants; no inference."""
    found = evidence.constants
    anchors = tuple(name_fault(pair) for pair in found.differing("anchors", "constant"))
    misread = misread_biases(evidence)
    wrong = [
        pair
        for pair in found.differing("weights", "bias")
        if not is_underflow(pair) and pair.tensor not in misread
    ]
    faults = [name_fault(pair) for pair in wrong]
    classes = _classes(faults, found)
    faults = [fault for fault in faults if fault not in classes]
    few = _few_bits(faults)
    faults = [fault for fault in faults if fault not in few]
    rest = _of_layers(faults, len(found.of("weights")))
    return Suspects(classes, tuple(few), *rest, anchors)


def _few_bits(faults: Sequence[ConstantFault]) -> list[ConstantFault]:
    """Return weights of few bits, layers too small to tell alone that have no more beside others, and their biases."""
    found = [fault for fault in faults if fault.kind == "few bits"]
    if not found:
        return []
    bits = max(fault.bits for fault in found)
    found += [
        fault
        for fault in faults
        if fault.pair.part == "weights" and fault not in found and takes_few_values(fault.pair, bits)
    ]
    layers = {fault.pair.output for fault in found}
    return [*found, *(one for one in faults if one.pair.part == "bias" and one.pair.output in layers)]


def _classes(faults: Sequence[ConstantFault], found: Constants) -> tuple[ConstantFault, ...]:
    """Return the heads' permuted channels, where the same permutation of classes is behind them."""
    heads = [
        fault
        for fault in faults
        if fault.pair.head and fault.order and class_order(fault.order) and _moves_bias(fault, found)
    ]
    if not any(fault.pair.part == "weights" for fault in heads):
        return ()
    outputs = {fault.pair.output for fault in heads}
    return tuple(fault for fault in faults if fault.pair.output in outputs)


def _moves_bias(fault: ConstantFault, found: Constants) -> bool:
    """Whether a layer's bias is in the order of its weights: classes that move take theirs along."""
    for bias in found.of("bias"):
        if bias.output == fault.pair.output:
            return replace(bias, first=bias.first.reshape(-1)[list(fault.order)]).is_rounding
    return True


def _of_layers(
    faults: Sequence[ConstantFault], n_layers: int
) -> tuple[
    tuple[ConstantFault, ...], tuple[ConstantFault, ...], tuple[ConstantFault, ...], tuple[ConstantFault, ...]
]:
    """Return the faults of a checkpoint, of batch norm, of single layers' weights and of single biases."""
    weights = [fault for fault in faults if fault.pair.part == "weights"]
    other = [fault for fault in weights if fault.kind in TELLING]
    if len(other) >= max(2, MOST_LAYERS * n_layers) and sum(f.kind == "other" for f in other) * 2 >= len(
        other
    ):
        return tuple(faults), (), (), ()
    rescaled = {fault.pair.output for fault in weights if fault.kind == "rescaled"}
    hard = {fault.pair.output for fault in weights} - rescaled
    soft = [fault for fault in faults if fault.pair.output not in hard]
    moved = [fault for fault in soft if fault.kind in MOVED]
    statistics = moved if _are_statistics(moved, n_layers) else []
    left = [fault for fault in faults if fault not in statistics]
    outputs = {fault.pair.output for fault in left if fault.pair.part == "weights"}
    single = [fault for fault in left if fault.pair.output in outputs]
    return (), tuple(statistics), tuple(single), tuple(fault for fault in left if fault not in single)


def _are_statistics(moved: Sequence[ConstantFault], n_layers: int) -> bool:
    """Whether biases differ in a quarter of the layers, or in several in ways of their own.

    A few that have one factor in common were converted wrongly.
    """
    n = len({fault.pair.output for fault in moved})
    alike = len({fault.words for fault in moved}) == 1 and moved[0].kind == "scaled"
    return n >= SEVERAL and (n >= PART * n_layers or not alike)


def pairs_of(faults: Sequence[ConstantFault]) -> list[ConstantPair]:
    """Return the constants of faults."""
    return [fault.pair for fault in faults]


def words_of(faults: Sequence[ConstantFault], most: int = 3) -> str:
    """Return in words what is wrong with single layers, the largest differences first."""
    by_size = sorted(faults, key=lambda fault: -fault.pair.share)
    words = [f"{fault.pair.layer} {fault.words}" for fault in by_size[:most]]
    more = len(faults) - most
    return "; ".join(words) + (f"; and {more} more" if more > 0 else "")
