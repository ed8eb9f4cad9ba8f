"""Hashes of files are those of their bytes, however many these are."""

import hashlib
import os
import time

import pytest

from harness import hashing
from harness.hashing import hash_file, known_hash


def test_a_file_of_several_chunks_has_the_hash_of_all_its_bytes(tmp_path):
    data = bytes(range(256)) * (3 << 12) + b"end"
    path = tmp_path / "data"
    path.write_bytes(data)
    assert hash_file(path) == hashlib.sha256(data).hexdigest()
    assert hash_file(path, "md5") == hashlib.md5(data, usedforsecurity=False).hexdigest()


@pytest.fixture
def file(tmp_path):
    """A file that was written some time ago; its time of change in the system is now."""
    path = tmp_path / "model.tflite"
    path.write_bytes(b"first")
    return path


def settle(monkeypatch, seconds=10):
    """Let so much time pass."""
    now = time.time_ns()
    monkeypatch.setattr(hashing.time, "time_ns", lambda: now + seconds * 1_000_000_000)


def test_a_file_that_did_not_change_is_read_once(file, monkeypatch):
    settle(monkeypatch)
    first = known_hash(file)
    monkeypatch.setattr(hashing, "hash_file", lambda *_: pytest.fail("it was read again"))
    assert known_hash(file) == first


@pytest.mark.parametrize("change", ["content", "size", "another file"])
def test_a_file_that_changed_is_read_again(file, monkeypatch, tmp_path, change):
    settle(monkeypatch)
    first = known_hash(file)
    times = file.stat()
    if change == "another file":
        other = tmp_path / "other"
        other.write_bytes(b"other")
        other.replace(file)
    else:
        file.write_bytes(b"other" if change == "content" else b"longer than that")
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))  # a copy that keeps its date
    assert known_hash(file) == hash_file(file) != first


def test_a_file_that_was_changed_just_now_is_not_believed_to_stay(file, monkeypatch):
    known_hash(file)
    read = []
    monkeypatch.setattr(hashing, "hash_file", lambda *_: read.append(1) or "again")
    assert known_hash(file) == "again"
    assert read == [1]


def test_each_algorithm_has_its_own(file, monkeypatch):
    settle(monkeypatch)
    assert known_hash(file, "md5") == hash_file(file, "md5") != known_hash(file)
