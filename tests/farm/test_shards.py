"""Sharing images out and putting detections together: nothing is lost, doubled, or mixed with what is not alike."""

import json
import threading

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.accuracy.detections import DetectionWriter
from harness.drivers.base import DeviceInfo
from harness.errors import FarmError, IncomparableError, UnknownNameError, UsageError
from harness.farm.device_runs import WorkPool
from harness.farm.hosts import HostAnswer
from harness.farm.names import find_devices, usable_offers
from harness.farm.shards import MIN_IMAGES, difference, merge, refuse_unlike, split
from harness.farm.wire import HostDescription, Inferences, Offer
from harness.profiles import Connection, DeviceProfile
from harness.records.records import DelegateFacts


def offer(name, kinds=("pixel-4",), **info):
    facts = {
        "kind": "adb",
        "soc": "SM8150",
        "os": "Android 13",
        "abi": "arm64-v8a",
        "model": "Pixel 4",
        **info,
    }
    profile = DeviceProfile(name=name, connection=Connection(kind="fake"))
    return Offer(name=name, kinds=kinds, profile=profile, origin="pixel-4", info=DeviceInfo(name, **facts))


@given(st.integers(0, 20_000), st.integers(1, 200))
def test_every_image_is_in_one_shard_and_in_order(n_images, n_devices):
    shards = split(n_images, n_devices)
    assert [i for shard in shards for i in shard] == list(range(n_images))
    assert len(shards) <= 2 * n_devices
    assert len(shards) == 1 or min(map(len, shards)) >= MIN_IMAGES // 2


def test_five_thousand_images_on_four_devices_are_eight_shards():
    assert [len(s) for s in split(5000, 4)] == [937, 938, 937, 938, 312, 313, 312, 313]


@given(st.lists(st.integers(0, 5), min_size=1, max_size=12), st.data())
def test_merged_files_are_byte_for_byte_what_one_writer_writes(tmp_path_factory, counts, data):
    folder = tmp_path_factory.mktemp("parts")
    cut = data.draw(st.integers(0, len(counts)))

    def write(path, images):
        with DetectionWriter(path) as writer:
            for image in images:
                n = counts[image]
                boxes = [[image + 0.125, k, 3.3333, 4] for k in range(n)]
                writer.add(image, boxes, [0.1 + 0.1 * k for k in range(n)], list(range(n)))
        return path.read_bytes()

    whole = write(folder / "whole.json", range(len(counts)))
    parts = [write(folder / "a.json", range(cut)), write(folder / "b.json", range(cut, len(counts)))]
    assert merge(parts) == whole
    assert len(json.loads(merge(parts))) == sum(counts)


@pytest.mark.parametrize(
    ("key", "value"), [("soc", "SM8250"), ("os", "Android 14"), ("abi", "x86_64"), ("model", "Pixel 5")]
)
def test_devices_that_are_not_alike_are_refused_with_the_key_and_both_values(key, value):
    one, other = offer("a"), offer("b", **{key: value})
    refusal = difference(one, other)
    assert isinstance(refusal, IncomparableError) and difference(one, offer("c")) is None
    assert f"device.{key}" in str(refusal) and repr(value) in str(refusal)
    assert repr(getattr(one.info, key)) in str(refusal)


def test_computers_of_one_processor_and_system_are_alike_whatever_they_are_called():
    assert (
        difference(offer("a", kind="local", model="rack1"), offer("b", kind="local", model="rack2")) is None
    )


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"runtime": "r 2"}, "runtime is 'r 1' in one and 'r 2'"),
        (
            {"delegate": DelegateFacts(requested="gpu", actual="cpu")},
            "delegate_actual is 'gpu' in one and 'cpu'",
        ),
        (
            {"delegate": DelegateFacts(requested="gpu", actual="gpu", delegated_nodes=3)},
            "delegated_nodes is None in one and 3",
        ),
    ],
)
def test_detections_of_other_runtimes_or_delegates_are_not_merged(change, text):
    delegate = DelegateFacts(requested="gpu", actual="gpu")
    found = Inferences(
        detections=b"", n_images=1, unreadable=(), seconds=1.0, delegate=delegate, runtime="r 1"
    )
    refuse_unlike([("a", found), ("b", found)])
    with pytest.raises(IncomparableError, match=text):
        refuse_unlike([("a", found), ("b", msgspec.structs.replace(found, **change))])


def hosts(*offers, problem=""):
    return [HostAnswer("tcp://h:1", HostDescription(host="h", offers=offers), problem)]


def test_names_kinds_and_all_android_mean_what_they_say():
    offers = usable_offers(hosts(offer("s1"), offer("s2"), offer("local@h", ("local-cpu",), kind="local")))
    assert [m.name for m in find_devices("s1", offers)] == ["s1"]
    assert [m.name for m in find_devices("all-android", offers)] == ["s1", "s2"]
    (any_,) = find_devices("any:pixel-4", offers)
    assert any_.is_any and [o.name for o in any_.offers] == ["s1", "s2"]
    assert [m.name for m in find_devices("local", offers)] == ["any:local-cpu"]
    assert [m.name for m in find_devices("local-cpu", offers)] == ["local@h"]
    with pytest.raises(UsageError, match=r"2 devices of the farm fit \(s1, s2\); name one, or any:pixel-4"):
        find_devices("pixel-4", offers)
    with pytest.raises(UnknownNameError, match="Did you mean any:pixel-4"):
        find_devices("any:pixel4", offers)


def test_a_farm_without_devices_says_why():
    with pytest.raises(FarmError, match="another version"):
        usable_offers(hosts(problem="another version"))


class Cell:
    def __init__(self, id, device="any:pixel-4"):
        self.id, self.device = id, device


def test_a_cell_that_was_begun_goes_on_with_its_own_device_only():
    pool = WorkPool([Cell("1"), Cell("2")], {"1": "s1"}, threading.Event())
    taken = pool.take(offer("s2"))
    assert taken.id == "2"
    assert [cell.id for cell in pool.left_without([offer("s2")])] == ["1"]
    assert pool.left_without([offer("s1")]) == []
    pool.finish(taken, back=True)
    assert {pool.take(offer("s1")).id, pool.take(offer("s1")).id} == {"1", "2"}


def test_a_lane_ends_when_nothing_can_come_and_waits_while_something_may():
    stop = threading.Event()
    pool = WorkPool([Cell("1")], {}, stop)
    cell = pool.take(offer("s1"))
    ended = []
    waiting = threading.Thread(target=lambda: ended.append(pool.take(offer("s2"))))
    waiting.start()
    waiting.join(0.2)
    assert waiting.is_alive(), "the cell may still come back, or have images to share"
    pool.finish(cell)
    waiting.join(60)
    assert ended == [None]
