"""The power of a phone by its fuel gauge: with its resolution and an interval, and empty where it cannot be told."""

import random

import pytest

from harness.records.records import ProcessFacts
from harness.records.telemetry import PowerSample, Telemetry
from harness.rows.energy import power_of
from harness.vocabulary import Status


def processes(samples, n=2):
    size = -(-len(samples) // n)
    parts = [samples[i : i + size] for i in range(0, len(samples), size)]
    return [
        ProcessFacts(index=i, started_at="", status=Status.OK, telemetry=Telemetry(power=tuple(part)))
        for i, part in enumerate(parts)
    ]


def sample(at, **said):
    return PowerSample(**{"at_s": float(at), "discharging": True, "voltage_uv": 4_000_000, **said})


def counted(seconds, ampere, step_uah):
    """Samples of every second of a gauge that counts in steps."""
    drawn = [at * ampere * 1e6 / 3600 for at in range(seconds)]
    return [sample(at, charge_uah=3_000_000 - int(q // step_uah) * step_uah) for at, q in enumerate(drawn)]


@pytest.mark.parametrize(("seconds", "step"), [(600, 1000), (1800, 5000)])
def test_the_charge_counter_gives_the_power_within_a_step(seconds, step):
    power = power_of(processes(counted(seconds, 0.8, step)))
    assert power.low <= 3.2 <= power.high and power.watt == pytest.approx(3.2, rel=0.05)
    assert power.basis == f"charge counter, steps of {step // 1000} mAh" and power.seconds > seconds / 2


def test_a_counter_that_took_too_few_steps_says_nothing_and_what_would_help():
    power = power_of(processes(counted(60, 0.8, 5000)))
    assert (power.watt, power.low, power.high) == (None, None, None)
    assert "too coarse for 59 s: 2 steps of the charge counter, wanted 6: raise --sustained" in power.basis


def test_the_current_stands_for_it_with_the_interval_of_its_updates_not_of_our_samples():
    chance = random.Random(0)
    every_ten = [round(chance.gauss(-800_000, 50_000)) for _ in range(60)]
    power = power_of(processes([sample(at, current_ua=every_ten[at // 10]) for at in range(600)]))
    assert power.low < 3.2 < power.high and power.high - power.low == pytest.approx(0.1, rel=0.4)
    assert power.basis.startswith("current, 60 updates, one every 10.")


@pytest.mark.parametrize(
    "currents",
    [
        [-800 - i for i in range(60)],  # mA, which nothing says
        [(-1) ** i * 800_000 for i in range(60)],  # both signs: it was charged in between, or swings about 0
        [-800_000] * 60,  # one update
    ],
)
def test_a_current_that_cannot_be_read_is_no_power(currents):
    power = power_of(processes([sample(at, current_ua=value) for at, value in enumerate(currents)]))
    assert power.watt is None and power.basis


def test_a_phone_that_was_charged_for_a_moment_has_no_power():
    samples = counted(600, 0.8, 1000)
    samples[300] = sample(300, discharging=False)
    power = power_of(processes(samples))
    assert power.watt is None and "adb tcpip 5555" in power.basis


def test_without_samples_there_is_nothing_and_without_voltage_a_reason():
    assert power_of(processes([sample(0)])[:0]) is None
    assert "no voltage" in power_of(processes([sample(0, voltage_uv=None, charge_uah=5)])).basis
