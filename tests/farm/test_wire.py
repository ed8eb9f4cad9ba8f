"""What travels is data; another version is refused by name and value; files are what their hash says."""

import hashlib
import zlib

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harness.errors import DeviceError, IncomparableError
from harness.farm.contents import Contents
from harness.farm.kept_results import KeptResults
from harness.farm.wire import (
    PROTOCOL,
    Envelope,
    File,
    Inferences,
    Result,
    Step,
    Subject,
    decode,
    encode,
    refuse_other_version,
)
from harness.records.records import DelegateFacts


def file_of(content, name="m.tflite"):
    return File(sha256=hashlib.sha256(content).hexdigest(), size=len(content), name=name)


def step(**changes):
    subject = Subject(
        model=file_of(b"model"), card={"name": "m"}, delegate="cpu", settings={"seed": 0}, threads=2
    )
    return Step(**{"key": "k", "run": "r", "device": "d", "what": "time", "subject": subject, **changes})


@given(st.text(), st.integers(0, 99), st.lists(st.text(), max_size=3))
def test_a_step_arrives_as_it_was_sent(key, repetition, done):
    sent = step(key=key, repetition=repetition, done=tuple(done))
    assert decode(encode(sent), Step) == sent


@given(st.binary(max_size=2000), st.text(max_size=50))
def test_results_carry_bytes_whole(detections, message):
    found = Inferences(
        detections=zlib.compress(detections),
        n_images=3,
        unreadable=(message,),
        seconds=0.5,
        delegate=DelegateFacts(requested="cpu:1", actual="xnnpack"),
        runtime="x 1",
    )
    back = decode(encode(Result(key="k", outcome="done", host="h", inferences=found)), Result)
    assert back.inferences == found and zlib.decompress(back.inferences.detections) == detections


@given(st.binary(max_size=300))
def test_what_is_no_message_is_refused_and_not_half_read(data):
    with pytest.raises(msgspec.MsgspecError):
        decode(b"\xc1" + data, Step)


@pytest.mark.parametrize(
    ("theirs", "text"),
    [
        (Envelope(protocol=PROTOCOL + 1), f"protocol is {PROTOCOL} in one and {PROTOCOL + 1} in the other"),
        (Envelope(version="9.9.9"), "version is '.*' in one and '9.9.9' in the other"),
    ],
)
def test_another_version_is_refused_with_both_values(theirs, text):
    with pytest.raises(IncomparableError, match=text):
        refuse_other_version(encode(theirs), "host rack3")
    refuse_other_version(encode(step()), "host rack3")


def test_a_file_that_arrives_in_parts_is_there_only_when_it_is_whole_and_right(tmp_path):
    contents, content = Contents(tmp_path), b"0123456789" * 100
    file = file_of(content)
    contents.write(file, 0, content[:600])
    assert contents.missing([file]) == (file.sha256,)
    contents.write(file, 600, content[600:])
    assert contents.missing([file]) == () and contents.place(file).read_bytes() == content
    assert contents.place(file).name == "m.tflite"


def test_a_file_that_arrives_damaged_is_refused_and_not_kept(tmp_path):
    contents, file = Contents(tmp_path), file_of(b"what was sent")
    with pytest.raises(DeviceError, match="arrived damaged"):
        contents.write(file, 0, b"what came....")
    assert contents.missing([file]) == (file.sha256,)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_an_empty_file_and_the_same_content_under_two_names_are_files(tmp_path):
    contents, empty = Contents(tmp_path), file_of(b"", "empty.json")
    contents.write(empty, 0, b"")
    other = msgspec.structs.replace(empty, name="other name.json")
    assert contents.missing([empty, other]) == ()
    assert contents.place(other).name == "other_name.json" and contents.place(other).read_bytes() == b""


@pytest.mark.parametrize("sha256", ["../../etc/passwd", "0" * 63, "/" + "0" * 63, "0" * 63 + "\n"])
def test_a_hash_that_is_none_becomes_no_path(tmp_path, sha256):
    with pytest.raises(DeviceError, match="expected a sha256"):
        Contents(tmp_path).missing([File(sha256=sha256, size=1, name="x")])


@given(name=st.text(min_size=1, max_size=60))
@example(name=".")
@example(name="..")
@example(name="a/../../b")
def test_a_name_from_outside_never_leads_out_of_the_folder(tmp_path_factory, name):
    root = tmp_path_factory.mktemp("contents")
    contents, file = Contents(root), file_of(b"x", name)
    contents.write(file, 0, b"x")
    assert contents.place(file).resolve().is_relative_to(root.resolve())


def test_programs_lie_beside_their_libraries_and_can_be_started(tmp_path):
    import os
    import subprocess

    contents = Contents(tmp_path)
    files = []
    for name, content in (("tool", b"#!/bin/sh\ncat $(dirname $0)/lib.so\n"), ("lib.so", b"found")):
        files.append(file_of(content, name))
        contents.write(files[-1], 0, content)
    tool = contents.bundle(files)
    assert os.access(tool, os.X_OK) and contents.bundle(files) == tool
    assert subprocess.run([tool], capture_output=True, check=True).stdout == b"found"


def test_the_oldest_files_go_when_there_is_too_much_and_none_of_the_last_day(tmp_path):
    import os
    import time

    contents = Contents(tmp_path, limit_bytes=250)
    files = [file_of(bytes([n]) * 100, f"{n}") for n in range(4)]
    for n, file in enumerate(files):
        contents.write(file, 0, bytes([n]) * 100)
        then = time.time() - (10 - n) * 24 * 3600 if n < 3 else time.time()
        os.utime(contents.place(file).parent, (then, then))
    contents.make_room()
    assert Contents(tmp_path).missing(files) == (files[0].sha256, files[1].sha256)


def test_a_result_is_kept_until_it_is_dropped_or_its_run_is_forgotten(tmp_path):
    kept_results = KeptResults(tmp_path)
    for key in ("a", "b", "../c"):
        kept_results.keep("run", key, key.encode())
    assert [kept_results.find("run", key) for key in ("a", "b", "../c", "d")] == [b"a", b"b", b"../c", None]
    kept_results.drop("run", ["a", "never kept"])
    assert kept_results.find("run", "a") is None and kept_results.find("other run", "b") is None
    kept_results.forget("run")
    assert kept_results.find("run", "b") is None
    assert not list(tmp_path.iterdir())
