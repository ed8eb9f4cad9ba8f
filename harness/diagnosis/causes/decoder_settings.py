"""The two cards read their outputs in different ways: box format and units, scales, activation, background, anchors."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from msgspec.structs import replace

from harness.cards import DecoderSpec, ModelCard
from harness.diagnosis.causes import hypotheses
from harness.diagnosis.causes.hypotheses import Hypothesis
from harness.diagnosis.evidence import Evidence
from harness.diagnosis.findings import Finding
from harness.edit.card_toml import changed_entries

CAUSE = "decoder-settings"
ELSEWHERE = frozenset({"name", "nms", "order"})
"""Entries with a cause of their own, and the family, which goes with the outputs."""


def examine(evidence: Evidence) -> Finding | None:
    """Read the outputs as the float side's card does, each entry that differs for itself and all together."""
    return hypotheses.best_card(evidence, CAUSE, list(_hypotheses(evidence)))


def _hypotheses(evidence: Evidence) -> Iterator[Hypothesis]:
    reference, card = evidence.pair.float, evidence.pair.quantized.card
    if reference is None:
        return
    theirs = reference.card.decoder
    names = [
        info.name
        for info in msgspec.structs.fields(DecoderSpec)
        if info.name not in ELSEWHERE and getattr(theirs, info.name) != getattr(card.decoder, info.name)
    ]
    if theirs.name != card.decoder.name:
        if _same_outputs(evidence):
            yield _hypothesis(card, replace(theirs, nms=card.decoder.nms))
        return
    wanted = [[name] for name in names] + ([names] if len(names) > 1 else [])
    for chosen in wanted:
        yield _hypothesis(card, replace(card.decoder, **{name: getattr(theirs, name) for name in chosen}))


def _same_outputs(evidence: Evidence) -> bool:
    assert evidence.pair.float is not None
    shapes = [[info.shape for info in model.description.outputs] for model in evidence.pair.models]
    return shapes[0] == shapes[1]


def _hypothesis(card: ModelCard, decoder: DecoderSpec) -> Hypothesis:
    better = replace(card, decoder=decoder)
    words = ", ".join(
        f"{key} is {own} and on the float side {other}" for key, own, other in changed_entries(card, better)
    )
    return Hypothesis(better, f"the cards read the outputs in different ways: {words}", seen=True)
