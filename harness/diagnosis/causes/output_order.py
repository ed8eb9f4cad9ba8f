"""The outputs are read in a wrong order: TF1 exports list boxes, classes, scores, count; TF2 exports another order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import permutations
from math import prod

from msgspec.structs import replace

from harness.cards import DecoderSpec
from harness.detectors.registry import make_decoder
from harness.detectors.roles import POSTPROCESS_ROLES, parse_order
from harness.diagnosis.causes import hypotheses
from harness.diagnosis.causes.hypotheses import Hypothesis
from harness.diagnosis.evidence import Evidence
from harness.diagnosis.findings import Finding
from harness.diagnosis.runs.model_pair import ComparedModel
from harness.errors import HarnessError
from harness.recognize.readings import POSTPROCESSED

CAUSE = "output-order"


def examine(evidence: Evidence) -> Finding | None:
    """Read the outputs in every order that their shapes allow; it costs no inference."""
    if evidence.pair.quantized.card.decoder.name not in POSTPROCESSED:
        return None
    return hypotheses.best_card(evidence, CAUSE, list(_hypotheses(evidence)))


def _hypotheses(evidence: Evidence) -> Iterator[Hypothesis]:
    model = evidence.pair.quantized
    card = model.card
    own = parse_order(card.decoder.order or "tf1", card.decoder.name)
    stated = _graph_order(model)
    for roles in permutations(POSTPROCESS_ROLES):
        spec = replace(card.decoder, order=",".join(roles))
        if roles != own and _fits(roles, spec, model):
            seen = roles == stated
            whence = "the file's own operator gives them as" if seen else "better results come from"
            sentence = f"the card reads the outputs as {', '.join(own)}; {whence} {', '.join(roles)}"
            yield Hypothesis(replace(card, decoder=spec), sentence, seen)


def _graph_order(model: ComparedModel) -> tuple[str, ...] | None:
    """Return the order that the operator in the graph states; None without it."""
    from harness.tflite.postprocess import places

    found = places(model.graph)
    if sorted(place for place in found if place is not None) != [0, 1, 2, 3]:
        return None
    return tuple("-" if place is None else POSTPROCESS_ROLES[place] for place in found)


def _fits(roles: Sequence[str], spec: DecoderSpec, model: ComparedModel) -> bool:
    """Whether the shapes allow an order: as many classes as scores, four times as many boxes, one count."""
    sizes = {role: prod(info.shape) for role, info in zip(roles, model.description.outputs, strict=False)}
    if len(sizes) < len(roles) or sizes["classes"] != sizes["scores"] or sizes["count"] != 1:
        return False
    try:
        make_decoder(spec, model.description.outputs)
    except HarnessError:
        return False
    return True
