"""Tell causes apart from the same loss seen from another side: each is measured on top of the others' correction.

Of two causes that explain the same loss, the one is kept that says more exactly what was done: a permutation, a number
of bits or a contradiction in the file before others, and fewer changes before more. The other one is only `possible`
then. So are ranges behind layers with wrong constants: they were calibrated with these, and follow from them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from harness.accuracy.bootstrap import PairedDifference
from harness.cards import ModelCard
from harness.diagnosis.causes.confidence import LEAST_GAIN, UNSEEN
from harness.diagnosis.causes.put_back import corrected
from harness.diagnosis.evidence import Evidence
from harness.diagnosis.findings import Correction, Finding
from harness.errors import HarnessError

EXACT = frozenset({"stored-scale", "input-stats", "class-order", "few-bits", "operator-options", "anchors"})
"""Causes that are seen in the files exactly: a factor, a permutation, a number of bits."""
OF_RANGES = frozenset({"clipped-range", "activation-outliers", "representative-data"})
"""Causes that other ranges mend, whatever made them."""


def tell_apart(evidence: Evidence, ranked: Sequence[Finding]) -> tuple[list[Finding], list[Finding]]:
    """Return the findings that stand beside each other, and those that show the same loss as one of them.

    Args:
        evidence: The measurements.
        ranked: All findings, the one to look at first in front.
    """
    claims = [one for one in ranked if one.confidence != "possible" and one.correction is not None]
    if len(claims) < 2 or not evidence.pair.quantized.place.in_process:
        return list(ranked), []
    first = _first(evidence, claims)
    kept, same = [first], []
    for claim in claims:
        rule = "" if claim is first else _relation(evidence, kept, claim)
        if rule:
            same.append(_as_seen(claim, rule))
        elif claim is not first:
            kept.append(claim)
    causes = {one.cause for one in same}
    return [one for one in ranked if one.cause not in causes], same


def _first(evidence: Evidence, claims: Sequence[Finding]) -> Finding:
    """Return the strongest claim, or one that says more exactly what was done and leaves it nothing to add."""
    strongest = claims[0]
    for rival in sorted(claims[1:], key=_exactness):
        if _exactness(rival) < _exactness(strongest):
            further = _further(evidence, [rival], strongest)
            if further is not None and not _adds(further):
                return rival
    return strongest


def _exactness(finding: Finding) -> tuple[bool, bool, int]:
    size = 0 if finding.correction is None else finding.correction.size
    return finding.rule.endswith(UNSEEN), finding.cause not in EXACT, size


def _further(evidence: Evidence, done: Sequence[Finding], claim: Finding) -> PairedDifference | None:
    """Return what a claim's correction brings on top of others; None where it cannot be measured."""
    before = Correction()
    own = evidence.pair.quantized.card
    for one in done:
        before = joined(own, before, one.correction)
    try:
        first = corrected(evidence, before)
        return evidence.runs.compare(first, corrected(evidence, joined(own, before, claim.correction)))
    except HarnessError:
        return None


def _adds(further: PairedDifference) -> bool:
    return (further.difference or 0.0) >= LEAST_GAIN and (further.low is None or further.low > 0)


def joined(own: ModelCard, first: Correction, second: Correction | None) -> Correction:
    """Return both corrections; where both change the same, the first one's."""
    if second is None:
        return first
    options = {
        place: {**second.options.get(place, {}), **first.options.get(place, {})}
        for place in {*first.options, *second.options}
    }
    return Correction(
        _joined_cards(own, first.card, second.card),
        {**second.constants, **first.constants},
        {**second.activations, **first.activations},
        options,
    )


def _joined_cards(own: ModelCard, first: ModelCard | None, second: ModelCard | None) -> ModelCard | None:
    """Return the first card with those tables of the second that only the second changes."""
    if first is None or second is None:
        return first or second
    from msgspec.structs import replace as with_tables

    tables = {
        name: getattr(second, name)
        for name in ("input", "decoder", "labels")
        if getattr(first, name) == getattr(own, name)
    }
    return with_tables(first, **tables)


def _relation(evidence: Evidence, kept: Sequence[Finding], claim: Finding) -> str:
    """Return in words why a claim is no cause of its own beside others; empty where it is one."""
    own, source = _without_consequences(evidence, kept, claim)
    if source and not own.size:
        return f"it follows from {source}: these ranges were calibrated behind it"
    further = _further(evidence, kept, replace(claim, correction=own))
    if further is None or _adds(further):
        return ""
    if source:
        return f"it follows from {source}: where ranges were not calibrated behind that, they cost nothing"
    brings = "" if further.difference is None else f" ({further.difference:+.3f})"
    return f"it is the loss of {kept[0].cause} seen from another side: on top of that it adds nothing{brings}"


def _without_consequences(
    evidence: Evidence, kept: Sequence[Finding], claim: Finding
) -> tuple[Correction, str]:
    """Return a claim's correction without ranges behind constants that others put right, and which cause does."""
    correction, source = claim.correction or Correction(), ""
    if claim.cause not in OF_RANGES:
        return correction, source
    for one in kept:
        changed = None if one.cause in OF_RANGES else one.correction
        behind = set() if changed is None else _behind(evidence, set(changed.constants))
        left = {tensor: how for tensor, how in correction.activations.items() if tensor not in behind}
        if len(left) < len(correction.activations):
            source = source or one.cause
            constants = correction.constants if left else {}
            correction = replace(correction, activations=left, constants=constants)
    return correction, source


def _behind(evidence: Evidence, tensors: set[int]) -> set[int]:
    """Return the tensors that are computed from some."""
    found = set(tensors)
    for operator in evidence.pair.quantized.graph.primary.operators:
        if found.intersection(operator.inputs):
            found.update(operator.outputs)
    return found


def _as_seen(claim: Finding, rule: str) -> Finding:
    return replace(claim, confidence="possible", rule=rule, sentence=f"{claim.sentence}; {rule}")
