"""A device that went away is waited for, and the task that was cut short is carried out once more."""

import threading
import time
from types import SimpleNamespace

import pytest

from harness.bench.device_wait import DeviceWait
from harness.drivers.base import DeviceInfo
from harness.errors import DeviceError, DeviceLostError, DeviceTimeoutError, MeasurementError
from tests.support.observers import Recorder

LOST = DeviceLostError("phone", "the connection was closed")
TASK = SimpleNamespace(
    kind="latency",
    repetition=0,
    cell=SimpleNamespace(device="phone", delegate="cpu:1", model=SimpleNamespace(name="m")),
)
INFO = DeviceInfo("phone", "adb", facts={"serial": "R5"})


class Phone:
    """A device that answers again at its n-th description."""

    def __init__(self, back_at=1, serial="R5"):
        self.back_at, self.serial, self.looked = back_at, serial, 0

    def describe(self):
        self.looked += 1
        if self.looked < self.back_at:
            raise LOST
        return DeviceInfo("phone", "adb", facts={"serial": self.serial})


class Attempts:
    """What is measured: raises what it is given, one after the other, then gives a result."""

    def __init__(self, *errors):
        self.errors, self.n = list(errors), 0

    def __call__(self):
        self.n += 1
        if self.errors:
            raise self.errors.pop(0)
        return "measured"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr("harness.bench.device_wait.POLL_S", 0.02)


def test_what_goes_well_is_not_remarked_on():
    phone, attempts = Phone(), Attempts()
    assert DeviceWait(phone, INFO, 60).attempt(TASK, attempts, Recorder()) == ("measured", "")
    assert (attempts.n, phone.looked) == (1, 0)


@pytest.mark.parametrize("error", [LOST, DeviceTimeoutError("phone", "does not answer")])
def test_a_task_is_carried_out_once_more_when_the_device_is_back(error):
    recorder, attempts = Recorder(), Attempts(error)
    found, remark = DeviceWait(Phone(back_at=3), INFO, 60).attempt(TASK, attempts, recorder)
    assert (found, attempts.n) == ("measured", 2)
    assert remark.startswith(str(error)) and "a new attempt" in remark
    assert {limit for _, _, limit in recorder.waits} == {60}


@pytest.mark.parametrize(
    "error", [MeasurementError("crashed"), DeviceError("phone", "no space"), OSError("disk")]
)
def test_any_other_failure_is_the_task_s_own(error):
    phone, attempts = Phone(), Attempts(error)
    with pytest.raises(type(error)):
        DeviceWait(phone, INFO, 60).attempt(TASK, attempts, Recorder())
    assert (attempts.n, phone.looked) == (1, 0)


def test_a_device_that_goes_away_again_is_reconnected_once_a_task():
    attempts = Attempts(LOST, LOST, LOST)
    patience = DeviceWait(Phone(), INFO, 60)
    with pytest.raises(DeviceLostError):
        patience.attempt(TASK, attempts, Recorder())
    assert attempts.n == 2
    assert patience.attempt(TASK, attempts, Recorder())[0] == "measured"


def test_a_device_that_never_comes_back_is_waited_for_once_and_not_for_every_task():
    phone, recorder, attempts = Phone(back_at=10**9), Recorder(), Attempts(LOST, LOST, LOST)
    patience = DeviceWait(phone, INFO, 0.2)
    begin = time.monotonic()
    for _ in range(3):
        with pytest.raises(DeviceLostError):
            patience.attempt(TASK, attempts, recorder)
    assert time.monotonic() - begin >= 0.2
    waited = [seconds for _, seconds, _ in recorder.waits]
    assert waited == sorted(waited) and waited[-1] <= 0.2, "one wait, and not longer than it may be"
    assert patience.attempt(TASK, Attempts(), recorder) == ("measured", "")
    phone.back_at = 0
    assert patience.attempt(TASK, Attempts(LOST), recorder)[0] == "measured", "it has answered meanwhile"


def test_another_phone_at_the_same_address_is_not_the_one():
    with pytest.raises(DeviceLostError):
        DeviceWait(Phone(serial="OTHER"), INFO, 0.1).attempt(TASK, Attempts(LOST), Recorder())


@pytest.mark.parametrize(("kind", "seconds"), [("adb", 0), ("local", 60), ("fake", 60)])
def test_nobody_waits_for_no_time_or_for_what_is_always_there(kind, seconds):
    recorder = Recorder()
    with pytest.raises(DeviceLostError):
        DeviceWait(Phone(), DeviceInfo("x", kind), seconds).attempt(TASK, Attempts(LOST), recorder)
    assert not recorder.waits


def test_the_end_of_a_run_ends_the_waiting():
    stop = threading.Event()
    patience = DeviceWait(Phone(back_at=10**9), INFO, 600, stop)
    threading.Timer(0.1, stop.set).start()
    with pytest.raises(DeviceLostError):
        patience.attempt(TASK, Attempts(LOST), Recorder())
