"""A plan that is only looked at: what is not fetched, converted or attached is a skipped cell with what helps."""

from dataclasses import replace

import pytest

from harness import session
from harness.bench.plan_file import load_plan, make_request
from harness.errors import UsageError
from harness.workspace import Workspace

PLANS = ("mobiledet-pixel-4", "mobiledet-galaxy-s9-plus", "coral-dev-board", "coral-public")


@pytest.fixture
def look(tmp_path, repository, monkeypatch):
    """Return the cells of a plan that is only looked at, with its remarks."""
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", "1")

    def run(request):
        prepared = session.prepare(
            replace(request, workspace=str(repository), output=str(tmp_path / "results")), outline=True
        )
        session.let_go(prepared)
        return prepared.plan.cells, prepared.remarks

    return run


def plan(tmp_path, text):
    path = tmp_path / "plan.toml"
    path.write_text(text)
    return make_request([str(path)], {}, None)


def test_models_that_are_not_there_are_skipped_with_the_command_that_helps(look, tmp_path):
    cells, _ = look(
        plan(
            tmp_path,
            'models = ["shapes-float32", "mobiledet-cpu", "mobiledet-cpu-float16", "mine=made/later.tflite"]\n'
            'delegates = ["cpu:1"]\n',
        )
    )
    problems = {cell.model.name: cell.problem for cell in cells}
    assert problems["shapes-float32"] is None
    assert "`harness models fetch mobiledet-cpu`" in problems["mobiledet-cpu"]
    assert "`harness convert mobiledet-cpu-float16 --mode float16`" in problems["mobiledet-cpu-float16"]
    assert str(tmp_path / "made" / "later.tflite") in problems["mine"]


def test_the_advice_is_the_cards_where_fetching_would_not_help(look, tmp_path):
    models = ["ssdlite-mobilenet-v2-qat-edgetpu", "ssdlite-mobilenet-v2-ptq-edgetpu"]
    cells, _ = look(plan(tmp_path, f'models = {models}\ndelegates = ["cpu:1"]\n'))
    trained, measured = (cell.problem for cell in cells)
    assert "models fetch" not in trained and "no such training is published" in trained
    assert "`harness convert tflite_graph.pb --card ssdlite-mobilenet-v2-qat-edgetpu`" in trained
    assert "`harness models fetch ssdlite-mobilenet-v2-ptq-edgetpu`, then" in measured
    assert "--mode int8 --representative DIR`" in measured


def test_devices_that_are_not_there_are_skipped_with_the_reason_and_others_are_planned(look, tmp_path):
    cells, _ = look(
        plan(
            tmp_path,
            'models = ["shapes-float32"]\ndelegates = ["cpu:1", "hexagon"]\n'
            'devices = ["local", "pixel-4", "coral-dev-board", "SERIAL"]\n',
        )
    )
    skips = {(cell.device, str(cell.delegate)): cell.skip for cell in cells}
    assert skips["local", "cpu:1"] is None
    assert "plug it in" in skips["pixel-4", "cpu:1"]
    assert "does not let other programs use" in skips["pixel-4", "hexagon"], "what is known goes first"
    assert "ssh://USER@HOST" in skips["coral-dev-board", "cpu:1"]
    assert "harness devices" in skips["SERIAL", "cpu:1"]


def test_a_data_set_that_is_not_there_costs_the_accuracy_alone(look, tmp_path):
    text = 'models = ["shapes-float32"]\ndelegates = ["cpu:1"]\ndataset = "later"\n'
    (cell,), remarks = look(plan(tmp_path, text))
    assert not cell.wants_accuracy and cell.wants_latency
    assert "shown without accuracy" in remarks[0]


def test_nothing_is_passed_over_where_the_plan_is_carried_out(tmp_path, repository, monkeypatch):
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    for text, says in (("mobiledet-cpu", "not fetched"), ("later.tflite", "no such model file")):
        request = replace(plan(tmp_path, f'models = ["{text}"]\n'), workspace=str(repository))
        with pytest.raises(UsageError, match=says):
            session.prepare(request)


def test_a_profile_of_a_plan_lies_beside_it(tmp_path):
    request = plan(tmp_path, 'models = ["shapes-float32"]\ndevices = ["mine/phone.toml", "local"]\n')
    assert request.devices == (str(tmp_path / "mine" / "phone.toml"), "local")


@pytest.mark.parametrize("name", PLANS)
def test_every_published_plan_can_be_looked_at_where_nothing_of_it_is_there(look, repository, name):
    request = load_plan(repository / "results" / "published" / "plans" / f"{name}.toml")
    cells, _ = look(request)
    assert len(cells) >= len(request.models)
    assert all(cell.problem or cell.skip for cell in cells)
    assert all("`harness " in cell.problem for cell in cells if cell.problem)


def test_the_plan_of_a_pixel_has_its_neural_core_and_the_refused_hexagon(repository):
    folder = repository / "results" / "published" / "plans"
    pixel, galaxy = (load_plan(folder / f"mobiledet-{one}.toml") for one in ("pixel-4", "galaxy-s9-plus"))
    assert "nnapi:google-edgetpu" in pixel.delegates and "nnapi:google-edgetpu" not in galaxy.delegates
    assert pixel.models == galaxy.models
    assert {"cpu:1", "gpu", "nnapi", "hexagon"} <= {*pixel.delegates} & {*galaxy.delegates}


def test_what_convert_makes_of_a_card_is_compiled_to_the_file_that_the_card_means(
    repository, tmp_path, monkeypatch
):
    from harness.recognize.find import find_converted, find_model

    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    card = find_model("ssdlite-mobilenet-v2-ptq-edgetpu", Workspace(repository))
    assert card.file.name == "ssdlite-mobilenet-v2-ptq-edgetpu_edgetpu.tflite"
    assert card.converted.name == "ssdlite-mobilenet-v2-ptq-edgetpu.tflite"
    assert "harness convert" in card.why_missing
    card.converted.parent.mkdir(parents=True)
    card.converted.write_bytes(b"")
    assert "`harness edgetpu compile ssdlite-mobilenet-v2-ptq-edgetpu`" in card.why_missing
    assert find_converted(card.name, repository) == card.converted
