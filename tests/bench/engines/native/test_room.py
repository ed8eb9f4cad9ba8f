"""A disk of the device that fills in the middle of a run: told as such, and what was timed stays in the row."""

import os
import subprocess
import time

import pytest

from harness.bench.plan import Plan
from harness.bench.run import Runner
from harness.drivers.local import LocalDevice
from harness.errors import DeviceFullError
from harness.records.records import FORMAT, RunFacts
from harness.records.store import RunStore, new_run_folder, now
from harness.rows.frame import load_results
from harness.settings import Settings
from tests.support.small_disk import small_disk


@pytest.fixture
def full(tmp_path, monkeypatch):
    """Where the tool works there is room for its own files, and not for the outputs of a batch."""
    with small_disk(tmp_path / "disk", "64k") as disk:
        monkeypatch.setenv("TMPDIR", str(disk))
        yield disk


def test_a_batch_that_fills_the_disk_is_told_as_such(native, shapes, scratch, full):
    with pytest.raises(
        DeviceFullError, match=r"no space left on local \(.*disk\): needs 2\.\d MB, has .*--clean"
    ):
        native().infer(shapes(n_images=6), scratch, lambda done, total: None)


def test_latency_that_was_measured_stays_in_the_row_when_accuracy_fails(
    native, shapes, full, recorder, tmp_path
):
    settings = Settings(repetitions=2, min_runs=3, min_seconds=0.01)
    store = RunStore(new_run_folder(tmp_path / "results"))
    store.save_run(
        RunFacts(
            format=FORMAT, run_id=store.run_id, started_at=now(), harness_version="0", command=(), seed=0,
            request={}, plan={}, environment={},
        )
    )  # fmt: skip
    cell = shapes(n_images=6, settings=settings)
    Runner(Plan((cell,), 0), native(), LocalDevice().describe(), store, recorder).run()
    row = load_results(store.folder).iloc[0]
    assert row["status"] == "failed" and row["latency_median_ms"] > 0 and row["verdict"]
    assert any("no space left on local" in reason for reason in row["reasons"])
    assert any("its latency was measured before" in reason for reason in row["reasons"])
    assert row.isna()["map"]


def test_what_a_run_left_that_was_killed_goes_at_the_next_start(
    native, shapes, scratch, tmp_path, monkeypatch
):
    work = tmp_path / "work here"
    monkeypatch.setenv("TMPDIR", str(work))
    old, in_use, young = (work / f"harness-run-harness-{name}" for name in ("a1", "b2", "c3"))
    for folder in (old, in_use, young):
        folder.mkdir(parents=True)
        (folder / "outputs.bin").write_bytes(b"x")
    with subprocess.Popen(["sleep", "60"], cwd=in_use) as process:
        for folder in (old, in_use):
            os.utime(folder, (time.time() - 3600, time.time() - 3600))
        native().time(shapes(n_images=0), 0, scratch)
        process.kill()
    assert not old.exists() and in_use.exists() and young.exists()
