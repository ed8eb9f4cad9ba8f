"""Bad input is found before anything is measured; a run that is resumed must be the same run."""

import pytest

from harness.errors import (
    IncomparableError,
    OutputError,
)
from harness.records.records import is_finished, load_records, load_run
from harness.session import RunInterrupted, carry_out, prepare_resume


def test_an_output_folder_that_cannot_be_written_is_found_before_measuring(prepared, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="--output"):
        prepared(output=str(tmp_path / "file" / "results"))


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
    assert len(load_records(folder)) == 1 and not list(folder.glob(".*"))


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
