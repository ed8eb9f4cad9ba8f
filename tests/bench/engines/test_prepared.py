"""Workers that are forked by a prepared process are processes of their own in every respect."""

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from harness.bench.engines import cell_jobs, prepared
from harness.bench.engines.worker_process import read_event, run_worker, workers_ready
from harness.bench.request import Request
from harness.drivers.local import LocalDevice
from harness.errors import DeviceError, MeasurementError
from harness.records.samples import load_samples
from harness.session import prepare
from harness.settings import Settings
from harness.vocabulary import Status
from harness.worker.events import HostFault
from harness.worker.jobs import LatencyJob, dump_job
from harness.worker.results import AccuracyResult, LatencyResult
from tests.support import lasting_workers
from tests.support.paths import REPOSITORY

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="forks workers on Linux only")

MODEL = REPOSITORY / "models" / "shapes" / "shapes_float32.tflite"
JOB = LatencyJob(str(MODEL), "cpu", 1, None, 5, 0.01, 5.0, 0, "")
LONG = replace(JOB, min_runs=10**6, min_seconds=600.0, max_seconds=600.0)
PATIENCE_S = 60.0


@pytest.fixture(scope="module", autouse=True)
def device():
    """This computer, with a prepared process that ends with those who want it, as it does outside the tests."""
    local = LocalDevice()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prepared, "PreparedWorkers", lasting_workers.USUAL)
        with workers_ready([local]):
            yield local


@pytest.fixture
def starts(monkeypatch):
    """The commands that were started in the usual way."""
    seen, usual = [], LocalDevice.run

    def run(self, argv, **more):
        seen.append(argv)
        return usual(self, argv, **more)

    monkeypatch.setattr(LocalDevice, "run", run)
    return seen


def measure(device, folder, job=JOB, timeout_s=PATIENCE_S):
    folder.mkdir(exist_ok=True)
    return run_worker(device, replace(job, output=str(folder)), LatencyResult, folder, timeout_s)


def in_background(device, folder):
    """Begin a long job; returns its process, the thread that waits for it, and the errors that it raised."""
    errors = []

    def work():
        try:
            measure(device, folder, LONG, 600.0)
        except Exception as error:
            errors.append(error)

    known = set(workers())
    thread = threading.Thread(target=work)
    thread.start()
    return wait_for(lambda: next(iter(set(workers()) - known), None)), thread, errors


def workers():
    return psutil.Process(prepared_process()).children(recursive=True)


def prepared_process():
    return prepared.Shared.workers.pid


def wait_for(condition):
    until = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        assert time.monotonic() < until
        time.sleep(0.01)
    return found


def test_a_forked_worker_answers_as_one_that_was_started_anew(device, tmp_path, starts):
    forked = measure(device, tmp_path / "forked")
    assert not starts

    class Elsewhere:
        name, run = "elsewhere", device.run

    anew = measure(Elsewhere(), tmp_path / "anew")
    assert len(starts) == 1
    same = [
        (one.result.runtime, one.result.execution, one.result.check, one.result.steady_from is not None)
        for one in (forked, anew)
    ]
    assert same[0] == same[1]
    peaks = [one.result.peak_memory_bytes for one in (forked, anew)]
    assert abs(peaks[0] / peaks[1] - 1) < 0.05
    loads = [one.result.memory_before_load_bytes for one in (forked, anew)]
    assert abs(loads[0] / loads[1] - 1) < 0.05
    assert "XNNPACK" in forked.stderr and forked.stderr == anew.stderr
    assert load_samples(tmp_path / "forked" / "samples.npy").size >= 6


@pytest.fixture
def accuracy_job(tmp_path):
    """A job that runs the bundled example over three of its images."""
    request = Request(
        models=("shapes-float32",),
        delegates=("cpu:1",),
        workspace=str(REPOSITORY),
        output=str(tmp_path / "results"),
        settings=Settings(repetitions=1),
    )
    cell = prepare(request).plan.cells[0]
    three = replace(cell, dataset=replace(cell.dataset, images=cell.dataset.images[:3]))

    def make(folder):
        folder.mkdir()
        return cell_jobs.accuracy_job(three, folder)

    return make


def infer(device, job, timeout_s=PATIENCE_S):
    return run_worker(device, job, AccuracyResult, Path(job.output), timeout_s).result


def branch():
    """The process that forks the workers of accuracy jobs: it stays when they have ended."""
    return next((process for process in workers() if alive(process.pid)), None)


@pytest.fixture
def own_workers(monkeypatch):
    """A prepared process of one's own, to be broken."""
    another = type("Another", (prepared.Shared,), {"workers": None, "wanted_by": 0})
    monkeypatch.setattr(prepared, "Shared", another)
    local = LocalDevice()
    with workers_ready([local]):
        yield local


def test_accuracy_is_forked_by_a_branch_and_is_that_of_a_worker_started_anew(
    own_workers, tmp_path, starts, accuracy_job
):
    forked = [accuracy_job(tmp_path / name) for name in ("first", "second")]
    results = [infer(own_workers, job) for job in forked]
    assert not starts and [process.ppid() for process in workers()] == [prepared_process()]

    class Elsewhere:
        name, run = "elsewhere", own_workers.run

    anew = accuracy_job(tmp_path / "anew")
    results.append(infer(Elsewhere(), anew))
    assert len(starts) == 1
    detections = {Path(job.output, "detections.json").read_bytes() for job in (*forked, anew)}
    assert len(detections) == 1 and all(result.n_images == 3 for result in results)


def test_a_worker_that_times_has_nothing_of_a_branch_in_its_memory(own_workers, tmp_path, accuracy_job):
    infer(own_workers, accuracy_job(tmp_path / "accuracy"))
    assert any("PIL" in m.path for m in branch().memory_maps(grouped=False))
    process, thread, _ = in_background(own_workers, tmp_path / "times")
    assert not any("PIL" in m.path for m in process.memory_maps(grouped=False))
    process.kill()
    thread.join()


def test_a_branch_can_be_loaded_before_its_first_job(own_workers, tmp_path, accuracy_job):
    prepared.load("accuracy")
    loaded = branch().pid
    infer(own_workers, accuracy_job(tmp_path / "accuracy"))
    assert branch().pid == loaded
    prepared.load("latency")  # it is loaded already, and has no branch
    assert [process.pid for process in workers()] == [loaded]


def test_a_branch_that_died_costs_one_start_in_the_usual_way(own_workers, tmp_path, starts, accuracy_job):
    infer(own_workers, accuracy_job(tmp_path / "before"))
    dead = branch()
    dead.kill()
    wait_for(lambda: not alive(dead.pid))
    assert infer(own_workers, accuracy_job(tmp_path / "usual")).n_images == 3
    assert len(starts) == 1
    assert infer(own_workers, accuracy_job(tmp_path / "forked")).n_images == 3
    assert len(starts) == 1 and branch().pid != dead.pid


def test_a_worker_of_a_branch_is_killed_when_its_time_is_up(own_workers, tmp_path, accuracy_job):
    infer(own_workers, accuracy_job(tmp_path / "before"))
    fifo = tmp_path / "never written"
    os.mkfifo(fifo)
    with pytest.raises(MeasurementError) as caught:
        infer(own_workers, replace(accuracy_job(tmp_path / "long"), images=str(fifo)), 0.5)
    assert caught.value.status == Status.TIMEOUT
    wait_for(lambda: [process.ppid() for process in workers()] == [prepared_process()])


def test_another_process_is_prepared_where_the_first_has_died(own_workers, tmp_path, starts):
    os.kill(prepared_process(), signal.SIGKILL)
    wait_for(lambda: prepared.Shared.workers.has_ended)
    prepared.load("accuracy")  # of one that has died nothing is waited for
    with workers_ready([own_workers]):
        assert measure(own_workers, tmp_path / "forked").result.runtime
    assert not starts


def test_as_many_descriptors_are_closed_as_are_open_whatever_the_limit():
    code = """
import os
from harness.worker.prepared import close_descriptors
opened = [os.open(os.devnull, os.O_RDONLY) for _ in range(20)]
usual, tried = os.closerange, []
os.closerange = lambda first, end: (tried.append(end - first), usual(first, end))
close_descriptors(opened[7])
left = [number for number in opened if os.path.exists(f"/proc/self/fd/{number}")]
assert left == [opened[7]], left
assert sum(tried) < 100, tried
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=REPOSITORY)


def test_every_fork_lies_elsewhere_in_memory(device, tmp_path, monkeypatch):
    places = set()
    for number in range(4):
        process, thread, _ = in_background(device, tmp_path / str(number))
        wait_for(
            lambda process=process: any(
                "shapes_float32" in m.path for m in process.memory_maps(grouped=False)
            )
        )
        places |= {m.addr for m in process.memory_maps(grouped=False) if "shapes_float32" in m.path}
        process.kill()
        thread.join()
    assert len(places) >= 3


def test_a_worker_that_dies_takes_nothing_else_along(device, tmp_path):
    process, thread, errors = in_background(device, tmp_path / "dies")
    process.send_signal(signal.SIGSEGV)
    thread.join()
    assert "SIGSEGV" in str(errors[0])
    assert measure(device, tmp_path / "next").result.runtime


def test_a_worker_is_killed_with_what_it_left_when_its_time_is_up(device, tmp_path):
    with pytest.raises(MeasurementError) as caught:
        measure(device, tmp_path / "long", LONG, 1.0)
    assert caught.value.status == Status.TIMEOUT
    wait_for(lambda: not workers())


def test_what_nobody_caught_is_told_as_by_an_interpreter(device, tmp_path):
    job = tmp_path / "job.json"
    job.write_text("{}")
    ended = prepared.run(["worker"], job, "latency", prepared.Shared.workers.environment, PATIENCE_S, None)
    assert ended.exit_code == 1
    assert ended.stderr.startswith("Traceback") and ended.argv == ("worker",)


def test_a_job_that_cannot_be_read_is_a_fault_of_this_computer(device, tmp_path):
    environment = prepared.Shared.workers.environment
    ended = prepared.run(["worker"], tmp_path / "gone.json", "latency", environment, PATIENCE_S, None)
    assert read_event(ended.stdout.rstrip("\n")) == HostFault(
        f"{tmp_path / 'gone.json'}: cannot be read (No such file or directory)"
    )
    assert ended.exit_code == 3 and not ended.stderr


def test_a_memory_limit_is_the_worker_s_own(device, tmp_path):
    with pytest.raises(MeasurementError):
        measure(device, tmp_path / "limited", replace(JOB, memory_limit_mb=1))
    assert measure(device, tmp_path / "free").result.runtime


def test_several_threads_are_served_at_once(device, tmp_path):
    running = [in_background(device, tmp_path / f"{k}") for k in range(3)]
    assert len({process.pid for process, _, _ in running}) == 3
    for process, thread, errors in running:
        process.terminate()
        thread.join()
        assert "SIGTERM" in str(errors[0])


def test_a_changed_environment_starts_workers_in_the_usual_way(device, tmp_path, starts, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert measure(device, tmp_path / "changed").result.runtime
    assert len(starts) == 1


def test_other_variables_and_the_folder_reach_each_worker(device, tmp_path, starts, monkeypatch):
    monkeypatch.chdir(MODEL.parent)
    job = tmp_path / "job.json"
    dump_job(replace(JOB, model="shapes_float32.tflite", output=str(tmp_path)), job)
    ended = prepared.run(
        ["worker"],
        job,
        "latency",
        {**os.environ, **prepared.Shared.workers.environment, "LITERT_MODEL": ""},
        PATIENCE_S,
        None,
    )
    assert ended.exit_code == 0 and not starts


def test_without_a_prepared_process_workers_are_started_as_usual(tmp_path, starts, monkeypatch):
    monkeypatch.setattr(prepared, "MODULE", "harness.no_such_module")
    monkeypatch.setattr(
        prepared, "Shared", type("Nobody", (prepared.Shared,), {"workers": None, "wanted_by": 0})
    )
    with workers_ready([LocalDevice()]):
        assert measure(LocalDevice(), tmp_path / "usual").result.runtime
    assert len(starts) == 1


def test_a_prepared_process_that_dies_loses_the_device_and_no_verdict(tmp_path, monkeypatch):
    monkeypatch.setattr(
        prepared, "Shared", type("Another", (prepared.Shared,), {"workers": None, "wanted_by": 0})
    )
    with workers_ready([LocalDevice()]):
        process, thread, errors = in_background(LocalDevice(), tmp_path / "lost")
        os.kill(prepared_process(), signal.SIGKILL)
        thread.join()
        assert isinstance(errors[0], DeviceError)
        wait_for(lambda: not psutil.pid_exists(process.pid))


def test_a_worker_that_is_forked_too_late_does_not_run_beside_its_substitute(tmp_path, starts, monkeypatch):
    another = type("Slow", (prepared.Shared,), {"workers": None, "wanted_by": 0})
    monkeypatch.setattr(prepared, "Shared", another)
    # private: a minute is long for a test
    monkeypatch.setattr(prepared, "_LOAD_TIMEOUT_S", 0.2)
    with workers_ready([LocalDevice()]):
        os.kill(prepared_process(), signal.SIGSTOP)
        assert measure(LocalDevice(), tmp_path / "usual").result.runtime
        os.kill(prepared_process(), signal.SIGCONT)
        assert len(starts) == 1
        wait_for(lambda: psutil.Process(prepared_process()).cpu_times().user > 0 and not workers())


def test_nothing_runs_on_when_the_harness_is_killed(tmp_path):
    script = f"""
from pathlib import Path
from tests.bench.engines.test_prepared import *
with workers_ready([LocalDevice()]):
    process, thread, errors = in_background(LocalDevice(), Path({str(tmp_path)!r}) / "work")
    print(process.pid, prepared_process(), flush=True)
    thread.join()
"""
    child = subprocess.Popen(
        [sys.executable, "-c", script], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    )
    with child:
        numbers = [int(word) for word in child.stdout.readline().split()]
        assert len(numbers) == 2 and all(map(psutil.pid_exists, numbers))
        child.kill()
    wait_for(lambda: not any(map(alive, numbers)))


def alive(number):
    return psutil.pid_exists(number) and psutil.Process(number).status() != psutil.STATUS_ZOMBIE


def test_the_prepared_process_ends_with_the_last_who_wants_it(monkeypatch):
    monkeypatch.setattr(
        prepared, "Shared", type("Third", (prepared.Shared,), {"workers": None, "wanted_by": 0})
    )
    with workers_ready([LocalDevice()]):
        with workers_ready([LocalDevice()]):
            number = prepared_process()
        assert alive(number)
    assert not alive(number)
    assert Path("/proc").is_dir()
