"""A host by itself: one step at a time on a device, the same step never twice, losses told as what they are."""

import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from harness.bench.engines import prepared
from harness.bench.engines.base import DatasetInference, ProfiledOperators, TimedProcess
from harness.drivers.fake import FakeDevice
from harness.drivers.local import LocalDevice
from harness.errors import DeviceLostError, MeasurementError, UnknownNameError, UsageError
from harness.farm.attached import AttachedDevice, DriverDeviceFinder, kinds_of, make_offer, slug
from harness.farm.cells import Catalog, images_for_timing, make_subject
from harness.farm.engine import FarmEngine
from harness.farm.host import Host
from harness.farm.names import find_devices
from harness.farm.shards import Shards
from harness.farm.wire import Envelope, HostDescription, Result, Step, Tools, decode, encode
from harness.profiles import Connection, DeviceProfile, Profile
from harness.records.records import DelegateFacts, OperatorTime, ProcessFacts
from harness.worker.results import OutputCheck
from harness.workspace import Workspace
from tests.support.npu import install_stand_in

CHIP = "emulator:qualcomm-SM8650"


class Scripted:
    """Attached fakes whose measurements do as they are told."""

    def __init__(self, names, act=lambda: None):
        self.names, self.act, self.n_measured, self.at_once, self.most = list(names), act, 0, 0, 0

    def find_attached(self, known, busy):
        return {name: known.get(name) or self.one(name) for name in self.names}

    def one(self, name):
        profile = Profile(DeviceProfile(name=name, connection=Connection(kind="fake")), Path("scripted.toml"))
        device = FakeDevice(name)
        info = device.describe()
        device.close()
        return AttachedDevice(make_offer(name, profile, info, "h"), profile)

    def open(self, attached):
        return FakeDevice(attached.offer.name)

    def engine(self, station, request):
        return self

    def time(self, cell, repetition, scratch):
        assert not list(scratch.iterdir())
        (scratch / "left behind").write_text("x")
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            self.act()
        finally:
            self.at_once -= 1
        self.n_measured += 1
        return TimedProcess(ProcessFacts(index=repetition, started_at="now", status="ok", runtime="r"))

    def infer(self, cell, scratch, on_progress):
        detections = scratch / "detections.json"
        detections.write_text("[]")
        delegate = DelegateFacts(requested=str(cell.delegate), actual="xnnpack")
        return DatasetInference(detections, len(cell.dataset.images), (), 1.0, delegate, "r")

    def operators(self, cell, scratch):
        return ProfiledOperators((OperatorTime(kind="ADD", name="a", delegated=False, time_ns=5),), "r", 3)

    def check(self, cell, scratch):
        return OutputCheck(wrong=("other detections",), remark="on 4 images")


@pytest.fixture
def cell(repository, tmp_path):
    from harness.bench.request import Request
    from harness.session import prepare
    from harness.settings import Settings

    request = Request(
        models=("shapes-float32",),
        delegates=("cpu:1",),
        workspace=str(repository),
        output=str(tmp_path / "results"),
        settings=Settings(repetitions=1),
    )
    return prepare(request).plan.cells[0]


@pytest.fixture
def make(cell, tmp_path):
    def make(names=("d",), act=lambda: None):
        finder = Scripted(names, act)
        host = Host("h", finder, tmp_path / "host")
        host.refresh()
        catalog = Catalog()

        def step(key, device="d", **changes):
            subject = make_subject(cell, catalog, images_for_timing(cell))
            return Step(
                **{"key": key, "run": "r", "device": device, "what": "time", "subject": subject, **changes}
            )

        for file in step("").files():
            host.contents.write(file, 0, catalog.paths[file.sha256].read_bytes())
        return host, finder, step

    return make


def perform(host, step):
    return decode(host.perform(encode(step)), Result)


def test_a_step_asked_again_is_answered_and_not_measured_again(make):
    host, finder, step = make()
    first, again = perform(host, step("k")), perform(host, step("k"))
    assert first == again and first.outcome == "done" and finder.n_measured == 1
    assert perform(host, step("k", done=("k",))).outcome == "done" and finder.n_measured == 2


class Here(Scripted):
    """This computer as a device; says whether a process that forks workers is there while it measures."""

    def open(self, attached):
        return LocalDevice(attached.offer.name)

    def time(self, cell, repetition, scratch):
        self.ready = prepared.Shared.workers is not None
        return super().time(cell, repetition, scratch)


class Computer(Here):
    """The same, under a profile that says so."""

    def one(self, name):
        data = DeviceProfile(name=name, connection=Connection(kind="local"))
        return replace(super().one(name), profile=Profile(data, Path("computer.toml")))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems start workers anew")
def test_a_host_has_workers_ready_for_this_computer_until_it_is_idle(make):
    host, _, step = make()
    # private: a host is given its finder when it is made, and this one measures on this computer
    host._finder = finder = Here(["d"])
    assert perform(host, step("k")).outcome == "done" and finder.ready
    host.close_idle()
    assert prepared.Shared.workers is None


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems start workers anew")
def test_a_host_that_serves_keeps_workers_ready_for_this_computer_from_run_to_run(make):
    host, _, step = make()
    host.get_ready()
    assert prepared.Shared.workers is None  # it offers fakes only
    # private: as above
    host._finder = Computer(["computer"])
    host.refresh()
    host.get_ready()
    first = prepared.Shared.workers
    assert psutil.Process(first.pid).children()  # a branch for accuracy
    assert perform(host, step("k", "computer")).outcome == "done"
    host.forget("r")
    assert prepared.Shared.workers is first is not None
    host.close()
    assert prepared.Shared.workers is None


class Straight:
    """A link to one host without a network between."""

    def __init__(self, host):
        self.host = host

    def perform(self, offer, key, payload, sources, patient):
        return decode(self.host.perform(payload), Result)


def test_a_device_of_a_farm_is_a_whole_engine_and_answers_what_its_host_measured(make, cell, tmp_path):
    host, attachments, _ = make()
    offer = decode(host.describe(), HostDescription).offers[0]
    shards = Shards(threading.Condition(), threading.Event())
    catalog = Catalog()
    engine = FarmEngine(Straight(host), offer, "r", catalog, Tools(), shards)
    for file in Step(key="", run="r", device="d", what="time", subject=all_of(cell, catalog)).files():
        host.contents.write(file, 0, catalog.paths[file.sha256].read_bytes())
    here = Scripted(["d"])
    assert engine.time(cell, 0, tmp_path).facts.runtime == "r" and attachments.n_measured == 1
    assert engine.operators(cell, tmp_path) == here.operators(cell, tmp_path)
    assert engine.check(cell, tmp_path) == here.check(cell, tmp_path)
    assert engine.infer(cell, tmp_path, lambda done, total: None).detections.read_text() == "[]\n"


def all_of(cell, catalog):
    return make_subject(cell, catalog, cell.dataset.images)


def test_a_step_that_is_under_way_is_waited_for(make):
    host, finder, step = make(act=lambda: time.sleep(0.3))
    results = []
    threads = [threading.Thread(target=lambda: results.append(perform(host, step("k")))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert finder.n_measured == 1 and len(results) == 4 and len({r.outcome for r in results}) == 1


def test_one_step_at_a_time_on_a_device_and_several_devices_at_once(make):
    host, finder, step = make(act=lambda: time.sleep(0.1))
    _at_once([lambda n=n: perform(host, step(f"k{n}")) for n in range(3)])
    assert finder.most == 1
    both = threading.Barrier(2)
    host, finder, step = make(("d", "e"), act=lambda: both.wait(60))
    _at_once([lambda n=n, d=d: perform(host, step(f"q{d}{n}", d)) for n in range(2) for d in ("d", "e")])
    assert finder.most == 2


def _at_once(jobs):
    threads = [threading.Thread(target=job) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_a_device_that_is_lost_is_offered_again_when_it_is_found_again_and_its_step_is_tried_again(make):
    def lost():
        raise DeviceLostError("d", "went away")

    host, finder, step = make(act=lost)
    assert host.refresh() == {"d": 1.0, "scripted": 1.0}
    result = perform(host, step("k"))
    assert (result.outcome, result.message) == ("lost", "went away")
    assert perform(host, step("k")).outcome == "absent"
    finder.act = lambda: None
    assert host.refresh() == {"d": 1.0, "scripted": 1.0}
    assert perform(host, step("k")).outcome == "done"


def test_a_failed_measurement_keeps_its_status_and_is_not_tried_again(make):
    def fail():
        raise MeasurementError("died of SIGSEGV", status="timeout")

    host, finder, step = make(act=fail)
    assert [perform(host, step("k")).status for _ in range(2)] == ["timeout"] * 2
    finder.act = lambda: None
    assert perform(host, step("k")).message == "died of SIGSEGV"


def test_a_device_that_is_not_attached_and_files_that_are_not_there_are_told(make, tmp_path):
    host, _, step = make()
    assert perform(host, step("k", device="elsewhere")).outcome == "absent"
    empty = Host("h", Scripted(["d"]), tmp_path / "other")
    empty.refresh()
    answer = perform(empty, step("k"))
    assert answer.outcome == "missing" and set(answer.missing) == {file.sha256 for file in step("k").files()}
    assert answer.cache == Host("h2", Scripted([]), tmp_path / "other").contents.identity


def test_a_client_of_another_version_is_refused_by_the_host_too(make):
    host, finder, _ = make()
    refused = decode(host.perform(encode(Envelope(version="0.0.1"))), Result)
    assert refused.outcome == "refused" and "'0.0.1'" in refused.message and finder.n_measured == 0


def test_a_host_describes_what_is_attached(make):
    host, _, _ = make(("d", "e"))
    description = decode(host.describe(), HostDescription)
    assert [offer.name for offer in description.offers] == ["d", "e"]
    assert {offer.info.facts["host"] for offer in description.offers} == {"h"}


def test_forgetting_a_run_lets_go_of_its_devices_and_files(make):
    host, finder, step = make()
    perform(host, step("k"))
    host.forget("r")
    perform(host, step("k"))
    assert finder.n_measured == 2


def test_this_host_offers_its_computer_under_its_own_name_and_no_tpu_that_is_not_there(repository):
    finder = DriverDeviceFinder("rack3", Workspace(repository))
    found = finder.find_attached({}, ())
    assert found["local@rack3"].offer.kinds == ("local", "local-cpu")
    assert not any(name.startswith("coral") for name in found)
    assert finder.find_attached(found, ())["local@rack3"] is found["local@rack3"]


def test_an_emulator_of_a_chip_is_offered_by_each_host_that_was_told_to_and_is_one_kind(
    repository, tmp_path, monkeypatch
):
    install_stand_in(tmp_path / "packages", monkeypatch)
    offers = []
    for host in ("rack3", "rack4"):
        found = DriverDeviceFinder(host, Workspace(repository), [CHIP]).find_attached({}, ())
        offers.append(found[f"{CHIP}@{host}"].offer)
        assert offers[-1].kinds == (CHIP,)
    ((one,), (either,)) = (find_devices(CHIP, offers[:1]), find_devices(f"any:{CHIP}", offers))
    assert one.name == f"{CHIP}@rack3" and len(either.offers) == 2
    with pytest.raises(UsageError, match=f"name one, or any:{CHIP}"):
        find_devices(CHIP, offers)
    with pytest.raises(UnknownNameError, match="harness worker ADDRESS --device emulator:qualcomm-SM8550"):
        find_devices("emulator:qualcomm-SM8550", offers)


def test_kinds_are_the_profile_the_model_and_accelerators():
    profile = Profile(DeviceProfile(name="s", connection=Connection(kind="adb")), Path("pixel-4.toml"))
    device = FakeDevice("s")
    info = replace(device.describe(), kind="adb", model="Google Pixel 4 (XL)", delegates=("cpu", "edgetpu"))
    device.close()
    assert kinds_of(profile, info) == ("pixel-4", "google-pixel-4-xl", "edgetpu")
    assert slug("Raspberry Pi 4 Model B Rev 1.4") == "raspberry-pi-4-model-b-rev-1-4"
