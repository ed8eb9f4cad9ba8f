"""The store: what is chosen to go, what a survey tells, and devices that lack a tool."""

import os
from pathlib import Path

import pytest

from harness.drivers.content import ContentStore, StoredFile, Survey, evict, parse_survey
from harness.drivers.fake import FakeDevice
from harness.errors import DeviceError
from harness.names import safe_file_name

NOW = 1_000_000


def stored(age_s, size, place):
    return StoredFile(NOW - age_s, size, place)


def test_the_files_unused_for_longest_go_first():
    survey = Survey(
        "sha256sum", NOW, 0, {}, (stored(5000, 10**7, "b"), stored(9000, 10**7, "a"), stored(7000, 1, "c"))
    )
    assert [old.place for old in evict(survey, 9 * 10**6, 10**12, set())] == ["a"]


def test_what_is_in_use_or_just_asked_for_stays():
    survey = Survey("sha256sum", NOW, 0, {}, (stored(9000, 10**8, "asked"), stored(60, 10**8, "in use")))
    assert evict(survey, 10**6, 10**12, {"asked"}) == []


def test_no_more_is_kept_than_the_limit():
    files = tuple(stored(9000 - n, 10**6, f"f{n}") for n in range(10))
    survey = Survey("sha256sum", NOW, 10**12, {}, files)
    assert [old.place for old in evict(survey, 10**6, 8 * 10**6, set())] == ["f0", "f1", "f2"]


def test_nothing_goes_while_there_is_room():
    survey = Survey("sha256sum", NOW, 10**12, {}, (stored(9000, 10**6, "a"),))
    assert evict(survey, 10**6, 10**9, set()) == []


@pytest.mark.parametrize(
    "text", ["", "garbage\n", "space x y\nnow\ntool\n", "file a b c\nhave\n", "space 1\n"]
)
def test_a_survey_that_says_nothing_is_unknown(text):
    survey = parse_survey(text)
    assert (survey.free_bytes, survey.stored) == (None, ())


def test_names_need_no_quoting_and_keep_their_ending():
    assert safe_file_name("it's $5 — né.tflite") == "it_s__5___n_.tflite"
    assert safe_file_name("x" * 300 + ".so") == "x" * 97 + ".so"


class Lacking:
    """A fake whose shell lacks some tools."""

    def __init__(self, tools):
        self.fake, self._tools = FakeDevice(), tools
        self.name, self.sent = "lacking", 0
        self.root = str(self.fake.folder)

    def shell(self, script, timeout_s):
        lacking = "\n".join(f"{tool}() {{ return 127; }}" for tool in self._tools)
        command = f'command() {{ case "$2" in {"|".join(self._tools)}) return 1;; esac; return 0; }}'
        return self.fake.shell("\n".join([command, "toybox() { return 1; }", lacking, script]), timeout_s)

    def send(self, files):
        self.sent += len(files)
        self.fake.send(files)

    def close(self):
        self.fake.close()


@pytest.mark.parametrize(("tools", "sent_again"), [(["sha256sum"], 0), (["sha256sum", "md5sum"], 1)])
def test_a_device_without_a_hashing_tool_is_still_right(tmp_path, tools, sent_again):
    device = Lacking(tools)
    store = ContentStore(device, device.root)
    path = tmp_path / "x.bin"
    path.write_bytes(os.urandom(1000))
    (remote,) = store.push([path])
    assert Path(remote).read_bytes() == path.read_bytes()
    sent = device.sent
    store.push([path])
    assert device.sent - sent == sent_again
    device.close()


def test_a_file_that_arrives_damaged_is_never_used(tmp_path):
    class Damaging(Lacking):
        def send(self, files):
            super().send(files)
            for _, remote in files:
                with Path(remote).open("r+b") as file:
                    file.write(b"\0\0\0")

    device = Damaging(["nothing"])
    path = tmp_path / "x.bin"
    path.write_bytes(b"content")
    with pytest.raises(DeviceError, match=r"x\.bin: arrived damaged \(sha256sum is [0-9a-f]{64} there"):
        ContentStore(device, device.root).push([path])
    assert not list(device.fake.folder.glob("[0-9a-f]*/*"))
    assert not list(device.fake.folder.glob(".incoming/*"))
    device.close()
