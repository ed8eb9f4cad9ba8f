"""The emulator in a process for each core: what it cannot do is said by whoever asked, and each process ends."""

import os
import signal
from dataclasses import replace

import numpy as np
import pytest

from harness.errors import JobError
from harness.npu.compiler import compile_for
from harness.worker.emulator_process import emulator_processes
from harness.worker.jobs import COMPILED, AccuracyJob
from tests.support.npu import install_stand_in
from tests.support.paths import MODELS

MODEL = MODELS / "shapes" / "shapes_full_integer.tflite"
UNKNOWN = np.zeros((1, 144, 144, 3), np.uint8)
"""Nothing is recorded for it."""


@pytest.fixture
def job(tmp_path, monkeypatch):
    """A job for a stand-in of the emulator."""
    install_stand_in(tmp_path / "packages", monkeypatch)
    compiled = tmp_path / "compiled.tflite"
    compile_for(MODEL, "SM8650", compiled)
    return AccuracyJob(str(MODEL), "npu", 1, delegate_options={COMPILED: str(compiled)})


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system keeps no process on a core")
def test_each_stays_on_a_core_of_its_own_and_ends_with_the_block(job):
    cores = sorted(os.sched_getaffinity(0))
    with emulator_processes(job, 2) as started:
        found = [os.sched_getaffinity(one.pid) for one in started]
    assert found == [{cores[0]}, {cores[1 % len(cores)]}]
    for one in started:
        with pytest.raises(ProcessLookupError):
            os.kill(one.pid, 0)


def test_what_the_backend_says_is_the_error_and_one_that_died_is_an_error_too(job):
    with emulator_processes(job, 1) as (process,):
        with pytest.raises(JobError, match="_0 is not a file in the archive"):
            process.infer(UNKNOWN)
        with pytest.raises(JobError, match="has died"):
            process.infer(UNKNOWN)


def test_a_process_that_is_killed_is_an_error(job):
    with emulator_processes(job, 1) as (process,):
        os.kill(process.pid, signal.SIGKILL)
        with pytest.raises(JobError, match="has died"):
            process.infer(UNKNOWN)


def test_a_process_that_cannot_load_the_model_is_left_out(job, tmp_path):
    absent = replace(job, delegate_options={COMPILED: str(tmp_path / "absent.tflite")})
    with emulator_processes(absent, 1) as started:
        assert started == []
