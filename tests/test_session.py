"""Bad input is found before anything is measured; a run that is resumed must be the same run."""

import json
from dataclasses import replace

import pytest

from harness.bench.request import Request, request_facts, request_from_facts
from harness.errors import (
    DatasetError,
    IncomparableError,
    ModelError,
    OutputError,
    SchemaError,
    UnknownNameError,
    UsageError,
)
from harness.records.records import is_finished, load_records, load_run
from harness.session import RunInterrupted, carry_out, prepare, prepare_resume
from tests.support.paths import MODELS


def test_with_nothing_asked_for_the_bundled_example_is_planned(repository, tmp_path):
    ready = prepare(Request(workspace=str(repository), output=str(tmp_path)))
    assert {cell.model.name for cell in ready.plan.cells} == {
        "shapes-float32",
        "shapes-float16",
        "shapes-dynamic-range",
        "shapes-full-integer",
    }
    assert {str(cell.delegate) for cell in ready.plan.cells} == {"cpu:1", "cpu:2", "cpu-reference:1"}
    assert all(cell.wants_latency and cell.wants_accuracy for cell in ready.plan.cells)


def test_the_example_is_found_from_a_workspace_that_does_not_hold_it(tmp_path):
    for name in ("devices", "models"):
        (tmp_path / name).mkdir()
    (tmp_path / "devices" / "local.toml").write_text('name = "local"\n[connection]\nkind = "local"\n')
    ready = prepare(Request(workspace=str(tmp_path)))
    assert len(ready.plan.cells) == 4
    assert ready.results == tmp_path.resolve() / "results"


@pytest.mark.parametrize(
    ("changes", "error", "text"),
    [
        ({"models": ("shapes-float23",)}, UnknownNameError, "shapes-float32"),
        ({"models": ("nowhere.tflite",)}, ModelError, "nowhere.tflite"),
        ({"models": ("nowhere.toml",)}, SchemaError, "nowhere.toml"),
        ({"models": ("mobiledet-cpu",)}, ModelError, "harness models fetch mobiledet-cpu"),
        ({"models": ("shapes-float32", "shapes-float32")}, UsageError, "two models are called"),
        ({"delegates": ("cpuu",)}, UnknownNameError, "Did you mean cpu"),
        ({"delegates": ("cpu:zero",)}, UsageError, "expected a whole number"),
        ({"devices": ("locla",)}, UnknownNameError, "local"),
        ({"devices": ("local", "local")}, UsageError, "named twice"),
        ({"dataset": "no/such/folder"}, DatasetError, "no/such/folder"),
    ],
)
def test_a_wrong_name_is_an_error_that_says_what_to_do(prepared, changes, error, text):
    with pytest.raises(error, match=text.replace("/", ".")):
        prepared(**changes)


@pytest.mark.parametrize("content", [b"", b"TFL3", b"\x00" * 5000, b"hello, I am a model" * 99])
def test_bytes_that_are_no_model_are_refused_before_anything_is_measured(prepared, tmp_path, content):
    path = tmp_path / "broken.tflite"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"broken\.tflite"):
        prepared(models=(str(path),))
    assert not list((tmp_path / "results").glob("*")) if (tmp_path / "results").exists() else True


def test_a_truncated_model_is_refused(prepared, tmp_path, repository):
    path = tmp_path / "half.tflite"
    whole = (repository / "models" / "shapes" / "shapes_float32.tflite").read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelError, match=r"half\.tflite"):
        prepared(models=(str(path),))


def test_an_output_folder_that_cannot_be_written_is_found_before_measuring(prepared, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="--output"):
        prepared(output=str(tmp_path / "file" / "results"))


@pytest.mark.parametrize(
    "changes",
    [
        {"limit": 0},
        {"repetitions": 0},
        {"min_runs": 0},
        {"min_seconds": -1.0},
        {"precision": 0.0},
        {"sustained": 0.1},
    ],
)
def test_a_number_out_of_range_names_the_option_and_what_was_found(quick, changes):
    name, value = next(iter(changes.items()))
    with pytest.raises(UsageError, match=f"--{name.replace('_', '-')}: found {value:g}"):
        replace(quick, **changes)


def test_a_model_whose_outputs_nobody_can_decode_is_timed_only_and_says_so(prepared, tmp_path, quick):
    from harness.cards import load_card

    model = load_card(MODELS / "shapes-float32.toml")
    card = tmp_path / "mine.toml"
    card.write_text(
        f'name = "mine"\n[source]\npath = "{model.file.resolve()}"\n'
        f"[input]\nwidth = {model.card.input.width}\nheight = {model.card.input.height}\n"
        '[decoder]\nname = "none"\n'
    )
    ready = prepared(
        models=(str(card),), settings=replace(quick, accuracy=True), dataset=str(model.dataset_path)
    )
    assert all(cell.dataset is None for cell in ready.plan.cells)
    assert "cannot be decoded" in ready.remarks[0]
    with pytest.raises(UsageError, match="cannot be decoded"):
        prepared(
            models=(str(card),),
            settings=replace(quick, accuracy=True, latency=False),
            dataset=str(model.dataset_path),
        )


def test_two_runs_in_one_results_folder_get_folders_of_their_own(prepared, recorder):
    import threading

    runs = [prepared(delegates=("cpu:1",), repetitions=1) for _ in range(2)]
    outcomes = []
    threads = [threading.Thread(target=lambda r=run: outcomes.append(carry_out(r, recorder))) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({outcome.folder for outcome in outcomes}) == 2
    assert all(not outcome.failed and is_finished(outcome.folder) for outcome in outcomes)


def test_a_request_means_the_same_after_it_was_stored(prepared, tmp_path):
    ready = prepared()
    stored = json.loads(json.dumps(request_facts(ready.request)))
    back = request_from_facts(stored, tmp_path)
    assert replace(back, output=None, workspace=None) == replace(ready.request, output=None, workspace=None)


def test_a_run_can_be_resumed_from_its_folder_alone(prepared, recorder, tmp_path):
    outcome = carry_out(prepared(), recorder)
    first = load_records(outcome.folder)[0]
    (first.folder / "record.json").unlink()
    assert not is_finished(outcome.folder)
    recorder.finished.clear()
    again = carry_out(prepare_resume(outcome.folder), recorder)
    assert again.folder == outcome.folder and is_finished(outcome.folder)
    assert {record.cell for record in recorder.finished} == {first.record.cell}
    assert len(again.records) == 4


def test_ctrl_c_names_the_folder_that_the_run_goes_on_from(prepared, recorder):
    def end(task, record):
        raise KeyboardInterrupt

    recorder.done = end
    with pytest.raises(RunInterrupted) as interrupted:
        carry_out(prepared(), recorder)
    folder = interrupted.value.folder
    assert folder.name in str(interrupted.value) and not is_finished(folder)
    assert len(load_records(folder)) == 1 and not (folder / ".scratch").exists()


def test_a_run_is_not_resumed_with_another_model_file(prepared, recorder, tmp_path, repository):
    import shutil

    model = tmp_path / "model.tflite"
    shutil.copy(repository / "models" / "shapes" / "shapes_float32.tflite", model)
    outcome = carry_out(prepared(models=(str(model),), delegates=("cpu:1",)), recorder)
    shutil.copy(repository / "models" / "shapes" / "shapes_float16.tflite", model)
    with pytest.raises(IncomparableError, match=r"plan\.cells\[0\].*(sha256|card)"):
        prepare_resume(outcome.folder)


def test_a_run_is_not_resumed_with_another_runtime(prepared, recorder):
    from harness.records import records

    outcome = carry_out(prepared(delegates=("cpu:1",), repetitions=1), recorder)
    facts = load_run(outcome.folder)
    packages = {**facts.environment["packages"], "ai-edge-litert": "1.0.0"}
    import msgspec

    changed = msgspec.structs.replace(facts, environment={**facts.environment, "packages": packages})
    records.save(outcome.folder / "run.json", changed)
    with pytest.raises(IncomparableError, match=r"environment\.packages\.ai-edge-litert is '1\.0\.0'"):
        prepare_resume(outcome.folder)
