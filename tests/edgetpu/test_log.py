"""The compiler's log: expected values are read off logs as the compiler printed them.

The tables are those of google-coral/edgetpu issues 342 and 512, a log file of version 15, and two of an SSDLite
MobileNet v2 as post-training quantization and quantization-aware training leave it.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.edgetpu.advice import STATUSES, advice, meaning_of
from harness.edgetpu.compare import remarks, side_by_side
from harness.edgetpu.log import ModelLog, Row, parse, parse_runs, size_in_bytes
from tests.support.paths import SHARED_DATA

LIMITED = "Operation is otherwise supported, but not mapped due to some unspecified limitation"
VERSION_16 = """\
Edge TPU Compiler version 16.0.384591198
Started a compilation timeout timer of 180 seconds.

Model compiled successfully in 3438 ms.

Input model: yolov5s-int8.tflite
Input size: 7.31MiB
Output model: yolov5s-int8_edgetpu.tflite
Output size: 7.52MiB
On-chip memory used for caching model parameters: 6.89MiB
On-chip memory remaining for caching model parameters: 1.00KiB
Off-chip memory used for streaming uncached model parameters: 175.00KiB
Number of Edge TPU subgraphs: 1
Total number of operations: 229
Operation log: yolov5s-int8_edgetpu.log

Model successfully compiled but not all operations are supported by the Edge TPU. A percentage of the model will \
instead run on the CPU, which is slower. If possible, consider updating your model to use only operations supported \
by the Edge TPU. For details, visit g.co/coral/model-reqs.
Number of operations that will run on Edge TPU: 222
Number of operations that will run on CPU: 7
See the operation log file for individual operation details.
Compilation child process completed within timeout period.
Compilation succeeded!
"""
ISSUE_342 = f"""\
Number of operations that will run on Edge TPU: 2
Number of operations that will run on CPU: 153

Operator                       Count      Status

TRANSPOSE                      70         Operation not supported
FULLY_CONNECTED                1          More than one subgraph is not supported
PAD                            1          Mapped to Edge TPU
PAD                            17         More than one subgraph is not supported
ADD                            10         More than one subgraph is not supported
MEAN                           2          More than one subgraph is not supported
CONV_2D                        35         More than one subgraph is not supported
QUANTIZE                       1          Mapped to Edge TPU
QUANTIZE                       1          {LIMITED}
DEPTHWISE_CONV_2D              17         More than one subgraph is not supported
"""
LOG_FILE = f"""\
Edge TPU Compiler version 15.0.340273435
Input: mnist4.tflite
Output: mnist4_edgetpu.tflite

Operator                       Count      Status

RESHAPE                        1          Mapped to Edge TPU
QUANTIZE                       1          {LIMITED}
DEQUANTIZE                     1          Operation is working on an unsupported data type
"""
PTQ = """\
Edge TPU Compiler version 2.1.302470888
Input: ptq.tflite
Operator                       Count      Status

CUSTOM                         1          Operation is working on an unsupported data type
ADD                            10         Mapped to Edge TPU
LOGISTIC                       1          Mapped to Edge TPU
CONCATENATION                  2          Mapped to Edge TPU
RESHAPE                        13         Mapped to Edge TPU
QUANTIZE                       11         Mapped to Edge TPU
DEQUANTIZE                     2          Operation is working on an unsupported data type
CONV_2D                        55         Mapped to Edge TPU
DEPTHWISE_CONV_2D              33         Mapped to Edge TPU
"""
QAT = "\n".join(line for line in PTQ.splitlines() if "QUANTIZE" not in line).replace("ptq", "qat")


def test_the_header_of_version_16_is_read():
    log = parse(VERSION_16)
    (model,) = log.models
    assert (log.version, log.compiled_ms, log.problems) == ("16.0.384591198", 3438, ())
    assert (model.model, model.output) == ("yolov5s-int8.tflite", "yolov5s-int8_edgetpu.tflite")
    assert (model.input_bytes, model.output_bytes) == (7665091, 7885292)  # 7.31 and 7.52 × 2**20
    assert (model.on_chip_bytes, model.on_chip_left_bytes, model.off_chip_bytes) == (7224689, 1024, 179200)
    assert (model.subgraphs, model.operations, model.on_tpu, model.on_cpu) == (1, 229, 222, 7)
    assert model.rows == ()


def test_an_operator_can_stand_in_several_rows():
    (model,) = parse(ISSUE_342).models
    assert [(row.count, row.mapped) for row in model.rows if row.operator == "PAD"] == [
        (1, True),
        (17, False),
    ]
    assert sum(row.count for row in model.rows) == 155 == model.mapped + model.left
    assert sum(row.count for row in model.rows if row.mapped) == 2 == model.on_tpu


def test_the_file_that_the_compiler_writes_is_read_too():
    (model,) = parse(LOG_FILE).models
    assert (model.model, model.mapped, model.left, model.subgraphs) == ("mnist4.tflite", 1, 2, None)


def test_models_that_were_compiled_together_are_told_apart():
    text = VERSION_16 + "\nInput model: rnn.tflite\nInput size: 2.97MiB\nNumber of Edge TPU subgraphs: 3\n"
    models = parse(text).models
    assert [(model.model, model.subgraphs) for model in models] == [
        ("yolov5s-int8.tflite", 1),
        ("rnn.tflite", 3),
    ]


def test_a_log_quoted_in_a_message_is_read_all_the_same():
    quoted = "\n".join(f"> {line}" for line in ISSUE_342.splitlines())
    assert parse(quoted) == parse(ISSUE_342) == parse(ISSUE_342.replace("\n", "\r\n"))


SEARCH = """\
Edge TPU Compiler version 16.0.384591198
Try to compile segment with 154 ops
ERROR: Restored original execution plan after delegate application failure.
Compilation failed: Compilation failed due to large activation tensors in model.
Compilation failed!
Try to compile segment with 144 ops
Compilation failed!
Try to compile segment with 134 ops
Model compiled successfully in 2876 ms.
Number of operations that will run on Edge TPU: 128
Compilation succeeded!
"""
REFUSED = "Edge TPU Compiler version 14.1.317412892\n\nInternal compiler error. Aborting!\n"


def test_a_later_success_clears_the_problems_of_earlier_attempts():
    log = parse(SEARCH)
    assert (log.problems, log.refused, log.models[0].mapped) == ((), 2, 128)
    assert parse(SEARCH.partition("Model compiled")[0]).problems, "without it they stand"
    assert parse(SEARCH + "Compilation failed!\n").problems == ("Compilation failed!",)


def test_several_runs_in_a_paste_are_several_logs():
    runs = parse_runs(f"user@host:~$ edgetpu_compiler x\n{REFUSED}{REFUSED}{VERSION_16}")
    assert [bool(run.problems) for run in runs] == [True, True, False]
    assert [len(run.models) for run in runs] == [0, 0, 1]
    assert parse_runs(VERSION_16) == (parse(VERSION_16),)


@pytest.mark.parametrize(
    "prefix",
    [
        *("2026-11-20T10:11:12.1234567Z ", "[2026-11-20 10:11:12,123] ", "[10:11:12] ", "10:11:12.345 "),
        *("compiler-1  | ", "INFO:root:", "2026-11-20 10:11:12,123 - build - INFO - ", "[build] "),
        *("\x1b[36mcompiler_1  |\x1b[0m ", "2026-11-20T10:11:12Z [step 3] INFO: ", "> > "),
    ],
)
@pytest.mark.parametrize("text", [VERSION_16, ISSUE_342, LOG_FILE, SEARCH])
def test_what_stands_before_each_line_is_passed_over(prefix, text):
    assert parse("\n".join(prefix + line for line in text.splitlines())) == parse(text)


@pytest.mark.parametrize(
    ("name", "problems", "refused"),
    [("search_third_try", [0], 2), ("two_failures_then_success", [1, 1, 0], 0)],
)
def test_recorded_cases_compiled_in_the_end(name, problems, refused):
    path = SHARED_DATA.parent / "cases" / "edgetpu_logs" / f"{name}.log"
    if not path.is_file():
        pytest.skip(f"shared cases are absent: {path}")
    runs = parse_runs(path.read_text("utf-8"))
    assert [len(run.problems) for run in runs] == problems
    assert (runs[-1].refused, runs[-1].models[0].mapped) == (refused, 128)


@pytest.mark.parametrize(
    ("line", "advised"),
    [
        ("Internal compiler error. Aborting! ", "the compiler crashed"),
        ("Model not quantized", "harness quantize MODEL --mode int8"),
        ("Compilation failed due to large activation tensors in model.", "make the input smaller"),
        ("Compilation child process timed out", "--timeout"),
        ("Didn't find op for builtin opcode 'TRANSPOSE_CONV' version '3'", "TRANSPOSE_CONV"),
    ],
)
def test_failures_are_found_with_what_to_do(line, advised):
    log = parse(f"Edge TPU Compiler version 15.0.340273435\n\n{line}\n")
    assert log.problems == (line.strip(),)
    assert advised in advice(log, ModelLog())[0]


@pytest.mark.parametrize(
    ("text", "n_bytes"),
    [
        ("6.83MiB", 7161774),
        ("187.00KiB", 191488),
        ("0.00B", 0),
        ("1.5 GiB", 1610612736),
        ("many", None),
        ("", None),
    ],
)
def test_sizes_are_bytes(text, n_bytes):
    assert size_in_bytes(text) == n_bytes


def test_only_the_post_training_log_has_quantize_and_dequantize():
    ptq, qat = parse(PTQ).models[0], parse(QAT).models[0]
    pairs = side_by_side(ptq, qat)
    assert {pair.operator for pair in pairs if pair.second is None} == {"QUANTIZE", "DEQUANTIZE"}
    assert [(p.first, p.second) for p in pairs if p.operator == "CONV_2D"] == [(55, 55)]
    (text,) = remarks(pairs, ("ptq.log", "qat.log"))
    assert text.startswith("only ptq.log has QUANTIZE and DEQUANTIZE: post-training quantization")


def test_what_is_expected_is_called_so():
    (model,) = parse(PTQ).models
    texts = {row.operator: meaning_of(row) for row in model.rows}
    assert texts["CUSTOM"].startswith("expected: TFLite_Detection_PostProcess")
    assert texts["DEQUANTIZE"].startswith("expected")
    assert texts["CONV_2D"] is None


@pytest.mark.parametrize("status", [beginning for beginning, _ in STATUSES])
def test_every_status_has_a_meaning_and_every_mapped_row_none(status):
    assert meaning_of(Row("CONV_2D", 1, status.capitalize()))
    assert meaning_of(Row("CONV_2D", 1, "Mapped to Edge TPU")) is None
    assert meaning_of(Row("CONV_2D", 1, "A status of a version to come")) is None


def test_islands_subgraphs_streaming_and_a_cut_table_are_pointed_out():
    rows = (Row("DEQUANTIZE", 12, "Operation is working on an unsupported data type"),)
    model = ModelLog(subgraphs=3, off_chip_bytes=3_000_000, operations=20, on_tpu=8, on_cpu=12, rows=rows)
    texts = advice(parse(""), model)
    assert "3 subgraphs" in texts[0] and "not always faster" in texts[0]
    assert "12 DEQUANTIZE: islands of float" in texts[1]
    assert "sent anew for every inference" in texts[2]
    assert "the table holds 12 of 20 operators" in texts[3]
    assert advice(parse(""), ModelLog(subgraphs=0))[0].startswith("nothing runs on the Edge TPU")


_LINES = [*VERSION_16.splitlines(), *ISSUE_342.splitlines(), *LOG_FILE.splitlines()]


@settings(max_examples=100, deadline=None)
@given(
    st.text(max_size=400)
    | st.lists(st.sampled_from(_LINES) | st.text(max_size=60), max_size=30).map("\n".join)
)
def test_whatever_the_log_something_comes_back(text):
    log = parse(text)
    for model in log.models:
        assert all(row.count >= 0 for row in model.rows)
        advice(log, model)
        side_by_side(model, model)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.from_regex(r"[A-Z][A-Z0-9_]{0,20}", fullmatch=True),
            st.integers(0, 999_999_999),
            st.sampled_from(["Mapped to Edge TPU", *(beginning for beginning, _ in STATUSES)]),
        ),
        max_size=20,
    )
)
def test_a_table_that_is_printed_is_read_back(rows):
    text = "Operator                       Count      Status\n\n"
    text += "".join(f"{name:<31}{count:<11}{status}\n" for name, count, status in rows)
    found = [row for model in parse(text).models for row in model.rows]
    assert [(row.operator, row.count, row.status) for row in found] == rows
