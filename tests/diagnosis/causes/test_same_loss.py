"""One loss is one cause: what adds nothing on top of another one's correction is only seen as well."""

from harness.cards import load_card
from harness.diagnosis.causes.same_loss import joined
from harness.diagnosis.findings import Correction
from harness.diagnosis.runs.patched_file import Affine
from tests.support import fault_scores
from tests.support.faults import drawn


def test_one_fault_is_one_claim(workshop):
    """A scale that was changed afterwards makes biases wrong, and ranges too wide: neither is another fault."""
    broken = drawn.Drawer(workshop, ("example",)).draw("scale-off", 302, 0)
    found = fault_scores.score(broken, 15, 5)
    claimed = [name for name, confidence in found.named if confidence in fault_scores.CLAIMS]
    assert claimed == ["stored-scale"]


def test_corrections_are_put_together_and_the_first_ones_stay(workshop):
    from msgspec.structs import replace

    own = load_card(workshop.float_card).card
    first = replace(own, input=replace(own.input, channels="bgr"))
    second = replace(own, input=replace(own.input, resize="letterbox"), labels=replace(own.labels, offset=7))
    found = joined(
        own,
        Correction(card=first, activations={1: Affine(0.5, 0)}),
        Correction(card=second, activations={1: Affine(0.1, 0), 2: Affine(0.2, 3)}),
    )
    assert found.activations == {1: Affine(0.5, 0), 2: Affine(0.2, 3)}
    assert found.card.input == first.input
    assert found.card.labels == second.labels
    assert found.size == 3
