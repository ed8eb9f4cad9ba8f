"""A run on a real farm: the same plan, the same rows, the same laws; files once a host; shares of the images."""

import json
from dataclasses import replace

import pytest

from harness.errors import FarmError, UnknownNameError, UsageError
from harness.farm.link import Link
from harness.records.records import load_records, load_run
from harness.session import carry_out, let_go, prepare, prepare_resume

DEVICES = ("fake-1@a", "fake-2@a", "fake-1@b", "fake-2@b")


def run(request, observer):
    return carry_out(prepare(request), observer)


def test_each_device_measures_its_cells_and_every_record_is_on_the_client_s_disk(farm, quiet, tmp_path):
    devices = ("fake-1@a", "fake-2@b")
    request = farm.request(tmp_path, *devices, delegates=("cpu:1", "cpu-reference"), repetitions=2)
    outcome = run(request, quiet)
    stored = load_records(outcome.folder)
    assert [(s.record.device.name, s.record.status, s.record.complete) for s in stored] == [
        (device, "ok", True) for device in devices for _ in range(2)
    ]
    assert {s.record.device.facts["host"] for s in stored} == {"a", "b"}
    assert all(len(s.samples()) == 2 and all(len(p) for p in s.samples()) for s in stored)
    assert {s.record.delegate.actual for s in stored} == {"xnnpack", "cpu-reference"}
    assert not list(outcome.folder.glob(".*"))


def test_cells_of_one_device_keep_the_interleaved_order_of_a_run_on_one_computer(farm, tmp_path):
    from harness.bench.plan import Plan

    class Ordered:
        def __init__(self):
            self.order = []

        def begin(self, n_tasks):
            pass

        more = begin

        def task(self, task):
            self.order.append((task.cell.id, task.repetition))

        def images(self, task, done, total):
            pass

        def done(self, task, record):
            pass

    prepared = prepare(
        farm.request(tmp_path, "fake-1@a", delegates=("cpu:1", "cpu:2", "cpu-reference"), repetitions=2)
    )
    told = Ordered()
    carry_out(prepared, told)
    plan: Plan = prepared.plan
    assert told.order == [(c.id, turn) for turn in range(2) for c in plan.in_turn(turn)]


def test_any_of_a_kind_takes_the_devices_that_are_free_and_the_rows_say_which(farm, quiet, tmp_path):
    models = ("shapes-float32", "shapes-float16", "shapes-dynamic-range", "shapes-full-integer")
    outcome = run(farm.request(tmp_path, "any:fake-1", models=models), quiet)
    records = [s.record for s in load_records(outcome.folder)]
    assert {r.device.name for r in records} == {"fake-1@a", "fake-1@b"}
    assert all(r.status == "ok" and "any_fake_1" in r.cell for r in records)


def test_a_scheduler_imports_nothing_that_measures(farm, quiet, tmp_path):
    run(farm.request(tmp_path, "fake-1@a"), quiet)
    link = farm.link()

    async def imported():
        client = await link.client()
        return await client.run_on_scheduler(eval, "sorted(__import__('sys').modules)")

    modules = link.wait_for(imported())
    link.close()
    assert "harness.farm.tasks" in modules
    assert not {"harness.farm.host", "harness.farm.wire", "harness.farm.batches"} & set(modules)


def test_local_means_any_computer_of_the_farm(farm, quiet, tmp_path):
    outcome = run(farm.request(tmp_path, "local"), quiet)
    (stored,) = load_records(outcome.folder)
    assert stored.record.device.name in {"local@a", "local@b"} and stored.record.device.kind == "local"


def test_accuracy_that_is_shared_out_equals_one_computer_s_to_the_last_digit(farm, quiet, tmp_path):
    settings = {"latency": False, "accuracy": True}
    request = farm.request(tmp_path / "farm", "any:fake-1", settings=settings)
    (shared,) = load_records(run(request, quiet).folder)
    from dataclasses import replace

    from harness.bench.request import FarmChoice

    alone = replace(request, devices=("local",), output=str(tmp_path / "alone"), farm=FarmChoice())
    (single,) = load_records(run(alone, quiet).folder)
    assert shared.detections.read_bytes() == single.detections.read_bytes()
    assert shared.record.accuracy.figures == single.record.accuracy.figures
    assert (shared.record.accuracy.map_low, shared.record.accuracy.map_high) == (
        single.record.accuracy.map_low,
        single.record.accuracy.map_high,
    )
    said = shared.record.accuracy.delegate.evidence[-1]
    assert "fake-1@a" in said and "fake-1@b" in said and shared.record.accuracy.n_images == 220


def test_what_a_host_has_is_not_sent_again(farm, quiet, tmp_path, repository):
    model = tmp_path / "fresh.tflite"
    model.write_bytes(next((repository / "models").rglob("*float16*.tflite")).read_bytes() + b"\0" * 64)
    sent = []
    for output in ("one", "two"):
        prepared = prepare(farm.request(tmp_path / output, *DEVICES, models=(str(model),)))
        transfer = prepared.farm.link.transfer
        carry_out(prepared, quiet)
        sent.append(dict(transfer.sent_bytes))
    assert sorted(sent[0].values()) == [model.stat().st_size] * 2 and sent[1] == {}
    assert all(r.status == "ok" for r in quiet.finished)


def test_a_model_that_cannot_run_fails_its_own_cells_and_no_others(farm, quiet, tmp_path):
    request = farm.request(tmp_path, "fake-1@a", "fake-1@b", delegates=("cpu:1", "gpu"))
    outcome = run(request, quiet)
    assert [r.status for r in outcome.records] == ["ok", "skipped", "ok", "skipped"]


def test_a_cell_that_is_killed_on_its_host_is_a_failed_row_that_says_so(farm, quiet, tmp_path):
    request = farm.request(tmp_path, "fake-1@a", "fake-1@b", settings={"memory_limit_mb": 1})
    outcome = run(request, quiet)
    assert outcome.failed and {r.status for r in outcome.records} == {"failed"}
    assert all("MiB" in r.reasons[0] for r in outcome.records)


def test_operators_are_recorded_on_the_device_and_kept_on_the_client_s_disk(farm, quiet, tmp_path):
    outcome = run(farm.request(tmp_path, "fake-1@a", settings={"operators": True}), quiet)
    (stored,) = load_records(outcome.folder)
    assert stored.record.operators.status == "ok" and (stored.folder / "operators.json").is_file()


def test_a_finished_run_has_nothing_left_to_resume_and_measures_nothing_again(farm, quiet, tmp_path):
    outcome = run(farm.request(tmp_path, "fake-1@a", "any:fake-2"), quiet)
    before = {path: path.stat().st_mtime_ns for path in outcome.folder.rglob("record.json")}
    again = carry_out(prepare_resume(outcome.folder), quiet)
    assert again.folder == outcome.folder and len(quiet.finished) == 2
    assert {path: path.stat().st_mtime_ns for path in outcome.folder.rglob("record.json")} == before


def test_the_plan_file_may_name_the_scheduler(farm, tmp_path):
    from harness.bench.plan_file import load_plan

    plan = tmp_path / "plan.toml"
    plan.write_text(
        f'models = ["shapes-float32"]\nscheduler = "{farm.address}"\nfarm_wait = 7\ndevices = ["local"]\n'
    )
    request = load_plan(plan)
    assert (request.farm.scheduler, request.farm.wait_s) == (farm.address, 7.0)


@pytest.mark.parametrize(
    ("device", "error", "text"),
    [
        ("fake-1", UsageError, "2 devices of the farm fit .fake-1@a, fake-1@b.; name one, or any:fake-1"),
        ("fake-1@c", UnknownNameError, "fake-1@a"),
        ("any:pixel-4", UnknownNameError, "unknown device 'any:pixel-4'"),
        ("all-android", UnknownNameError, "all-android"),
    ],
)
def test_a_device_that_is_not_on_the_farm_is_an_error_that_says_what_there_is(
    farm, tmp_path, device, error, text
):
    with pytest.raises(error, match=text):
        prepare(farm.request(tmp_path, device))


def test_without_a_scheduler_the_error_says_how_to_start_one():
    with pytest.raises(FarmError, match=r"no Dask scheduler answers at tcp://127.0.0.1:9 .*dask scheduler"):
        Link("tcp://127.0.0.1:9")


def test_the_run_remembers_its_farm_so_that_it_can_be_resumed(farm, quiet, tmp_path):
    outcome = run(farm.request(tmp_path, "fake-1@a"), quiet)
    assert load_run(outcome.folder).request["farm"]["scheduler"] == farm.address
    cells = json.loads((outcome.folder / "run.json").read_text())["plan"]["cells"]
    assert [cell["device"] for cell in cells] == ["fake-1@a"]


def test_two_sides_are_not_measured_on_whichever_device_is_free(farm, tmp_path):
    request = replace(farm.request(tmp_path, "any:fake-1"), against="shapes-float16")
    with pytest.raises(UsageError, match="any:fake-1 is any device of a kind"):
        prepare(request)
    both = prepare(replace(farm.request(tmp_path, "fake-1@a"), against="shapes-float16"))
    let_go(both)
    assert len({cell.device for cell in both.plan.cells}) == 1
