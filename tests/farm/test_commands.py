"""The commands: a farm is listed, a run is shown, what is wrong is a sentence."""

import json
from types import SimpleNamespace

import pytest

from harness.bench.plan import Task
from harness.cli.farm_progress import FarmShown
from harness.cli.main import main


@pytest.fixture
def harness(farm, tmp_path, monkeypatch, capsys):
    """Call a command in this process: what measures is a process of a host's anyway."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HARNESS_CACHE", str(farm.cache))

    def call(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(list(map(str, arguments)))
        out, err = capsys.readouterr()
        assert "Traceback" not in err, err
        return SimpleNamespace(returncode=ended.value.code, stdout=out, stderr=err)

    return call


def test_the_devices_of_a_farm_are_listed_with_their_hosts_and_kinds(farm, harness):
    ended = harness("devices", "--scheduler", farm.address, "--format", "json")
    rows = json.loads(ended.stdout)
    assert [(row["name"], row["host"]) for row in rows] == [
        (f"{name}@{host}", host) for host in ("a", "b") for name in ("fake-1", "fake-2", "local")
    ]
    assert set(rows[0]) == {
        *("name", "kind", "address", "state", "model", "soc", "os", "abi", "delegates", "reason"),
        *("host", "kinds"),
    }
    assert rows[2]["kinds"] == ["local", "local-cpu"] and rows[2]["state"] == "ready"


def test_a_run_on_a_farm_prints_the_same_columns_and_ends_with_0(farm, harness, tmp_path, repository):
    ended = harness(
        *("--workspace", str(repository), "run", "shapes-float32", "--scheduler", farm.address),
        *("--device", "fake-1@a", "--device", "any:fake-2", "--no-accuracy", "--repetitions", "1"),
        *("--min-seconds", "0.02", "--min-runs", "2", "--delegate", "cpu:1"),
        *("--output", str(tmp_path), "--format", "json"),
    )
    assert ended.returncode == 0, ended.stderr
    rows = json.loads(ended.stdout)
    assert rows[0]["device"] == "fake-1@a" and rows[1]["device"] in {"fake-2@a", "fake-2@b"}
    assert all(row["status"] == "ok" and row["latency_median_ms"] > 0 for row in rows)
    assert "devices busy" in ended.stderr


def test_a_dry_run_shows_what_a_farm_would_measure(farm, harness, tmp_path, repository):
    ended = harness(
        *("--workspace", str(repository), "run", "shapes-float32", "--scheduler", farm.address, "--dry-run"),
        *("--device", "any:fake-1", "--output", str(tmp_path), "--format", "json"),
    )
    assert [row["device"] for row in json.loads(ended.stdout)] == ["any:fake-1"], ended.stderr
    assert not list(tmp_path.glob("*/run.json"))


@pytest.mark.parametrize(
    ("arguments", "text", "status"),
    [
        (["devices", "--scheduler", "http://x"], "expected HOST", 2),
        (["worker", "rack1", "--name", "a b"], "--name: found 'a b'", 2),
        (["run", "shapes-float32", "--scheduler", "127.0.0.1:9"], "no Dask scheduler answers", 1),
    ],
)
def test_wrong_use_is_a_sentence_and_a_status(harness, repository, arguments, text, status):
    ended = harness("--workspace", str(repository), *arguments)
    assert (ended.returncode, text in ended.stderr) == (status, True), ended.stderr


class Told:
    def __init__(self):
        self.texts, self.said = [], []

    def update(self, done, total, text):
        self.texts.append((done, total, text))

    def say(self, text):
        self.said.append(text)


class Cell:
    def __init__(self, device):
        self.device, self.id = device, f"1-{device}"


class Record:
    complete, status = True, "ok"


def test_progress_is_of_the_whole_farm(monkeypatch):
    monkeypatch.setattr("harness.cli.farm_progress.REDRAW_S", 0.0)
    told = Told()
    shown = FarmShown(told, n_cells=3, n_devices=2)
    shown.begin(2)
    shown.begin(1)
    tasks = [Task(Cell(device), "latency") for device in ("a", "b", "a")]
    shown.task(tasks[0])
    shown.task(tasks[1])
    assert told.texts[-1] == (0.0, 3, "2 of 2 devices busy, 3 cells left")
    shown.done(tasks[0], Record())
    shown.task(tasks[2])
    done, total, text = told.texts[-1]
    assert (done, total) == (1.0, 3) and text.startswith("2 of 2 devices busy, 2 cells left, about ")
