"""NMS as an axis: every combination a cell with a name, a file and figures of its own."""

import json

import pytest

from harness.bench.nms_axis import combinations, expand, suffix
from harness.bench.plan_file import load_plan
from harness.bench.request import NmsAxes, request_facts, request_from_facts
from harness.cards import NmsSpec
from harness.cli.main import main
from harness.errors import IncomparableError, ModelError, UsageError
from harness.recognize.card import infer_card
from harness.recognize.find import find_model
from harness.session import carry_out, prepare_resume
from harness.settings import Settings
from harness.tflite.model import describe
from harness.workspace import find_workspace
from tests.support.changed_runs import read_unsealed

AXES = NmsAxes(kind=("regular", "fast"), score_threshold=(1e-8, 0.3))
NAMES = [
    f"shapes-float32[nms={kind},score={score}]" for kind in ("regular", "fast") for score in ("1e-08", "0.3")
]


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def model(repository):
    return find_model("shapes-float32", find_workspace(str(repository)))


def test_each_combination_is_a_copy_of_the_file_with_its_options_set(model):
    variants, remark = expand(model, describe(model.file), AXES)
    assert [found.name for found, _ in variants] == NAMES
    assert remark == ""
    for (found, facts), spec in zip(variants, combinations(AXES), strict=True):
        assert facts == describe(found.file)
        assert facts.postprocess.use_regular_nms is (spec.kind == "regular")
        assert facts.postprocess.nms_score_threshold == pytest.approx(spec.score_threshold)
        assert facts.postprocess.nms_iou_threshold == describe(model.file).postprocess.nms_iou_threshold
        assert found.card.source.sha256 == facts.sha256
        assert found.card.decoder.nms.kind == spec.kind
        assert "nothing else changed" in found.evidence[-1]
    assert len({facts.sha256 for _, facts in variants}) == 4


def test_a_run_measures_each_combination_and_its_record_keeps_the_settings(prepared, recorder):
    settings = Settings(repetitions=1, min_runs=2, min_seconds=0.02, limit=12)
    ready = prepared(
        models=("shapes-float32",), delegates=("cpu:1",), settings=settings, repetitions=1, nms=AXES
    )
    assert [cell.model.name for cell in ready.plan.cells] == NAMES
    records = carry_out(ready, recorder).records
    assert [record.model.name for record in records] == NAMES
    by_name = {record.model.name: record for record in records}
    assert all(record.status == "ok" and record.processes and record.accuracy.figures for record in records)
    assert by_name[NAMES[1]].model.card["decoder"]["nms"]["score_threshold"] == 0.3
    assert by_name[NAMES[0]].model.card["decoder"]["nms"]["kind"] == "regular"
    low, high = (by_name[name].accuracy.figures.map for name in NAMES[:2])
    assert low >= high


def test_a_run_is_resumed_only_with_the_same_settings(prepared, recorder, tmp_path):
    settings = Settings(repetitions=1, min_runs=2, min_seconds=0.02, accuracy=False)
    request = {"models": ("shapes-float32",), "delegates": ("cpu:1",), "settings": settings, "repetitions": 1}
    folder = carry_out(prepared(**request, nms=NmsAxes(kind=("fast",))), recorder).folder
    again = prepare_resume(folder)
    assert again.request.nms == NmsAxes(kind=("fast",))
    again.resumes.release()
    path = folder / "run.json"
    facts = read_unsealed(path)
    facts["request"]["nms"]["kind"] = ["regular"]
    path.write_text(json.dumps(facts))
    with pytest.raises(IncomparableError):
        prepare_resume(folder)


def test_raw_heads_keep_their_file_and_say_where_nms_runs(shared_data):
    model = infer_card(shared_data / "models" / "yolov5n-int8.tflite")
    axes = NmsAxes(kind=("fast",), iou_threshold=(0.45, 0.6), max_detections=(100,))
    variants, remark = expand(model, describe(model.file), axes)
    assert [found.name for found, _ in variants] == [
        "yolov5n-int8[nms=fast,iou=0.45,max=100]",
        "yolov5n-int8[nms=fast,iou=0.6,max=100]",
    ]
    assert {found.file for found, _ in variants} == {model.file}
    assert variants[0][0].card.decoder.nms == NmsSpec(kind="fast", iou_threshold=0.45, max_detections=100)
    assert "after the inference" in remark


def test_what_a_card_says_and_the_axes_do_not_stays(shared_data):
    model = infer_card(shared_data / "models" / "ssd_mobilenet_v2_fpnlite_10_256_int8.tflite")
    variants, _ = expand(model, describe(model.file), NmsAxes(score_threshold=(0.1,)))
    nms = variants[0][0].card.decoder.nms
    assert (nms.score_threshold, nms.iou_threshold) == (0.1, model.card.decoder.nms.iou_threshold)


def test_class_aware_is_not_an_algorithm_of_the_operator(model):
    with pytest.raises(UsageError, match="class-aware is for raw heads"):
        expand(model, describe(model.file), NmsAxes(kind=("class-aware",)))


def test_a_value_that_the_operator_refuses_is_refused_before_anything_runs(prepared):
    with pytest.raises(ModelError, match="IoU threshold"):
        prepared(models=("shapes-float32",), nms=NmsAxes(iou_threshold=(1.5,)))


def test_values_that_are_given_twice_make_two_models_of_one_name(prepared):
    with pytest.raises(UsageError, match="two models are called"):
        prepared(models=("shapes-float32",), nms=NmsAxes(max_detections=(5, 5)))


def test_without_axes_nothing_changes():
    assert not NmsAxes()
    assert list(combinations(NmsAxes())) == [NmsSpec()]
    assert suffix(NmsSpec(max_detections=10, detections_per_class=5)) == "[max=10,per-class=5]"


def test_a_plan_file_can_hold_the_axes_and_a_request_keeps_them(tmp_path):
    path = tmp_path / "plan.toml"
    path.write_text('models = ["a"]\n[nms]\nkind = ["regular", "fast"]\nscore_threshold = [1e-8, 0.3]\n')
    request = load_plan(path)
    assert request.nms == AXES
    assert request_from_facts(json.loads(json.dumps(request_facts(request))), path).nms == AXES


def test_the_command_line_crosses_what_it_is_given(repository, tmp_path, capsys):
    options = [
        "--nms=regular",
        "--nms=fast",
        "--nms=fast",
        "--score-threshold=1e-8,0.3,0.3",
        "--max-detections=5",
    ]
    rest = ["--dry-run", "--delegate", "cpu:1", "--output", str(tmp_path), "--format", "json"]
    with pytest.raises(SystemExit) as ended:
        main(["--workspace", str(repository), "run", "shapes-float32", *options, *rest])
    printed = capsys.readouterr()
    assert ended.value.code == 0
    assert [row["model"] for row in json.loads(printed.out)] == [
        name.replace("]", ",max=5]") for name in NAMES
    ]
    assert printed.err.count("set in a copy") == 1


def test_the_command_line_refuses_what_is_no_number(repository, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--workspace", str(repository), "run", "shapes-float32", "--max-detections", "5,many"])
    assert ended.value.code == 2
    assert "whole numbers such as 10,100" in capsys.readouterr().err
