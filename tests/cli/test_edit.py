"""`harness edit`: the files it writes, what it prints where, and the exit status."""

import json

import pytest

from harness.cards import load_card
from harness.cli.main import main
from harness.tflite.model import describe

pytest.importorskip("ai_edge_litert", reason="ai-edge-litert is not installed")
pytestmark = pytest.mark.usefixtures("quick_trials")


@pytest.fixture
def harness(monkeypatch, capsys, repository):
    """Run the command from the checkout; return its status, stdout and stderr."""
    monkeypatch.chdir(repository)
    monkeypatch.setenv("COLUMNS", "100")

    def run(*args):
        with pytest.raises(SystemExit) as ended:
            main(["edit", *map(str, args)])
        return (ended.value.code, *capsys.readouterr())

    return run


@pytest.fixture
def model(repository):
    return repository / "models" / "shapes" / "shapes_full_integer.tflite"


def changes(out):
    return {row["key"]: (row["before"], row["after"]) for row in json.loads(out)}


def test_nms_prints_what_changed_and_says_that_it_ran(harness, model, tmp_path):
    output = tmp_path / "out.tflite"
    options = ("--regular", "--score-threshold", "0.25", "--iou-threshold", "0.5", "--max-detections", "9")
    status, out, err = harness(
        "nms", model, *options, "--detections-per-class", "4", "-o", output, "--format", "json"
    )
    assert status == 0
    found = changes(out)
    assert found["use_regular_nms"] == (False, True) and found["max_detections"] == (50, 9)
    assert found["nms_iou_threshold"][1] == 0.5 and found["detections_per_class"] == (100, 4)
    assert "operators" not in found and "loaded and run once" in err and str(output) in err
    assert describe(output).postprocess.max_detections == 9


def test_a_cards_name_is_as_good_as_a_file(harness, tmp_path):
    status, _, _ = harness(
        "nms", "shapes-float32", "--fast", "--max-detections", "3", "-o", tmp_path / "o.tflite"
    )
    assert status == 0 and describe(tmp_path / "o.tflite").postprocess.max_detections == 3


def test_cut_writes_anchors_and_a_card_and_attach_reads_them(harness, model, tmp_path):
    heads, whole = tmp_path / "heads.tflite", tmp_path / "whole.tflite"
    status, out, err = harness("cut", model, "-o", heads)
    assert status == 0 and max(map(len, out.splitlines())) <= 100
    assert all(name in err for name in ("heads.tflite", "heads.anchors.npy", "heads.toml"))
    assert load_card(tmp_path / "heads.toml").card.decoder.name == "ssd-raw"
    status, out, err = harness("attach", heads, "-o", whole, "--format", "json")
    assert status == 0 and "heads.toml" in err
    assert describe(whole).postprocess == describe(model).postprocess
    status, _, _ = harness("attach", tmp_path / "heads.toml", "--regular", "-o", tmp_path / "regular.tflite")
    assert status == 0 and describe(tmp_path / "regular.tflite").postprocess.use_regular_nms


def test_attach_takes_anchors_from_a_file(harness, model, tmp_path):
    harness("cut", model, "-o", tmp_path / "heads.tflite")
    bare = tmp_path / "bare.tflite"
    bare.write_bytes((tmp_path / "heads.tflite").read_bytes())
    anchors = ("--anchors", tmp_path / "heads.anchors.npy", "--order", "boxes,scores", "--background")
    status, _, err = harness(
        "attach", bare, *anchors, "--max-detections", "12", "-o", tmp_path / "out.tflite"
    )
    assert status == 0, err
    assert describe(tmp_path / "out.tflite").postprocess.max_detections == 12


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("nms", "{model}", "-o", "{out}"), "nothing to change"),
        (("nms", "{model}", "--iou-threshold", "1.5", "-o", "{out}"), "IoU threshold"),
        (("nms", "{model}", "--max-detections", "0", "-o", "{out}"), "max detections"),
        (("nms", "{model}", "--score-threshold", "nan", "-o", "{out}"), "nan"),
        (("nms", "{model}", "--regular"), "-o"),
        (("nms", "{model}", "--regular", "-o", "{folder}"), "is a folder"),
        (("nms", "{model}", "--regular", "-o", "{model}"), "is the input"),
        (("nms", "{folder}/none.tflite", "--regular", "-o", "{out}"), "no such model file"),
        (("cut", "{folder}/none.tflite", "-o", "{out}"), "no such model file"),
        (("attach", "{model}", "-o", "{out}"), "already"),
    ],
)
def test_wrong_use_is_status_2_with_the_reason_and_writes_nothing(harness, model, tmp_path, args, said):
    output = tmp_path / "out.tflite"
    before = model.read_bytes()
    names = {"model": model, "out": output, "folder": tmp_path}
    status, out, err = harness(*(arg.format(**names) for arg in args))
    assert (status, out) == (2, "") and said in err
    assert list(tmp_path.iterdir()) == [] and model.read_bytes() == before


def test_a_card_that_lies_there_is_not_replaced_without_force(harness, model, tmp_path):
    (tmp_path / "heads.toml").write_text("mine")
    status, _, err = harness("cut", model, "-o", tmp_path / "heads.tflite")
    assert status == 2 and "--force" in err and (tmp_path / "heads.toml").read_text() == "mine"
    assert harness("cut", model, "--force", "-o", tmp_path / "heads.tflite")[0] == 0
