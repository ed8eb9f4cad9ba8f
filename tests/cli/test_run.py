"""`harness run` as a user runs it."""

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.cli.main import main

QUICK = ("--repetitions", "2", "--min-runs", "2", "--min-seconds", "0.02")


@pytest.fixture
def harness(tmp_path, repository):
    """Run the command line in a folder of its own; returns (exit status, stdout, stderr)."""

    def call(*args, cwd=tmp_path, **settings):
        command = [sys.executable, "-m", "harness", "--workspace", str(repository), *map(str, args)]
        environment = {**os.environ, "PYTHONPATH": str(repository), "COLUMNS": "100", "NO_COLOR": "1"}
        ended = subprocess.run(
            command,
            cwd=cwd,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
            **settings,
        )
        assert "Traceback" not in ended.stderr, ended.stderr
        return ended.returncode, ended.stdout, ended.stderr

    return call


@pytest.fixture
def in_process(tmp_path, repository, monkeypatch, capsys):
    """Do the same in this process, which saves its start: what measures is a process of its own anyway."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")

    def call(*args):
        with pytest.raises(SystemExit) as ended:
            main(["--workspace", str(repository), *map(str, args)])
        out, err = capsys.readouterr()
        assert "Traceback" not in err, err
        return ended.value.code, out, err

    return call


def test_data_goes_to_stdout_and_everything_else_to_stderr(harness, tmp_path):
    status, out, err = harness(
        "run",
        "shapes-float32",
        "--delegate",
        "cpu:1",
        "--limit",
        "20",
        *QUICK,
        "--format",
        "json",
        "--output",
        "r",
    )
    assert status == 0, err
    (row,) = json.loads(out)
    assert row["model"] == "shapes-float32" and row["status"] == "ok" and row["delegate_actual"] == "xnnpack"
    assert row["n_images"] == 20 and 0 <= row["map"] <= 1 and row["latency_median_ms"] > 0
    assert (tmp_path / "r" / row["run_id"] / "run.json").is_file()
    assert "latency" in err


def test_the_table_fits_100_columns_and_says_where_the_records_are(in_process, tmp_path):
    status, out, _ = in_process(
        "run", "shapes-float32", "--delegate", "cpu:1", "--no-accuracy", *QUICK, "--output", tmp_path / "r"
    )
    assert status == 0
    assert max(map(len, out.splitlines())) <= 100
    assert "shapes-float32" in out and "records: r" in out


def test_report_shows_a_stored_run_again(in_process, tmp_path):
    _, first, _ = in_process(
        "run", "shapes-float32", "--no-accuracy", *QUICK, "--format", "json", "--output", "r"
    )
    status, again, _ = in_process("report", "r", "--format", "json")
    assert status == 0 and json.loads(again) == json.loads(first)
    status, text, _ = in_process("report", "r", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["delegate_requested"] for row in rows] == ["cpu:1", "cpu:2"]


def test_a_bare_model_gets_a_card_that_is_shown(in_process, repository):
    model = repository / "models" / "shapes" / "shapes_float32.tflite"
    status, out, err = in_process(
        "run", model, "--delegate", "cpu:1", "--no-accuracy", *QUICK, "--format", "json", "--output", "r"
    )
    assert status == 0, err
    assert "worked out from the file" in err and "144" in err
    assert json.loads(out)[0]["model"] == "shapes_float32"


def test_a_dry_run_measures_nothing(in_process, tmp_path):
    status, out, err = in_process("run", "--dry-run", "--format", "json", "--output", "r")
    rows = json.loads(out)
    assert status == 0 and len(rows) == 12
    assert all(row["processes"] == 5 and row["n_images"] == 220 and row["seconds"] > 0 for row in rows)
    assert "Nothing was measured" in err
    assert not list((tmp_path / "r").glob("*/run.json"))


def test_a_plan_and_options_on_top_of_it(in_process, tmp_path):
    (tmp_path / "plan.toml").write_text(
        'models = ["shapes-float32"]\ndelegates = ["cpu:1"]\nrepetitions = 4\n'
    )
    status, out, _ = in_process("run", "plan.toml", "--dry-run", "--format", "json", "--repetitions", "3")
    assert status == 0 and [row["processes"] for row in json.loads(out)] == [3]
    status, _, err = in_process("run", "plan.toml", "shapes-float16")
    assert status == 2 and "names its models itself" in err


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (("shapes-float23",), "shapes-float32"),
        (("shapes-float32", "--delegate", "gpuu"), "gpu"),
        (("shapes-float32", "--device", "locla"), "local"),
        (("shapes-float32", "--limit", "0"), "--limit: found 0"),
        (("shapes-float32", "--repetitions", "0"), "--repetitions: found 0"),
        (("shapes-float32", "--no-accuracy", "--no-latency"), "nothing to do"),
        (("missing.tflite",), "missing.tflite"),
        (("shapes-float32", "--dataset", "missing"), "missing"),
        (("shapes-float32", "--sustained", "soon"), "10m"),
        (("shapes-float32", "--delegate-option", "fast"), "KEY=VALUE"),
        (("shapes-float32", "--delegate-option", "a=b"), "none of the delegates takes options"),
        (("shapes-float32", "--device", "coral-usb:7x"), "coral-usb"),
        (("shapes-float32", "--switch-models", "--no-accuracy"), "is the only model"),
        (("shapes-float32", "--mlperf", "--sustained", "1m"), "just one of"),
        (("--resume",), "nothing to resume"),
        (("shapes-float32", "--resume"), "give no MODEL"),
    ],
)
def test_wrong_use_exits_with_2_and_one_readable_message(in_process, args, text):
    status, out, err = in_process("run", *args, "--output", "r")
    assert status == 2 and out == ""
    assert text in err


def test_a_model_for_the_edge_tpu_is_refused_with_the_delegate_to_use(in_process, tmp_path, repository):
    """The custom operator's name is put into a real file, in place of one of the same length."""
    data = (repository / "models" / "shapes" / "shapes_float32.tflite").read_bytes()
    name = b"TFLite_Detection_PostProcess"
    assert data.count(name) >= 1
    (tmp_path / "tpu.tflite").write_bytes(data.replace(name, b"edgetpu-custom-op\0".ljust(len(name), b"\0")))
    status, _, err = in_process("run", "tpu.tflite", "--no-accuracy", "--output", "r")
    assert status == 2 and "edgetpu" in err


def test_an_operator_that_nobody_knows_is_named(in_process, tmp_path, repository):
    data = (repository / "models" / "shapes" / "shapes_float32.tflite").read_bytes()
    data = data.replace(b"TFLite_Detection_PostProcess", b"TFLite_Detection_PostXrocess")
    (tmp_path / "odd.tflite").write_bytes(data)
    status, _, err = in_process("run", "odd.tflite", "--no-accuracy", "--output", "r")
    assert status == 2 and "TFLite_Detection_PostXrocess" in err


def test_an_unreadable_image_among_good_ones_is_counted_and_the_run_goes_on(in_process, tmp_path, repository):
    source = repository / "models" / "shapes" / "dataset"
    shutil.copytree(source, tmp_path / "data")
    broken = sorted((tmp_path / "data" / "images").iterdir())[1]
    broken.write_bytes(broken.read_bytes()[:500])
    status, out, _ = in_process(
        "run", "shapes-float32", "--delegate", "cpu:1", "--no-latency", "--dataset", "data", "--limit", "20",
        "--format", "json", "--output", "r",
    )  # fmt: skip
    (row,) = json.loads(out)
    assert status == 0 and row["n_images"] == 19 and row["status"] == "ok"
    assert any("1 of 20 images" in reason and broken.name in reason for reason in row["reasons"])
    assert row["checks"] == []
    (record,) = (json.loads(path.read_text()) for path in tmp_path.glob("r/*/cells/*/record.json"))
    assert record["accuracy"]["unreadable_ids"] == [2]


def test_the_figures_are_those_of_the_images_that_could_be_read(in_process, tmp_path, repository):
    shutil.copytree(repository / "models" / "shapes" / "dataset", tmp_path / "data")
    for broken in sorted((tmp_path / "data" / "images").iterdir())[2:5]:
        broken.write_bytes(b"")
    run = (
        "run",
        "shapes-float32",
        "--delegate",
        "cpu:1",
        "--no-latency",
        "--format",
        "json",
        "--output",
        "r",
    )
    _, out, _ = in_process(*run, "--dataset", "data", "--limit", "20")
    (row,) = json.loads(out)
    (path,) = tmp_path.glob("r/*/cells/*/detections.json")
    ids = [number for number in range(1, 21) if number not in {3, 4, 5}]
    (tmp_path / "ids.txt").write_text("\n".join(map(str, ids)))
    _, out, _ = in_process(
        "evaluate",
        "--annotations",
        "data",
        "--detections",
        str(path),
        "--image-ids",
        "ids.txt",
        "--format",
        "json",
    )
    assert row["map"] == json.loads(out)[0]["map"]
    (check,) = row["checks"]
    assert (check["name"], check["verdict"]) == ("images unreadable", "incomplete")
    assert check["figures"] == {"unreadable": 3, "images": 17}


@pytest.mark.parametrize(("n_broken", "expected"), [(2, "partial-data"), (20, "failed")])
def test_more_than_a_twentieth_unreadable_is_no_accuracy_of_the_data(
    in_process, tmp_path, repository, n_broken, expected
):
    shutil.copytree(repository / "models" / "shapes" / "dataset", tmp_path / "data")
    for broken in sorted((tmp_path / "data" / "images").iterdir())[:n_broken]:
        broken.write_bytes(b"")
    status, out, _ = in_process(
        "run", "shapes-float32", "--delegate", "cpu:1", "--no-latency", "--dataset", "data", "--limit", "20",
        "--format", "json", "--output", "r",
    )  # fmt: skip
    (row,) = json.loads(out)
    assert (row["status"], row["n_images"]) == (expected, 20 - n_broken)
    assert (row["map"] is None) == (status == 1) == (expected == "failed")


def test_ctrl_c_keeps_the_records_exits_130_and_prints_the_resume_command(harness, tmp_path, repository):
    command = [
        *(sys.executable, "-m", "harness", "--workspace", str(repository)),
        *(
            "run",
            "shapes-float32",
            "--no-accuracy",
            "--repetitions",
            "20",
            "--min-seconds",
            "1",
            "--output",
            "r",
        ),
    ]
    environment = {**os.environ, "PYTHONPATH": str(repository)}
    child = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=-1, stderr=-1, text=True)
    deadline = time.monotonic() + 200
    while time.monotonic() < deadline and not list((tmp_path / "r").glob("*/cells/*/record.json")):
        time.sleep(0.05)
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=120)
    assert child.returncode == 130, err
    (run,) = (path.parent for path in (tmp_path / "r").glob("*/run.json"))
    assert f"harness run --resume {run.resolve()}" in err and "Traceback" not in err
    before = {path: json.loads(path.read_text()) for path in run.glob("cells/*/record.json")}
    assert before and not all(record["complete"] for record in before.values())
    status, out, _ = harness("report", run, "--format", "json")
    assert status == 0 and len(json.loads(out)) == len(before)


def test_a_run_that_was_killed_is_resumed_and_every_cell_is_there_once(harness, tmp_path, repository):
    chance, rounds = __import__("random").Random(4), 0
    base = (sys.executable, "-m", "harness", "--workspace", str(repository), "run")
    environment = {**os.environ, "PYTHONPATH": str(repository)}
    args = (
        "--no-accuracy",
        "--repetitions",
        "2",
        "--min-runs",
        "1",
        "--min-seconds",
        "0.01",
        "--output",
        "r",
    )
    finished: dict[str, str] = {}
    begun = time.monotonic()
    subprocess.run([*base, "--dry-run"], cwd=tmp_path, env=environment, check=True, stdout=-3, stderr=-3)
    pace = max(1.0, time.monotonic() - begun)  # a busy machine needs longer to begin
    while rounds < 4:
        runs = list((tmp_path / "r").glob("*/run.json"))
        resume = ("--resume", runs[0].parent.name, "--output", "r") if runs else args
        child = subprocess.Popen(
            [*base, *resume], cwd=tmp_path, env=environment, stdout=-3, stderr=-3, start_new_session=True
        )
        time.sleep(chance.uniform(0.8, 3.0) * pace)
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        rounds += 1
        for path in tmp_path.glob("r/*/cells/*/record.json"):
            record = json.loads(path.read_text())
            if record["cell"] in finished:
                assert finished[record["cell"]] == path.read_text(), "a finished cell was measured again"
            if record["complete"]:
                finished[record["cell"]] = path.read_text()
    runs = list((tmp_path / "r").glob("*/run.json"))
    assert len(runs) == 1
    status, out, err = harness("run", "--resume", runs[0].parent.name, "--output", "r", "--format", "json")
    assert status == 0, err
    rows = json.loads(out)
    keys = [(row["model"], row["delegate_requested"]) for row in rows]
    assert len(keys) == len(set(keys)) == 12 and {row["status"] for row in rows} == {"ok"}
    assert {Path(path).parent.name for path in tmp_path.glob("r/*/cells/*/record.json")} >= set(finished)
