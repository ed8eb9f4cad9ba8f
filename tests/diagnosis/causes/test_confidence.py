"""From a measured gain to a confidence, and from findings to an order; figures by hand."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from harness.accuracy.bootstrap import PairedDifference
from harness.diagnosis.causes.confidence import UNSEEN, allows_guesses, gain_text, grade_cause, share_of_loss
from harness.diagnosis.causes.ranking import explains, rank, without_lesser_guesses, worth
from harness.diagnosis.findings import Finding, Remedy


def difference(first, second, low, high):
    return PairedDifference(first, second, second - first, low, high, 0.01, 50)


def lost(first, second, low, high):
    """Evidence of a loss; None for no float side."""
    return SimpleNamespace(loss=SimpleNamespace(difference=difference(first, second, low, high)))


ALONE = SimpleNamespace(loss=SimpleNamespace(difference=None))
HALF = lost(0.6, 0.3, -0.35, -0.25)


@pytest.mark.parametrize(
    ("gain", "seen", "evidence", "confidence"),
    [
        (difference(0.3, 0.5, 0.15, 0.25), True, HALF, "certain"),  # 0.2 of a loss of 0.3
        (difference(0.3, 0.4, 0.05, 0.15), True, HALF, "likely"),  # a third of it
        (difference(0.3, 0.31, -0.01, 0.03), True, HALF, "possible"),
        (difference(0.3, 0.303, 0.001, 0.005), True, HALF, "possible"),  # beyond chance, but 0.003 only
        (difference(0.3, 0.3, -0.01, 0.01), True, HALF, None),  # brings nothing
        (difference(0.3, 0.2, -0.2, -0.05), True, HALF, None),
        (difference(0.3, 0.5, 0.15, 0.25), False, HALF, "likely"),
        (difference(0.3, 0.32, 0.01, 0.03), False, HALF, None),  # a tenth of 0.3 is 0.03
        (difference(0.3, 0.5, 0.15, 0.25), True, ALONE, "likely"),  # no loss to account for
    ],
)
def test_the_rule_of_confidence(gain, seen, evidence, confidence):
    grade = grade_cause(gain, evidence, seen)
    assert (grade and grade.confidence) == confidence


def test_the_share_of_a_loss_is_at_most_all_of_it():
    assert share_of_loss(0.15, HALF) == pytest.approx(0.5)
    assert share_of_loss(0.4, HALF) == 1.0
    assert share_of_loss(0.4, lost(0.6, 0.59, -0.02, 0.001)) is None
    assert share_of_loss(0.4, ALONE) is None


def test_guesses_are_tried_only_where_they_could_win_enough_back():
    assert allows_guesses(ALONE)
    assert allows_guesses(HALF)
    assert not allows_guesses(lost(0.60, 0.58, -0.03, -0.01))  # a guess would have to win 0.058
    assert not allows_guesses(lost(0.60, 0.40, -0.41, 0.01))  # not beyond chance


def test_a_gain_in_words():
    assert gain_text(difference(0.1, 0.3, 0.15, 0.25)) == "mAP 0.100 → 0.300 (+0.200, 95 % +0.150…+0.250)"
    assert gain_text(PairedDifference(None, None, None, None, None, None, 1)) == "mAP not to be told"


def finding(cause, confidence, gain, effort):
    measured = None if gain is None else difference(0.3, 0.3 + gain, gain - 0.01, gain + 0.01)
    return Finding(cause, confidence, "", "", (), measured, effort, Remedy(""))


def test_the_order_is_that_of_gain_per_effort():
    found = [
        finding("retraining", "certain", 0.20, "retrain"),  # 0.20 / 10 = 0.020
        finding("quantizing", "certain", 0.20, "requantize"),  # 0.20 / 2 = 0.100
        finding("card", "certain", 0.12, "setting"),  # 0.120
        finding("unproven", "possible", 0.05, "setting"),  # 0.05 x 0.5 = 0.025
        finding("small", "likely", 0.01, "requantize"),  # 0.01 x 0.8 / 2 = 0.004
        finding("unmeasured", "likely", None, "setting"),
        finding("guess", "possible", None, "setting"),
    ]
    order = ["card", "quantizing", "unproven", "retraining", "small", "unmeasured", "guess"]
    assert [one.cause for one in rank(found[::-1])] == order
    assert worth(found[1]) == pytest.approx(0.1)
    assert worth(found[5]) == 0


@pytest.mark.parametrize(
    ("gain", "confidence", "evidence", "explained"),
    [
        (difference(0.3, 0.4, 0.05, 0.15), "likely", HALF, True),
        (difference(0.3, 0.304, 0.001, 0.007), "possible", HALF, False),  # below half a point
        (difference(0.3, 0.312, 0.001, 0.02), "likely", HALF, False),  # below a twentieth of 0.3
        (
            difference(0.59, 0.6, -0.01, 0.03),
            "possible",
            lost(0.6, 0.59, -0.03, 0.01),
            False,
        ),  # no loss is proven
        (
            difference(0.3, 0.301, 0.0, 0.01),
            "possible",
            ALONE,
            True,
        ),  # no float model: nothing to compare with
        (None, "possible", HALF, True),  # not measured
    ],
)
def test_what_explains_hardly_anything_of_the_loss_is_told_apart(gain, confidence, evidence, explained):
    found = Finding("scale", confidence, "", "", (), gain, "requantize", Remedy(""))
    assert explains(found, evidence) is explained


def test_a_guess_is_left_out_beside_a_certain_cause_that_wins_more():
    certain = finding("class-order", "certain", 0.5, "requantize")
    guess = replace(finding("label-offset", "likely", 0.1, "setting"), rule=f"…; {UNSEEN}")
    better = replace(guess, gain=difference(0.1, 0.9, 0.7, 0.9))
    seen = finding("input-stats", "likely", 0.1, "edit")
    assert without_lesser_guesses([guess, certain, seen]) == [certain, seen]
    assert without_lesser_guesses([better, certain]) == [better, certain]
    assert without_lesser_guesses([guess, seen]) == [guess, seen]
