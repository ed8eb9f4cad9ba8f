"""Verdicts come with the numbers and the next step."""

import msgspec
import numpy as np
import pytest
from msgspec.structs import replace

from harness.records.records import (
    FORMAT,
    DelegateFacts,
    DeviceFacts,
    ModelFacts,
    ProcessFacts,
    Record,
    SummaryFacts,
)
from harness.records.telemetry import MachineState, Telemetry
from harness.rows.process_summaries import summarize_processes
from harness.rows.verdict import disturbances, judge
from harness.statistics.latency import summarize


@pytest.fixture
def record(ok_process):
    return Record(
        format=FORMAT,
        run_id="r",
        cell="c",
        complete=True,
        started_at="2026-11-21T00:00:00Z",
        model=ModelFacts(name="m", sha256="0" * 64, size_bytes=1, quantization="float32", card={}),
        device=DeviceFacts(name="local", kind="local"),
        delegate=DelegateFacts(requested="cpu:1", actual="xnnpack"),
        status="ok",
        settings={"repetitions": 5, "min_seconds": 1.0},
        processes=tuple(ok_process(index, samples=f"process-{index}.npy") for index in range(5)),
    )


def summary(spread=0.001, n_processes=5, seed=1):
    chance = np.random.default_rng(seed)
    levels = 1e6 * (1 + spread * chance.standard_normal(n_processes))
    return summarize([(level * (1 + 0.01 * chance.standard_normal(40))).astype(np.int64) for level in levels])


def with_telemetry(record, **facts):
    telemetry = msgspec.convert(facts, Telemetry)
    return replace(record, processes=tuple(replace(p, telemetry=telemetry) for p in record.processes))


def test_steady_processes_that_agree_are_trusted(record):
    assert judge(record, summary()).verdict == "trusted"


def test_processes_that_become_slower_over_the_rounds_are_noisy_and_disturb_a_comparison(record):
    warming = summarize([np.full(60, 1_000_000 + 8_000 * k) for k in range(8)])
    found = judge(record, warming)
    assert found.verdict == "noisy"
    assert any("processes changed by +" in reason and "--sustained" in reason for reason in found.reasons)
    assert [verdict for verdict, _ in disturbances(record, warming)] == ["noisy"]
    assert not disturbances(record, summary(n_processes=8))


@pytest.mark.parametrize("status", ["failed", "fallback", "skipped", "timeout"])
def test_a_row_without_figures_has_no_verdict(record, status):
    assert judge(replace(record, status=status), None).verdict is None


def test_an_unproven_delegate_is_unverified_and_quotes_the_evidence(record):
    unknown = DelegateFacts(requested="cpu:1", actual="unknown", evidence=("no node list",))
    judgment = judge(replace(record, delegate=unknown), summary())
    assert judgment.verdict == "unverified" and "no node list" in judgment.reasons[0]


def test_a_wide_interval_is_noisy_and_gives_the_number(record):
    judgment = judge(record, summary(spread=0.2))
    assert (
        judgment.verdict == "noisy" and "±" in judgment.reasons[0] and "--repetitions" in judgment.reasons[0]
    )


def test_a_remedy_that_is_already_in_use_is_not_given_again(record):
    busy = replace(record, settings={"repetitions": 20, "min_seconds": 1.0})
    reasons = " ".join(judge(busy, summary(spread=0.2)).reasons)
    assert "raise --repetitions" not in reasons and "20 processes were used already" in reasons


def test_fewer_than_three_processes_are_too_few(record):
    judgment = judge(replace(record, processes=record.processes[:2]), summary(n_processes=2))
    assert judgment.verdict == "too-few-samples"


def test_a_process_that_never_settled_is_named(record):
    processes = list(record.processes)
    processes[1] = replace(processes[1], steady_from=None)
    judgment = judge(replace(record, processes=tuple(processes)), summary(n_processes=4))
    assert judgment.verdict == "noisy" and "process 2 of 5 never settled" in judgment.reasons[0]


def test_a_slow_cpu_probe_is_throttling(record):
    hot = with_telemetry(record, after={"probe_ns": 1_300_000}, fastest_probe_ns=1_000_000)
    judgment = judge(hot, summary())
    assert judgment.verdict == "throttled" and "1.30×" in judgment.reasons[0]


def test_a_probe_within_ten_percent_is_not_throttling(record):
    warm = with_telemetry(record, after={"probe_ns": 1_090_000}, fastest_probe_ns=1_000_000)
    assert judge(warm, summary()).verdict == "trusted"


def test_a_falling_clock_is_throttling(record):
    slow = with_telemetry(record, before={"mhz": 2000.0}, after={"mhz": 1500.0})
    judgment = judge(slow, summary())
    assert judgment.verdict == "throttled" and "25%" in judgment.reasons[0]


def test_load_of_other_programs_is_named_in_cores(record):
    judgment = judge(with_telemetry(record, other_load=0.7), summary())
    assert judgment.verdict == "noisy" and "0.7 CPU cores" in judgment.reasons[0]


def test_a_governor_other_than_performance_and_a_battery_are_told(record):
    reasons = " ".join(
        judge(with_telemetry(record, governor="powersave", on_battery=True), summary()).reasons
    )
    assert "powersave" in reasons and "battery" in reasons
    assert judge(with_telemetry(record, governor="performance"), summary()).verdict == "trusted"


def test_mlperf_with_too_few_queries_says_how_many_are_needed(record):
    from harness.statistics.mlperf import minimum_queries

    few = summarize([np.full(20, 1_000_000, np.int64)])
    from dataclasses import replace as with_fields

    few = with_fields(few, p90_ms=None, runs_needed={"p90": minimum_queries(0.9, 1)})
    one = replace(record, processes=record.processes[:1], settings={"mlperf": True})
    judgment = judge(one, few)
    assert judgment.verdict == "too-few-samples" and "64 queries" in judgment.reasons[0]


def test_many_outliers_are_noisy_and_counted(record):
    """By hand: 15 of 100 samples lie 20 % above the others, whose spread is 1 %; the p90 is then 1.2 × the median."""
    chance = np.random.default_rng(2)
    processes = []
    for _ in range(5):
        durations = 1e6 * (1 + 0.01 * chance.standard_normal(100))
        durations[::7] = 1.2e6
        processes.append(durations.astype(np.int64))
    judgment = judge(record, summarize(processes))
    assert judgment.verdict == "noisy" and "15% of the inferences are outliers" in judgment.reasons[0]


def test_a_quantile_that_is_not_given_says_how_many_inferences_it_needs(record):
    """1 - 0.95^n >= 0.975 from n = 72 on, by hand: ln 0.025 / ln 0.95 = 71.9."""
    few = summarize([np.full(10, 1_000_000 + k, np.int64) for k in range(5)])
    judgment = judge(record, few)
    assert judgment.verdict == "trusted" and few.p95_ms is None
    assert "too few inferences (50)" in judgment.reasons[0] and "p95 72" in judgment.reasons[0]


def test_a_lit_screen_and_charging_while_warm_are_told(record):
    phone = replace(
        record.device, facts={"screen_on": "yes", "charging": "yes", "battery_temperature_c": 38.5}
    )
    reasons = " ".join(judge(replace(record, device=phone), summary()).reasons)
    assert "screen was on" in reasons and "38.5 °C" in reasons


def with_flags(record, *states):
    telemetry = [
        Telemetry(before=MachineState(firmware_flags=b), after=MachineState(firmware_flags=a))
        for b, a in states
    ]
    processes = zip(record.processes, telemetry, strict=False)
    return replace(record, processes=tuple(replace(p, telemetry=t) for p, t in processes))


@pytest.mark.parametrize(
    ("states", "verdict", "words"),
    [
        # vcgencmd get_throttled: bits 0-3 now, 16-19 at any time since the start
        ([(0, 0)] * 5, "trusted", ""),
        ([(0, 0)] * 4 + [(0, 0x4)], "throttled", "it was throttled: cool it better"),
        (
            [(0x50005, 0x50000)] * 5,
            "throttled",
            "its voltage was too low, it was throttled: use the power supply",
        ),
        ([(0, 0x80000)] * 5, "throttled", "its soft temperature limit was reached: cool it better"),
        ([(0x10000, 0x10000)] * 5, "noisy", "at some time since it was started: use the power supply"),
        ([(0x80000, 0x80000)] * 5, "trusted", ""),
    ],
)
def test_what_a_board_s_firmware_says_of_its_clock_counts_for_the_measurement_it_was_during(
    record, states, verdict, words
):
    judgment = judge(with_flags(record, *states), summary())
    assert judgment.verdict == verdict
    assert any(words in reason for reason in judgment.reasons) or not words


def test_firmware_that_says_nothing_is_no_finding(record):
    assert judge(with_telemetry(record, before={}, after={}), summary()).verdict == "trusted"
    assert judge(with_telemetry(record), summary()).verdict == "trusted"


def test_what_switching_models_costs_is_told_beside_the_verdict_and_does_not_change_it(record):
    """Five processes of 9, 10 and 11 ms each: median 10 ms of 15; the steady inferences take 1 ms."""
    switched = {"model": "other", "durations_ns": [9_000_000, 10_000_000, 11_000_000]}
    judgment = judge(with_telemetry(record, after_other_model=switched), summary())
    assert judgment.verdict == "trusted"
    assert any("right after other an inference takes 10.0 ms (median of 15)" in r for r in judgment.reasons)
    assert not any("right after" in reason for reason in judge(record, summary()).reasons)


def loaded(record, medians_ms, sustained=60.0, **ends):
    """A record of a load in bursts, each of 5 s; `ends` are the machine before the first and after the last."""
    processes = [
        ProcessFacts(
            index=at,
            started_at=f"2026-11-28T09:{at * 5 // 60:02}:{at * 5 % 60:02}.000Z",
            status="ok",
            duration_s=5.0,
            summary=SummaryFacts(count=9, mean_ns=1, median_ns=round(median * 1e6)),
        )
        for at, median in enumerate(medians_ms)
    ]
    processes[0] = replace(processes[0], telemetry=Telemetry(before=ends.get("before")))
    processes[-1] = replace(processes[-1], telemetry=Telemetry(after=ends.get("after")))
    return replace(record, processes=tuple(processes), settings={"sustained": sustained})


def test_a_phone_that_slows_down_under_load_is_throttled_with_both_ends(record):
    cool, hot = MachineState(mhz=2800, celsius=31), MachineState(mhz=1700, celsius=44)
    slower = loaded(record, [10.0] * 12 + [10.0 + k for k in range(12)], before=cool, after=hot)
    judgment = judge(slower, summarize_processes([p.summary for p in slower.processes]))
    assert judgment.verdict == "throttled"
    text = judgment.reasons[0]
    for part in (
        "from 10.0 ms in the first 30 s to 18.5 ms",
        "began to change",
        "31 → 44 °C",
        "2,800 → 1,700 MHz",
    ):
        assert part in text
    assert "24 processes back to back" in judgment.reasons[-1]


def test_a_load_that_lasts_is_trusted_and_still_said_to_be_of_processes(record):
    even = loaded(record, [10.0, 10.1] * 12)
    judgment = judge(even, summarize_processes([p.summary for p in even.processes]))
    assert judgment.verdict == "trusted"
    assert ["24 processes back to back" in reason for reason in judgment.reasons] == [True]


@pytest.mark.parametrize(("seconds", "said"), [(5.0, True), (60.0, False), (90.0, False)])
def test_less_time_than_mlperf_wants_is_said(record, seconds, said):
    settings = {"mlperf": True, "min_seconds": seconds}
    reasons = judge(replace(record, settings=settings), summary()).reasons
    assert any("MLPerf's rule wants at least 60 s, and 5 s were asked for" in r for r in reasons) == said
