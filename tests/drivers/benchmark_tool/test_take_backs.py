"""A line that takes back, wherever it is put into a log: nothing is claimed by what stands before it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.delegates import KINDS, parse_delegate
from harness.drivers.benchmark_tool.parse import parse
from harness.drivers.benchmark_tool.truth import judge
from harness.vocabulary import MEASURED
from tests.support.take_backs import CLAIMS, PREFIXES, TAKE_BACKS, anywhere, false_claim, insert, known_logs

LOGS = known_logs()


def test_every_delegate_that_can_be_claimed_has_a_log():
    assert {parse_delegate(text).kind for text in CLAIMS} == set(KINDS) - {"cpu-reference"}


@pytest.mark.parametrize("log", LOGS[: len(CLAIMS)], ids=lambda log: log[0])
def test_each_of_these_logs_claims_its_delegate(log):
    delegate, out, err = log
    truth = judge(parse_delegate(delegate), parse("\n".join(out), "\n".join(err), 0))
    assert truth.actual == parse_delegate(delegate).traits.runs_as
    assert truth.status in MEASURED


@pytest.mark.parametrize("line", TAKE_BACKS)
@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("log", LOGS[: len(CLAIMS)], ids=lambda log: log[0])
def test_nothing_is_claimed_behind_the_last_claim(log, prefix, line):
    delegate, out, err = log
    for at in range(len(out), len(out) + len(err) + 1):
        assert false_claim(delegate, *insert(out, err, [(at, prefix + line)])) is None


@given(st.randoms(use_true_random=False), st.integers(0, len(LOGS) - 1))
def test_nothing_is_claimed_by_what_was_taken_back(chance, number):
    assert false_claim(*anywhere(chance, LOGS[number])) is None
