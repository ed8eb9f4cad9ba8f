"""The two files are no float model and its quantized one: in the wrong order, the same, or two networks."""

from __future__ import annotations

from harness.diagnosis.evidence import Evidence
from harness.diagnosis.findings import Finding, Number
from harness.diagnosis.layers.matching import match_tensors
from harness.diagnosis.layers.quantization_map import WEIGHTED
from harness.diagnosis.remedies.remedies import advice
from harness.diagnosis.runs.model_pair import ComparedModel, ModelPair
from harness.vocabulary import FLOAT_WEIGHTS

CAUSE = "wrong-pair"
LEAST, CERTAIN_SIZE, CERTAIN_LEAST = 0.5, 0.1, 0.9
"""Share of the layers with weights that have a counterpart in any pair, and where the networks differ in length."""


def examine(evidence: Evidence) -> Finding | None:
    """Look at the files alone."""
    pair = evidence.pair
    if pair.float is None:
        return None
    words = _same(pair) or _swapped(pair.float, pair.quantized)
    if words is not None:
        return _finding(words[0], words[1], ())
    before, after, matched = counts(pair)
    if not is_other_network(before, after, matched):
        return None
    return _finding(
        f"of {before} layers with weights on the float side and {after} on the other only {matched} correspond: "
        "they are two networks, and nothing else is claimed of them",
        "Give the float model that the quantized one was made from.",
        (
            Number("layers that correspond", matched),
            Number("layers", before),
            Number("layers, quantized", after),
        ),
    )


def _finding(sentence: str, remedy: str, numbers: tuple[Number, ...]) -> Finding:
    return Finding(CAUSE, "certain", "seen in the files", sentence, numbers, None, "setting", advice(remedy))


def _same(pair: ModelPair) -> tuple[str, str] | None:
    """Recognize the same file, read in the same way at the same place, twice."""
    first, second = pair.float, pair.quantized
    if first is None or not pair.same_file or first.place != second.place:
        return None
    if any(
        getattr(first.card, part) != getattr(second.card, part) for part in ("input", "decoder", "labels")
    ):
        return None
    return (
        f"both sides are the same file with the same card ({second.file.name}): there is nothing to compare",
        "Give the quantized model as the second file, or --device or --delegate to compare one file here and there.",
    )


def _swapped(first: ComparedModel, second: ComparedModel) -> tuple[str, str] | None:
    """Recognize a quantized model on the float side, and a float one on the other."""
    kinds = [model.description.quantization for model in (first, second)]
    if kinds[0] in FLOAT_WEIGHTS or kinds[1] not in FLOAT_WEIGHTS or "unknown" in kinds:
        return None
    return (
        f"the first file is {kinds[0]} and the second {kinds[1]}: the two are named in the wrong order",
        "Name the float model first: harness diagnose FLOAT QUANT.",
    )


def counts(pair: ModelPair) -> tuple[int, int, int]:
    """Return how many layers with weights both graphs have, and how many of them correspond."""
    assert pair.float is not None
    graphs = pair.float.graph, pair.quantized.graph
    before, after = (sum(o.name in WEIGHTED for o in graph.primary.operators) for graph in graphs)
    return before, after, sum(found.operator in WEIGHTED for found in match_tensors(*graphs))


def is_other_network(before: int, after: int, matched: int) -> bool:
    """Whether so few layers correspond that the files are of two networks."""
    most = max(before, after)
    if most == 0:
        return False
    lengths = abs(before - after) > CERTAIN_SIZE * most and matched < CERTAIN_LEAST * most
    return lengths or matched < LEAST * most
