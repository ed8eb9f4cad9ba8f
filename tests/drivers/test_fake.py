"""The fake: real work, and misbehaviour on demand."""

import time

import pytest

from harness.drivers.fake import FakeDevice, Fault
from harness.errors import DeviceError, DeviceLostError, DeviceTimeoutError


@pytest.fixture
def make():
    made = []

    def make(*faults):
        made.append(FakeDevice(faults=faults))
        return made[-1]

    yield make
    for device in made:
        device.close()


def test_it_is_lost_at_the_run_it_was_told_and_is_back_after_it(make):
    device = make(Fault("lost", "run", at=2))
    assert device.run(["true"], timeout_s=60).exit_code == 0
    with pytest.raises(DeviceLostError, match="went away"):
        device.run(["true"], timeout_s=60)
    assert device.run(["true"], timeout_s=60).exit_code == 0


def test_it_stays_lost_when_told_so(make):
    device = make(Fault("lost", "run", calls=0))
    for _ in range(3):
        with pytest.raises(DeviceLostError):
            device.run(["true"], timeout_s=60)


def test_each_action_has_its_own_trouble(make, tmp_path):
    (tmp_path / "x").write_text("x")
    device = make(Fault("no-space", "push"), Fault("refused", "pull"), Fault("lost", "describe"))
    with pytest.raises(DeviceError, match="no space left"):
        device.push([tmp_path / "x"])
    (remote,) = device.push([tmp_path / "x"])
    with pytest.raises(DeviceError, match="refuses to pull"):
        device.pull(remote, tmp_path / "y")
    with pytest.raises(DeviceLostError):
        device.describe()
    assert device.describe().kind == "fake"


def test_a_hanging_run_is_timed_out_and_a_hanging_push_gives_no_answer(make, tmp_path):
    (tmp_path / "x").write_text("x")
    device = make(Fault("hang"), Fault("hang", "push", seconds=0.1))
    assert device.run(["true"], timeout_s=0.2).timed_out
    with pytest.raises(DeviceTimeoutError):
        device.push([tmp_path / "x"])


def test_a_slow_device_does_it_all_the_same(make):
    begin = time.monotonic()
    assert make(Fault("slow", seconds=0.3)).run(["echo", "x"], timeout_s=60).stdout == "x\n"
    assert time.monotonic() - begin >= 0.3


def test_its_folder_is_gone_when_it_is_closed_unless_it_is_the_user_s(tmp_path):
    temporary, own = FakeDevice(), FakeDevice(folder=tmp_path)
    for device in (temporary, own):
        device.close()
        device.close()
    assert not temporary.folder.exists()
    assert tmp_path.exists()
