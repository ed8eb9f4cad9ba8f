"""`harness edgetpu`: the columns that scripts rely on, and what is told beside them."""

import json

import pytest

from harness.cli.main import main

PTQ = """\
Edge TPU Compiler version 15.0.340273435
Input model: ptq.tflite
Number of Edge TPU subgraphs: 1
Operator                       Count      Status

CUSTOM                         1          Operation is working on an unsupported data type
CONV_2D                        55         Mapped to Edge TPU
DEQUANTIZE                     2          Operation is working on an unsupported data type
"""


@pytest.fixture
def harness(tmp_path, monkeypatch, capsys):
    """Run the command in a folder with two logs; returns (exit status, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)

    def run(*args):
        with pytest.raises(SystemExit) as ended:
            main(["edgetpu", *args])
        return (ended.value.code, *capsys.readouterr())

    (tmp_path / "ptq.log").write_text(PTQ)
    (tmp_path / "qat.log").write_text(PTQ.replace("DEQUANTIZE", "ADD"))
    return run


def test_json_has_one_object_a_row_with_the_documented_names(harness):
    status, out, _ = harness("log", "ptq.log", "--format", "json")
    rows = json.loads(out)
    assert status == 0 and list(rows[0]) == ["file", "operator", "count", "status", "mapped"]
    assert rows[1] == {
        "file": "ptq.log",
        "operator": "CONV_2D",
        "count": 55,
        "status": "Mapped to Edge TPU",
        "mapped": True,
    }


def test_two_logs_stand_side_by_side_with_what_only_one_has(harness):
    status, out, err = harness("log", "ptq.log", "qat.log")
    assert status == 0 and "1: ptq.log" in out and "2: qat.log" in out
    assert "only ptq.log has DEQUANTIZE" in " ".join(err.split())
    rows = json.loads(harness("log", "ptq.log", "qat.log", "--format", "json")[1])
    assert {row["file"] for row in rows} == {"ptq.log", "qat.log"}


def test_advice_goes_to_stderr_and_the_table_to_stdout(harness):
    _, out, err = harness("log", "ptq.log")
    assert "CONV_2D" in out and "expected" not in out
    assert "expected: TFLite_Detection_PostProcess" in " ".join(err.split())


def test_a_summary_is_one_object_a_model(harness):
    (row,) = json.loads(harness("log", "ptq.log", "--summary", "--format", "json")[1])
    assert (row["on_tpu"], row["on_cpu"], row["subgraphs"], row["off_chip_bytes"]) == (55, 3, 1, None)
    assert len(row["advice"]) == 2


@pytest.mark.parametrize(
    ("content", "args", "text"),
    [
        (b"\x00\xff not a log \x1b[31m", (), "is no log of edgetpu_compiler"),
        (None, (), "cannot be read"),
        (PTQ.encode(), ("--model", "missing.tflite"), "missing.tflite"),
    ],
)
def test_wrong_input_exits_with_2_and_one_readable_message(harness, tmp_path, content, args, text):
    if content is not None:
        (tmp_path / "odd.log").write_bytes(content)
    status, out, err = harness("log", "odd.log", *args)
    assert status == 2 and out == "" and text in err and "\x1b" not in err


def test_a_file_name_cannot_steer_the_terminal(harness, tmp_path):
    (tmp_path / "\x1b[31mred.log").write_text(PTQ.replace("ptq.tflite", "\x1b[2Jx.tflite"))
    status, out, err = harness("log", "\x1b[31mred.log", "qat.log")
    assert status == 0 and "\x1b[31m" not in out + err


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"])
def test_a_log_that_powershell_wrote_is_read(harness, tmp_path, encoding):
    (tmp_path / "wide.log").write_bytes(PTQ.encode(encoding))
    status, out, _ = harness("log", "wide.log", "--format", "json")
    assert (status, len(json.loads(out))) == (0, 3)


def test_runs_in_one_paste_are_told_apart(harness, tmp_path):
    failed = "Edge TPU Compiler version 15.0.340273435\n\nInternal compiler error. Aborting!\n"
    (tmp_path / "paste.log").write_text(failed + PTQ)
    status, out, err = harness("log", "paste.log", "--format", "json")
    assert (status, {row["file"] for row in json.loads(out)}) == (0, {"paste.log (run 2 of 2)"})
    assert "paste.log (run 1 of 2): Internal compiler error" in err


def test_a_log_without_a_table_says_so(harness, tmp_path):
    (tmp_path / "short.log").write_text(PTQ.partition("Operator  ")[0])
    assert "found no table of operators" in harness("log", "short.log")[2]
