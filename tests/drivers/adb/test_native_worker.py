"""`harness run` with our own worker in C through a real adbd: samples, accuracy, and everything that goes away."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from harness.bench.engines.native_worker import program, stream
from harness.bench.engines.native_worker.engine import NativeWorkerEngine
from harness.bench.engines.native_worker.place import PlacedWorker
from harness.cli.main import cli
from harness.drivers.local import LocalDevice
from harness.errors import DeviceFullError, DeviceLostError, MeasurementError
from harness.native.programs import find_program
from harness.records.records import load_records
from harness.session import prepare
from tests.support import bionic
from tests.support.processes import of_programs_below, until
from tests.support.small_disk import small_disk
from tests.support.worker_files import files, programs

__all__ = ["files", "programs"]

QUICK = ("--repetitions", "1", "--min-runs", "10", "--min-seconds", "0.01")
LOCAL_PROGRAM = """
import sys
from pathlib import Path
from harness.bench.engines.native_worker import program
from harness.native.programs import Program
found = Program(Path(sys.argv.pop(1)), sys.argv.pop(1), "")
program.find_program = lambda system, abi: found
from harness.cli.main import cli
cli()
"""
"""The command with this computer's worker in the place of Android's, as `find_program` is replaced here."""
IMAGES, KEPT, CHUNK = 20, 12, 4
KILLED_PROGRAM = LOCAL_PROGRAM.replace(
    "from harness.cli.main",
    f"""
import os, signal
from harness.bench.engines.native_worker import stream
stream.CHUNK = {CHUNK}
save, saved = stream.Chunks.save, []
def save_and_be_killed(self, entries, found):
    save(self, entries, found)
    saved.extend(entries)
    if len(saved) == {KEPT}:
        os.kill(os.getpid(), signal.SIGKILL)
stream.Chunks.save = save_and_be_killed
from harness.cli.main""",
)
"""The same, killed once a part of the images is kept: at a moment that no test could meet from outside."""


def ignore(done, total):
    """Progress that nobody looks at."""


@pytest.fixture
def phone(workspace, adbd, nothing_attached, repository, monkeypatch, tmp_path, files):
    """The words that run models on a phone whose programs are those of this computer."""
    connection = f'kind = "adb"\nhost = "127.0.0.1"\nport = {adbd.port}\nroot = "{adbd.root}"'
    library = f'litert_library = "{program.own_library()}"'
    (workspace.devices / "phone.toml").write_text(
        f'name = "phone"\n{library}\n[connection]\n{connection}\n', encoding="utf-8"
    )
    (workspace.models / "shapes").symlink_to(repository / "models" / "shapes")
    for card in (repository / "models").glob("shapes-*.toml"):
        (workspace.models / card.name).symlink_to(card)
    monkeypatch.setattr(program, "find_program", lambda system, abi: files.program)
    return ["--workspace", str(workspace.devices.parent), "run"], [
        "--device",
        "phone",
        "--output",
        str(tmp_path / "results"),
    ]


def run(phone, *words):
    before, after = phone
    done = CliRunner().invoke(cli, [*before, *words, *after, "--format", "json"], catch_exceptions=False)
    return json.loads(done.stdout), done


@pytest.fixture
def engine(adb_device, files):
    return NativeWorkerEngine(PlacedWorker(adb_device, files))


@pytest.fixture
def cell(repository):
    """The bundled example with some images, as a cell."""

    def make(n_images=6, delegate="cpu:1", model="shapes-float32"):
        from harness.bench.request import Request
        from harness.settings import Settings

        settings = Settings(repetitions=1, min_runs=10, min_seconds=0.01, limit=n_images)
        request = Request(
            models=(model,),
            delegates=(delegate,),
            workspace=str(repository),
            settings=settings,
            output="/nowhere",
        )
        (only,) = prepare(request).plan.cells
        return only

    return make


def _scratch(tmp_path, name):
    folder = tmp_path / "run" / ".scratch" / name
    folder.mkdir(parents=True)
    return folder


def test_a_phone_gives_every_sample_and_the_accuracy_of_this_computer(phone, tmp_path):
    words = ("shapes-full-integer", "--delegate", "cpu:2", "--limit", "8", *QUICK)
    (row,), done = run(phone, *words)
    assert done.exit_code == 0
    assert (row["engine"], row["status"], row["delegate_actual"]) == ("native-worker", "ok", "xnnpack")
    assert row["n_samples"] >= 10
    assert 0 < row["delegated_nodes"] < row["total_nodes"]
    before, _ = phone
    local = CliRunner().invoke(
        cli, [*before, *words, "--output", str(tmp_path / "local"), "--format", "json"]
    )
    (here,) = json.loads(local.stdout)
    figures = [name for name in row if name.startswith(("map", "ap", "ar", "delegated", "total"))]
    assert {name: row[name] for name in figures} == {name: here[name] for name in figures}
    assert row["map"] > 0


def test_quantiles_as_mlperf_s_and_loads_without_a_gap_are_measured_on_a_phone(phone, tmp_path):
    words = ("shapes-full-integer", "--delegate", "cpu:1", "--no-accuracy")
    (row,), done = run(phone, *words, "--mlperf", "--min-seconds", "0.2", "--min-runs", "70")
    assert done.exit_code == 0
    assert row["n_samples"] >= 70
    assert row["latency_p90_ms"] is not None
    (_,), done = run(phone, *words, "--sustained", "1s")
    assert done.exit_code == 0
    newest = max((tmp_path / "results").iterdir(), key=lambda path: path.stat().st_mtime)
    (stored,) = load_records(newest)
    (samples,) = stored.samples()
    gaps = samples["start_ns"][1:] - samples["start_ns"][:-1] - samples["duration_ns"][:-1]
    assert samples["start_ns"][-1] + samples["duration_ns"][-1] >= 1e9
    assert np.median(gaps) < np.median(samples["duration_ns"]), "without a gap"


def test_the_program_for_android_itself_times_and_infers_through_adbd(
    start_adbd, files, programs, cell, monkeypatch, tmp_path
):
    if not (bionic.is_possible() and bionic.is_root()):
        pytest.skip("a program for Android cannot be started here")
    with bionic.linker_in_place(), monkeypatch.context() as patch:
        for name, value in bionic.environment().items():
            patch.setenv(name, value)
        daemon = start_adbd()
        patch.undo()
        device = daemon.device()
        android = replace(files, program=find_program("android", "x86_64", programs))
        phone = NativeWorkerEngine(PlacedWorker(device, android))
        timed = phone.time(cell(), 0, _scratch(tmp_path, "0"))
        ours = phone.infer(cell(), _scratch(tmp_path, "1"), ignore)
        device.close()
    here = NativeWorkerEngine(PlacedWorker(LocalDevice(), files)).infer(
        cell(), _scratch(tmp_path, "2"), ignore
    )
    assert (timed.facts.status, timed.facts.delegate.actual) == ("ok", "xnnpack")
    assert timed.samples["steady"].sum() >= 10
    assert ours.detections.read_bytes() == here.detections.read_bytes()


def test_a_warm_cell_takes_two_round_trips(engine, cell, adb_device, tmp_path):
    engine.time(cell(), 0, _scratch(tmp_path, "0"))
    before = adb_device.round_trips
    engine.time(cell(), 1, _scratch(tmp_path, "1"))
    assert adb_device.round_trips - before == 2


def test_a_worker_that_is_killed_there_is_one_failed_row(engine, cell, adbd, tmp_path):
    def kill(done, total):
        if done == 2:
            for pid in of_programs_below(adbd.root):
                os.kill(pid, signal.SIGKILL)

    with pytest.raises(MeasurementError, match="SIGKILL"):
        engine.infer(cell(60), _scratch(tmp_path, "0"), kill)
    assert engine.time(cell(1), 0, _scratch(tmp_path, "1")).facts.status == "ok"


def test_an_accuracy_run_goes_on_when_the_phone_is_back(engine, cell, adbd, tmp_path, monkeypatch):
    monkeypatch.setattr("harness.bench.engines.native_worker.stream.CHUNK", 4)
    whole = engine.infer(cell(24), _scratch(tmp_path, "whole"), ignore).detections.read_bytes()

    def unplug(done, total):
        if done == 10:
            adbd.kill()

    with pytest.raises(DeviceLostError):
        engine.infer(cell(24), _scratch(tmp_path, "cut"), unplug)
    adbd.start()
    kept = list((tmp_path / "run" / ".partial" / cell(24).id).glob("*.json"))
    assert 2 <= len(kept) < 6
    again = engine.infer(cell(24), _scratch(tmp_path, "again"), ignore)
    assert again.detections.read_bytes() == whole
    until(lambda: not of_programs_below(adbd.root), "a worker lives on")


def test_a_phone_without_room_says_what_is_needed(adbd, cell, tmp_path, files):
    with small_disk(Path(adbd.root), "3m"):
        device = adbd.device()
        worker = PlacedWorker(device, files)
        with pytest.raises(DeviceFullError, match=r"needs .*MB"):
            NativeWorkerEngine(worker).time(cell(1), 0, _scratch(tmp_path, "0"))
        device.close()


def test_a_harness_that_is_killed_leaves_no_worker_there_and_its_run_is_kept(phone, adbd, tmp_path, files):
    before, after = phone
    found = files.program
    words = ["shapes-float32", "--delegate", "cpu:1", "--no-accuracy", "--sustained", "60s"]
    command = [sys.executable, "-c", LOCAL_PROGRAM, str(found.path), found.sha256, *before, *words, *after]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until(lambda: of_programs_below(adbd.root), "no worker was started")
    process.kill()
    process.wait()
    until(lambda: not of_programs_below(adbd.root), "the worker lives on")
    (folder,) = (tmp_path / "results").iterdir()
    assert json.loads((folder / "run.json").read_bytes())["request"]["devices"] == ["phone"]


def test_an_accuracy_run_whose_harness_was_killed_goes_on_and_does_nothing_twice(
    phone, adbd, tmp_path, files, monkeypatch
):
    before, after = phone
    monkeypatch.setattr(stream, "CHUNK", CHUNK)
    words = ["shapes-full-integer", "--delegate", "cpu:1", "--no-latency", "--limit", str(IMAGES)]
    (whole,), _ = run(phone, *words)
    after = [word if word != str(tmp_path / "results") else str(tmp_path / "killed") for word in after]
    found = files.program
    command = [sys.executable, "-c", KILLED_PROGRAM, str(found.path), found.sha256, *before, *words, *after]
    killed = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    until(lambda: not of_programs_below(adbd.root), "the worker lives on")
    sent, infer_command = [], stream.infer_command
    monkeypatch.setattr(
        stream, "infer_command", lambda *given, **kw: sent.append(1) or infer_command(*given, **kw)
    )
    (folder,) = (tmp_path / "killed").iterdir()
    done = CliRunner().invoke(
        cli, [*before, "--resume", str(folder), "--format", "json"], catch_exceptions=False
    )
    (again,) = json.loads(done.stdout)
    assert len(sent) == IMAGES - KEPT
    assert again["run_id"] == folder.name and again["status"] == whole["status"] == "ok"
    figures = [name for name in whole if name.startswith(("map", "ap", "ar", "n_images"))]
    assert {name: again[name] for name in figures} == {name: whole[name] for name in figures}
    assert whole["map"] > 0


def test_both_engines_are_held_against_each_other_in_one_command(phone, tmp_path):
    from tests.support.launcher import make_launcher

    (tmp_path / "tool").mkdir()
    tool = make_launcher(tmp_path / "tool")
    words = ("shapes-full-integer", "--delegate", "cpu:1", "--no-accuracy", "--check-engines")
    times = ("--repetitions", "4", "--min-runs", "5", "--min-seconds", "0.01")
    (row,), done = run(phone, *words, *times, "--benchmark-binary", str(tool))
    assert (row["base_engine"], row["new_engine"]) == ("benchmark_model", "native-worker")
    assert row["low"] <= row["difference_percent"] <= row["high"]
    assert done.exit_code == 0
    folders = sorted((tmp_path / "results").iterdir())
    apart = CliRunner().invoke(cli, ["compare", *map(str, folders)])
    assert apart.exit_code != 0
    assert "engine is 'benchmark_model'" in str(apart.exception)
    together = CliRunner().invoke(
        cli, ["compare", *map(str, folders), "--across-engines", "--format", "json"]
    )
    assert len(json.loads(together.stdout)) == 1


def test_a_delegate_that_the_worker_lacks_is_benchmark_model_s_or_skipped(phone, tmp_path):
    from tests.support.launcher import make_launcher

    (tmp_path / "tool").mkdir()
    tool = make_launcher(tmp_path / "tool")
    words = ("shapes-full-integer", "--delegate", "nnapi", "--delegate", "cpu:1", "--no-accuracy", *QUICK)
    rows, _ = run(phone, *words, "--benchmark-binary", str(tool))
    assert [row["engine"] for row in rows] == ["benchmark_model", "native-worker"]
    rows, _ = run(phone, *words, "--engine", "worker")
    assert [row["status"] for row in rows] == ["skipped", "ok"]
    assert "our own worker has no nnapi" in rows[0]["reasons"][0]
