"""`harness npu`: what is wrong use, and what one failure leaves of the rest. The compiler is a stand-in."""

import json
from pathlib import Path

import pytest

from harness.cli.main import main
from tests.support.npu import compiled_like, install_stand_in
from tests.support.paths import REPOSITORY

SHAPES = REPOSITORY / "models" / "shapes"
INT8 = str(SHAPES / "shapes_full_integer.tflite")


@pytest.fixture
def vendor(tmp_path, monkeypatch):
    return install_stand_in(tmp_path / "packages", monkeypatch)


def status_of(arguments):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return ended.value.code


def test_a_chip_on_which_the_compiler_fails_leaves_the_others_their_rows(vendor, tmp_path, capsys):
    table = (REPOSITORY / "devices" / "socs" / "qualcomm.toml").read_text("utf-8")
    own = tmp_path / "ws"
    (own / "models").mkdir(parents=True)
    (own / "devices" / "socs").mkdir(parents=True)
    (own / "devices" / "socs" / "qualcomm.toml").write_text(table.replace("SM8350", "SM9999"), "utf-8")
    asked = ["--workspace", str(own), "npu", INT8, "--soc", "SM9999, SM8650", "--format", "json"]
    assert status_of(asked) == 1
    failed, done = json.loads(capsys.readouterr().out)
    assert (failed["soc"], failed["taken"], failed["partitions"], failed["seconds"]) == (
        "SM9999",
        *[None] * 3,
    )
    assert "knows no such chip" in failed["problem"] and done["taken"] == 57


def test_a_model_that_is_none_or_was_compiled_before_leaves_the_others_their_rows(vendor, tmp_path, capsys):
    corrupt, compiled = tmp_path / "corrupt.tflite", tmp_path / "compiled.tflite"
    corrupt.write_bytes(b"TFL3, or so it says")
    compiled.write_bytes(compiled_like(Path(INT8).read_bytes(), set(), "SM8650"))
    bad = [str(corrupt), str(compiled)]
    assert status_of(["npu", *bad, INT8, "--soc", "SM8650", "--format", "json"]) == 1
    shown = capsys.readouterr()
    *refused, done = json.loads(shown.out)
    assert [row["taken"] for row in refused] == [None, None] and done["taken"] == 57
    assert "corrupt.tflite" in refused[0]["problem"]
    assert "is compiled for SM8650 already" in refused[1]["problem"] and refused[1]["problem"] in shown.err
    assert status_of(["npu", *bad, "--soc", "SM8650"]) == 2


def test_no_chip_is_wrong_use(vendor, capsys):
    assert status_of(["npu", INT8, "--soc", ","]) == 2
    assert "names no chip" in capsys.readouterr().err


def test_a_folder_that_cannot_be_made_is_wrong_use(vendor, capsys):
    assert status_of(["npu", INT8, "--soc", "SM8650", "-o", "/dev/null"]) == 2
    assert "/dev/null" in capsys.readouterr().err


def test_two_models_of_one_name_are_not_kept_over_each_other(vendor, tmp_path, capsys):
    other = tmp_path / "shapes_full_integer.tflite"
    other.write_bytes(b"another")
    assert status_of(["npu", INT8, str(other), "--soc", "SM8650", "-o", str(tmp_path / "out")]) == 2
    assert "under one name" in capsys.readouterr().err
