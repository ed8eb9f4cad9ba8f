"""The benchmark of the MobileDet post on two real adbd with the stand-in tool, measured beside what was published.

The files of the cards are the bundled detector's and the tool is a stand-in, so the figures mean nothing; which rows
there are, what ran, and what stands beside what do.
"""

import dataclasses
import json
import shutil

import pytest
from click.testing import CliRunner

from harness.bench.observer import Silent
from harness.bench.plan_file import load_plan
from harness.cli.main import cli
from harness.recognize.find import find_model
from harness.records.records import load_records
from harness.session import carry_out, prepare
from tests.support.launcher import make_launcher

PHONES = ("pixel-4", "galaxy-s9-plus")
MODELS = ("mobiledet-cpu-float16", "mobiledet-edgetpu", "mobiledet-dsp")
DELEGATES = ("gpu", "hexagon", "nnapi:google-edgetpu")
HEXAGON = ("libhexagon_interface.so", "libhexagon_nn_skel.so")
MADE_UP = """
title = "figures of this test"
source = "made up"
[[figure]]
model = "mobiledet-cpu-float16"
device = "Pixel 4"
delegate = "gpu"
latency_ms = 10.0
[[figure]]
model = "mobiledet-dsp"
device = "Samsung Galaxy S9+"
delegate = "hexagon"
latency_ms = 10.0
"""


@pytest.fixture
def place(workspace, start_adbd, nothing_attached, tmp_path, repository, monkeypatch):
    """A workspace whose two phones are daemons, whose models are there, and the tool with the DSP's libraries."""
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    root = workspace.devices.parent
    shutil.copytree(repository / "results" / "published", root / "results" / "published")
    (root / "results" / "published" / "made-up.toml").write_text(MADE_UP)
    for port, name in enumerate(PHONES, 15555):
        daemon, profile = start_adbd(port), workspace.devices / f"{name}.toml"
        reached = f'kind = "adb"\nhost = "127.0.0.1"\nport = {port}\nroot = "{daemon.root}"'
        profile.write_text(profile.read_text().replace('kind = "adb"', reached))
    for name in MODELS:
        shutil.copy(repository / "models" / f"{name}.toml", workspace.models)
        file = find_model(name, workspace).file
        file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(repository / "models" / "shapes" / "shapes_full_integer.tflite", file)
        file.write_bytes(file.read_bytes() + name.encode())  # each is a file of its own
    (tmp_path / "tool").mkdir()
    for name in HEXAGON:
        (tmp_path / "tool" / name).write_bytes(name.encode())
    return root


def measure(place, tool, name):
    plan = load_plan(place / "results" / "published" / "plans" / f"mobiledet-{name}.toml")
    assert set(MODELS) <= set(plan.models) and {"gpu", "hexagon"} <= set(plan.delegates)
    settings = dataclasses.replace(plan.settings, min_seconds=0.01, min_runs=2)
    delegates = tuple(one for one in DELEGATES if one in plan.delegates)
    request = dataclasses.replace(
        plan, models=MODELS, delegates=delegates, settings=settings, repetitions=1, workspace=str(place)
    )
    request = dataclasses.replace(request, benchmark_binary=str(tool), output=str(place / "results"))
    return carry_out(prepare(request), Silent())


def test_the_table_of_the_post_is_measured_on_two_phones_beside_what_is_published(place, tmp_path):
    tool = make_launcher(tmp_path / "tool", gpu="works")
    runs = [measure(place, tool, name).folder for name in PHONES]
    arguments = ["--workspace", str(place), "report", *map(str, runs), "--with-published"]

    def report(*more):
        return (
            CliRunner()
            .invoke(cli, [*arguments, *more], env={"COLUMNS": "200"}, catch_exceptions=False)
            .stdout
        )

    rows = json.loads(report("--format", "json"))
    own = {(r["device"], r["model"], r["delegate_requested"]): r for r in rows if r["status"] != "published"}
    assert len(own) == 7 + 5, "a float16 model is not for the integer accelerators"
    assert own["pixel-4", "mobiledet-dsp", "hexagon"]["status"] == "skipped", "a Pixel refuses the DSP"
    assert own["galaxy-s9-plus", "mobiledet-dsp", "hexagon"]["status"] == "fallback", "the stand-in has none"
    gpu = own["pixel-4", "mobiledet-cpu-float16", "gpu"]
    assert gpu["latency_vs_published"] == pytest.approx(gpu["latency_median_ms"] / 10)
    neural = own["pixel-4", "mobiledet-edgetpu", "nnapi:google-edgetpu"]
    assert (neural["published_latency_ms"], neural["latency_vs_published"]) == (6.9, None)
    devices = {row["device"] for row in rows if row["status"] == "published"}
    assert devices == {None, "Pixel 4", "Samsung Galaxy S9+"}, "neither a Pixel 1 nor a Coral was measured"
    table = report().partition("published figures")[2]
    assert "skipped" in table and "fallback" in table and "×" in table
    report("-o", str(tmp_path / "page.html"))
    assert "measured ms" in (tmp_path / "page.html").read_text()
    records = {one.record.model.name: one.record for one in load_records(runs[1])}
    libraries = records["mobiledet-dsp"].delegate.libraries
    assert [library.name for library in libraries] == list(HEXAGON), (
        "the last cell of each model is Hexagon's"
    )
    assert all(len(library.sha256) == 64 for library in libraries)
