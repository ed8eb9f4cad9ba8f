"""Our own worker on a board, behind a real sshd: the same figures as here, few round trips, and nothing lost."""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace

import pytest

from harness.bench.engines import board_worker as remote_worker
from harness.bench.engines.board_worker import BoardWorker
from harness.bench.engines.choose import find_engine
from harness.bench.engines.native.engine import NativeEngine
from harness.bench.engines.python_worker import PythonWorker
from harness.cli.main import main
from harness.drivers.local import LocalDevice
from harness.errors import DeviceError, DeviceLostError, MeasurementError
from harness.rows.summary import summarize_record
from harness.rows.verdict import judge
from harness.session import carry_out
from tests.support.launcher import make_launcher


@pytest.fixture(autouse=True)
def own_lock(tmp_path, monkeypatch):
    """Boards of other tests are this computer too."""
    monkeypatch.setattr(remote_worker, "LOCK", str(tmp_path / "busy"))


@pytest.fixture
def board(sshd):
    sshd.offer_python()
    return sshd


@pytest.fixture
def worker(board):
    device = board.device()
    yield BoardWorker(device, cores=2)
    device.close()


@pytest.fixture
def cell(prepared):
    """One cell of the bundled example."""

    def make(**changes):
        request = {"models": ("shapes-full-integer",), "delegates": ("cpu:1",), **changes}
        return prepared(**request).plan.cells[0]

    return make


@pytest.fixture
def scratch(tmp_path):
    folders = iter(range(1000))

    def make():
        folder = tmp_path / "run" / ".scratch" / f"cell-{next(folders)}"
        folder.mkdir(parents=True)
        return folder

    return make


def with_accuracy(quick, **changes):
    return replace(quick, accuracy=True, latency=False, **changes)


def ignore(done, total):
    """Progress that nobody looks at."""


def test_a_process_gives_every_sample_and_the_proof_of_what_ran(worker, cell, scratch):
    timed = worker.time(cell(), 1, scratch())
    facts = timed.facts
    assert timed.samples is not None and timed.samples.size >= 3
    assert (facts.index, facts.status) == (1, "ok")
    assert facts.runtime.startswith(("ai-edge-litert ", "tflite-runtime "))
    assert facts.delegate.requested == "cpu:1"
    assert facts.delegate.actual == "xnnpack"
    assert 0 < facts.delegate.delegated_nodes <= facts.delegate.total_nodes
    assert "DELEGATE node(s)" in facts.delegate.evidence[0]
    assert facts.telemetry.before.probe_ns > 0 and facts.telemetry.after.probe_ns > 0


def test_a_warm_cell_costs_three_round_trips_and_a_cold_one_two_more(worker, cell, scratch):
    one = cell()
    worker.device.run(["true"], timeout_s=60)
    costs = []
    for repetition in range(3):
        before = worker.device.round_trips
        worker.time(one, repetition, scratch())
        costs.append(worker.device.round_trips - before)
    assert costs == [5, 3, 3]


def test_nothing_but_what_is_kept_by_content_stays_on_the_board(worker, cell, scratch, board):
    worker.time(cell(), 0, scratch())
    root = board.home / ".cache" / "ondevice-harness"
    assert list((root / "runs").iterdir()) == []
    worker.device.forget()
    assert not root.exists()


@pytest.mark.parametrize("model", ["shapes-float32", "shapes-full-integer"])
def test_the_detections_are_those_of_this_computer_to_the_last_bit(worker, cell, scratch, quick, model):
    one = cell(models=(model,), settings=with_accuracy(quick, limit=24))
    here, there = scratch(), scratch()
    local = PythonWorker(LocalDevice()).infer(one, here, ignore)
    remote = worker.infer(one, there, ignore)
    assert json.loads(local.detections.read_text()) == json.loads(remote.detections.read_text())
    assert (remote.n_images, remote.unreadable, remote.delegate.actual) == (24, (), local.delegate.actual)


def test_the_map_of_a_real_model_over_ssh_is_the_local_one(prepared, board, shared_data, quick, recorder):
    """The published 0.193 belongs to every image; the same bytes must give the same figures on any ten."""
    settings = with_accuracy(quick, limit=10)
    request = {
        "models": (str(shared_data / "models" / "ssd_mobilenet_v1_coco_quant.tflite"),),
        "dataset": str(shared_data / "coco50"),
        "delegates": ("cpu:1",),
        "settings": settings,
    }
    local, remote = (
        carry_out(prepared(devices=(device,), **request), recorder).records[0]
        for device in ("local", board.url)
    )
    assert remote.accuracy.status == local.accuracy.status == "ok"
    assert remote.accuracy.figures == local.accuracy.figures
    assert remote.accuracy.ap_per_category == local.accuracy.ap_per_category
    assert local.accuracy.figures.map > 0.1


def test_an_image_that_cannot_be_read_is_named_as_here(worker, cell, scratch, quick, tmp_path):
    one = cell(settings=with_accuracy(quick, limit=3))
    broken, gone = tmp_path / "broken.jpg", tmp_path / "gone.jpg"
    broken.write_bytes(b"no image")
    entries = one.dataset.images
    images = (replace(entries[0], path=broken), replace(entries[1], path=gone), *entries[2:])
    one = replace(one, dataset=replace(one.dataset, images=images))
    found = worker.infer(one, scratch(), ignore)
    assert found.n_images == 1
    assert [text.partition(":")[0] for text in found.unreadable] == ["broken.jpg", "gone.jpg"]


def test_progress_is_told_while_the_board_works(worker, cell, scratch, quick):
    told = []
    worker.infer(cell(settings=with_accuracy(quick, limit=60)), scratch(), lambda *n: told.append(n))
    assert told and all(0 < done <= total == 60 for done, total in told)


# What goes wrong there


def test_a_worker_that_dies_is_a_failed_cell_with_the_signal(board, cell, scratch):
    board.offer("python3", "kill -SEGV $$")
    device = board.device()
    with pytest.raises(MeasurementError, match="the worker died of SIGSEGV") as caught:
        BoardWorker(device).time(cell(), 0, scratch())
    assert caught.value.status == "failed"
    assert list((board.home / ".cache" / "ondevice-harness" / "runs").iterdir()) == []
    device.close()


def test_a_worker_that_hangs_is_killed_and_a_timeout(board, cell, scratch, monkeypatch):
    board.offer("python3", "sleep 60")
    monkeypatch.setattr("harness.bench.engines.python_worker.START_TIMEOUT_S", -19.0)
    device, one = board.device(), cell()
    one = replace(one, settings=replace(one.settings, max_seconds=10.0))
    begin = time.monotonic()
    with pytest.raises(MeasurementError, match=r"gave no result within .* and was killed") as caught:
        BoardWorker(device).time(one, 0, scratch())
    assert caught.value.status == "timeout"
    assert time.monotonic() - begin < 30
    device.close()


def test_a_worker_that_says_what_is_wrong_is_heard(worker, cell, scratch, tmp_path):
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(b"\x1c\0\0\0TFL3" + bytes(100))
    one = cell()
    one = replace(one, model=replace(one.model, file=broken))
    with pytest.raises(MeasurementError, match="ValueError"):
        worker.time(one, 0, scratch())


def test_a_board_without_room_for_the_result_fails_a_cell_with_that_reason(worker, cell, scratch, board):
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("a small disk needs root on Linux")
    work = board.home / ".cache" / "ondevice-harness" / "runs"
    work.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", str(work)], check=True)
    try:
        with pytest.raises((MeasurementError, DeviceError), match=r"No space left|no folder to work in"):
            worker.time(cell(), 0, scratch())
    finally:
        subprocess.run(["umount", "-l", str(work)], check=True)


def test_a_board_that_goes_away_is_lost_and_measured_when_it_is_back(worker, cell, scratch, board):
    worker.device.run(["true"], timeout_s=60)
    serving = [str(p.pid) for p in board.daemons() if p.pid != board.process.pid]
    board.offer("python3", f"kill -9 {' '.join(serving)}; sleep 20")
    with pytest.raises(DeviceLostError):
        worker.time(cell(), 0, scratch())
    board.offer_python()
    assert worker.time(cell(), 0, scratch()).facts.status == "ok"


def test_a_run_goes_on_when_a_board_is_back(prepared, board, recorder):
    class Unplugging(type(recorder)):
        def task(self, task):
            super().task(task)
            if len(self.tasks) == 2:
                board.kill()

        def waiting(self, task, seconds, limit):
            super().waiting(task, seconds, limit)
            if board.process.poll() is not None:
                board.start()

    seen = Unplugging()
    ready = prepared(models=("shapes-full-integer",), delegates=("cpu:1",), devices=(board.url,))
    outcome = carry_out(ready, seen)
    assert not outcome.failed and [p.index for p in outcome.records[0].processes] == [0, 1]
    assert seen.waits and "a new attempt" in outcome.records[0].processes[1].reasons[0]


def test_two_harnesses_never_measure_on_one_board_at_the_same_time(worker, cell, scratch, tmp_path):
    looked = []
    with (tmp_path / "busy").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)

        def end_the_other(seconds):
            looked.append(seconds)
            if len(looked) == 3:
                fcntl.flock(lock, fcntl.LOCK_UN)

        timed = replace(worker, sleep=end_the_other).time(cell(), 0, scratch())
    assert timed.facts.status == "ok"
    assert looked == [remote_worker.POLL_S] * 3


def test_a_board_that_is_never_free_is_given_up_with_the_reason(worker, cell, scratch, tmp_path, monkeypatch):
    monkeypatch.setattr(remote_worker, "BUSY_S", 0.0)
    with (tmp_path / "busy").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(MeasurementError, match="another harness has been measuring"):
            worker.time(cell(), 0, scratch())


def test_a_board_that_lacks_what_images_need_is_timed_and_says_so(prepared, board, cell, quick, scratch):
    told = '{"version": [3, 11, 2], "packages": {"numpy": "2", "ai-edge-litert": "2.3"}}'
    board.offer(
        "python3",
        f"""case "$2" in *importlib.metadata*) echo '{told}';; *) exec "{sys.executable}" "$@";; esac""",
    )
    ready = prepared(devices=(board.url,), settings=replace(quick, accuracy=True))
    (engine,) = ready.engines
    one = ready.plan.cells[0]
    assert engine.time(one, 0, scratch()).facts.status == "ok"
    with pytest.raises(MeasurementError, match="its Python lacks msgspec, pillow; install it there"):
        engine.infer(one, scratch(), ignore)


def test_a_native_tool_that_is_given_is_used_on_a_board_and_gives_the_same_map(
    prepared, board, repository, tmp_path, recorder, quick
):
    (tmp_path / "tool").mkdir()
    tool = make_launcher(tmp_path / "tool")
    board.offer("vcgencmd", "echo throttled=0x50005")
    common = {"models": ("shapes-full-integer",), "delegates": ("cpu:1",)}
    settings = replace(quick, accuracy=True, limit=6)
    ready = prepared(devices=(board.url,), benchmark_binary=str(tool), settings=settings, **common)
    assert isinstance(find_engine(ready.stations[0], ready.request), NativeEngine)
    (record,) = carry_out(ready, recorder).records
    assert (record.status, record.delegate.actual) == ("ok", "xnnpack")
    assert record.processes[0].telemetry.after.firmware_flags == 0x50005
    here = carry_out(prepared(settings=replace(settings, latency=False), **common), recorder).records[0]
    assert record.accuracy.figures == here.accuracy.figures


# The whole run


def test_what_the_firmware_of_a_raspberry_pi_says_is_in_the_record_and_in_the_verdict(
    prepared, board, recorder
):
    board.offer("vcgencmd", "echo throttled=0x50005")
    ready = prepared(devices=(board.url,), models=("shapes-full-integer",), delegates=("cpu:1",))
    assert ready.stations[0].info.facts["firmware_flags"] == "0x50005"
    outcome = carry_out(ready, recorder)
    (record,) = outcome.records
    assert record.device.kind == "ssh"
    assert record.processes[0].telemetry.before.firmware_flags == 0x50005
    from harness.records.records import load_records

    judgement = judge(record, summarize_record(load_records(outcome.folder)[0]))
    assert judgement.verdict == "throttled"
    assert any(
        "its voltage was too low, it was throttled: use the power supply" in r for r in judgement.reasons
    )


def run_cli(board, tmp_path, *words, **settings):
    command = [sys.executable, "-m", "harness", "run", "--output", str(tmp_path / "results"), *words]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path, **settings
    )


@pytest.fixture
def in_process(tmp_path, monkeypatch, capsys):
    """Call `harness run` in this process: what measures is a process of the board's anyway."""
    monkeypatch.chdir(tmp_path)

    def call(*words):
        with pytest.raises(SystemExit) as ended:
            main(["run", "--output", str(tmp_path / "results"), *words])
        out, err = capsys.readouterr()
        assert "Traceback" not in err, err
        return ended.value.code, out, err

    return call


TWO = ["shapes-float32", "shapes-full-integer"]
SHORT = ["--repetitions", "2", "--min-seconds", "0.02", "--min-runs", "3", "--limit", "5"]


def test_the_command_measures_the_example_on_a_board(board, in_process):
    words = [*TWO, "--device", board.url, "--delegate", "cpu:1", *SHORT, "--format", "json"]
    status, out, err = in_process(*words)
    assert status == 0, err
    rows = json.loads(out)
    assert len(rows) == 2
    for row in rows:
        assert (row["device_kind"], row["status"], row["delegate_actual"]) == ("ssh", "ok", "xnnpack")
        assert row["device"] == f"127.0.0.1-{board.port}"
        assert row["n_samples"] >= 6 and row["latency_median_ms"] > 0 and row["n_images"] == 5


def test_a_dry_run_reaches_the_board_and_measures_nothing(board, in_process, tmp_path):
    status, out, err = in_process("--device", board.url, "--dry-run")
    assert status == 0, err
    assert "shapes-float32" in out
    assert not (tmp_path / "results").exists() or not list((tmp_path / "results").iterdir())
    assert not (board.home / ".cache" / "ondevice-harness" / "runs").exists()


def test_a_killed_run_is_resumed_on_the_board_and_nothing_runs_on_there(board, tmp_path):
    timing = ["--repetitions", "2", "--min-seconds", "0.5", "--no-accuracy"]
    words = [*TWO, "--device", board.url, "--delegate", "cpu:1", *timing]
    run = run_cli(board, tmp_path, *words, start_new_session=True)
    deadline = time.monotonic() + 200
    while not list(tmp_path.glob("results/*/cells/*/record.json")) and time.monotonic() < deadline:
        time.sleep(0.05)
    run.send_signal(signal.SIGKILL)
    run.communicate()
    assert list(tmp_path.glob("results/*/cells/*/record.json"))
    with run_cli(board, tmp_path, "--resume", "--format", "json") as again:
        out, err = again.communicate(timeout=200)
    assert again.returncode == 0, err
    rows = json.loads(out)
    assert [row["status"] for row in rows] == ["ok"] * 2


def test_an_unknown_host_key_ends_the_command_with_the_fingerprint(board, in_process):
    board.known_hosts.write_text("")
    status, _, err = in_process("--device", board.url, *SHORT)
    assert status == 1
    assert board.fingerprint() in err.replace("\n", "").replace(" ", "") or board.fingerprint() in err


def test_threads_of_two_boards_do_not_wait_for_each_other(prepared, board, sshd_module, tmp_path, recorder):
    """Two boards of one run are measured at the same time, each in a thread of its own."""
    other = sshd_module.Sshd(tmp_path / "other")
    try:
        other.offer_python()
        board.known_hosts.write_text(board.known_hosts.read_text() + other.known_hosts.read_text())
        shutil.copy(board.key.with_suffix(".pub"), other.folder / "authorized_keys")
        ready = prepared(
            devices=(board.url, other.url), models=("shapes-full-integer",), delegates=("cpu:1",)
        )
        before = threading.active_count()
        records = carry_out(ready, recorder).records
        assert sorted(r.device.name for r in records) == sorted(s.device.name for s in ready.stations)
        assert {r.status for r in records} == {"ok"}
        assert threading.active_count() <= before
    finally:
        other.kill()


# Delegates from a library


@pytest.mark.parametrize(
    ("options", "status", "actual"),
    [
        ((("take", "LOGISTIC"),), "partial", "external"),
        ((("take", "none"),), "fallback", "xnnpack"),
        ((("crash", "prepare"),), "failed", "unknown"),
    ],
    ids=["some", "none", "crash"],
)
def test_a_library_of_this_computer_is_taken_to_the_board_and_its_share_is_proven(
    prepared, board, recorder, delegate_library, options, status, actual
):
    ready = prepared(
        devices=(board.url,),
        models=("shapes-float32",),
        delegates=(f"external:{delegate_library}",),
        delegate_options=options,
    )
    (record,) = carry_out(ready, recorder).records
    assert (record.status, record.delegate.actual) == (status, actual), record.reasons
    kept = list((board.home / ".cache" / "ondevice-harness").glob("*/libstand_in.so"))
    assert [path.read_bytes() for path in kept] == [delegate_library.read_bytes()]


def test_operator_times_are_recorded_on_the_board(prepared, board, recorder, quick):
    ready = prepared(
        devices=(board.url,),
        models=("shapes-float32",),
        delegates=("cpu:1",),
        settings=replace(quick, operators=True),
    )
    (record,) = carry_out(ready, recorder).records
    assert record.operators.status == "ok", record.operators.reasons
    assert record.operators.n_inferences > 0
