"""Interpreters that threads borrow, and work spread over threads."""

from __future__ import annotations

import threading
import time

import pytest

from harness.accuracy.interpreters import Pool, make_here, map_in_order
from harness.errors import JobError


def test_a_pool_makes_no_more_than_are_in_use_at_once():
    pool = Pool(["first"], make=lambda: "second", most=2)
    for _ in range(3):
        with pool.lend() as item:
            assert item == "first"
    with pool.lend() as one, pool.lend() as two:
        assert {one, two} == {"first", "second"}


def test_what_is_lent_is_used_by_one_thread_at_a_time():
    pool = Pool([threading.Lock(), threading.Lock()])

    def work(item):
        with pool.lend() as lock:
            assert lock.acquire(blocking=False), "two threads use one"
            time.sleep(0.001)
            lock.release()
        return item

    assert list(map_in_order(work, range(60), 4)) == list(range(60))


def test_an_item_comes_back_to_the_pool_when_its_user_fails():
    pool = Pool(["only"])
    with pytest.raises(ValueError, match="no"), pool.lend():
        raise ValueError("no")
    with pool.lend() as item:
        assert item == "only"


def test_a_model_that_the_runtime_refuses_is_named(tmp_path):
    file = tmp_path / "broken.tflite"
    file.write_bytes(b"nonsense")
    with pytest.raises(JobError, match=r"broken\.tflite: cannot be run: "):
        make_here(file)
