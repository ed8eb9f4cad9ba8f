"""Sound detectors, broken in known ways: the diagnosis has to name what was done to them."""

import pytest

from tests.support.examining import examined
from tests.support.faults import library
from tests.support.faults.workshop import Fault

IMAGES = 40
"""Few, so that the tests are quick; `tests/benchmarks/bench_faults.py` takes all."""
SUBTLE = frozenset({"letterboxed"})
"""Faults that cost 0.02 mAP: only all images prove that anything is lost."""
QUICK_SHARED = ("ssd_labels", "ssd_order", "ssd_nms", "ssd_integer_outputs")

found: dict[str, int | None] = {}
made: dict[str, Fault] = {}


def broken(name, workshop) -> Fault:
    """Make what a fault breaks, once: it is quantized anew."""
    if name not in made:
        made[name] = library.BUNDLED[name](workshop)
    return made[name]


@pytest.mark.parametrize("name", library.BUNDLED)
def test_the_true_cause_is_among_the_first_three(workshop, scenes, name):
    fault = broken(name, workshop)
    result = examined(fault, None if name in SUBTLE else IMAGES, layer_images=12, scenes=scenes)
    found[name] = result.rank
    named = [finding.cause for finding in result.diagnosis.findings]
    if name == "threads_lose_classes" and not named:
        pytest.skip("this runtime's regular NMS gives the same on two threads")
    assert not result.diagnosis.untested
    assert result.rank is not None and result.rank <= 3, named
    assert set(fault.all_causes) <= set(named)


def test_the_true_cause_is_the_first_in_nine_of_ten(workshop):
    if len(found) < len(library.BUNDLED):
        pytest.skip("only some of the faults were examined in this run")
    first = sum(rank == 1 for rank in found.values())
    assert first >= 0.9 * len(found), found


def test_what_is_named_first_is_measured_and_its_gain_is_what_was_lost(workshop, scenes):
    result = examined(broken("one_detection", workshop), IMAGES, scenes=scenes)
    loss, gain = result.diagnosis.evidence.loss.difference, result.diagnosis.findings[0].gain
    assert gain.difference == pytest.approx(-loss.difference, abs=0.01)
    assert gain.low > 0
    assert result.diagnosis.findings[0].confidence == "certain"


@pytest.mark.parametrize("name", library.HEALTHY)
def test_on_a_healthy_pair_nothing_is_claimed(workshop, scenes, name):
    result = examined(library.HEALTHY[name](workshop), IMAGES, scenes=scenes)
    claimed = [finding for finding in result.diagnosis.findings if finding.confidence != "possible"]
    assert not claimed


@pytest.mark.shared_data
@pytest.mark.parametrize("name", QUICK_SHARED)
def test_the_cause_is_found_in_a_real_model(workshop, scenes, shared_data, name):
    result = examined(library.SHARED[name](workshop), 25, scenes=scenes)
    assert result.rank == 1, [finding.cause for finding in result.diagnosis.findings]


def test_the_library_knows_nothing_of_the_diagnosis(repository):
    for file in (repository / "tests" / "support" / "faults").rglob("*.py"):
        assert "harness.diagnosis" not in file.read_text(encoding="utf-8"), file.name


def test_it_breaks_detectors_in_all_the_ways_that_a_cause_is_named_for(workshop):
    from harness.diagnosis.causes import CAUSES

    caused = {broken(name, workshop).causes[0] for name in library.BUNDLED}
    shared = {
        "channel-order",
        "decoder-settings",
    }  # drawn shapes have colours of every kind: only photographs tell red from blue; boxes of one format
    assert caused | shared == set(CAUSES)
    assert len(caused) >= 14
