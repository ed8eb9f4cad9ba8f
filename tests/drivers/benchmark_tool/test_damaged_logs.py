"""Logs that are cut off or damaged: never an exception, never `ok` with numbers that are not in the text."""

import random
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from harness.delegates import parse_delegate
from harness.drivers.benchmark_tool.eval_tool import parse_eval
from harness.drivers.benchmark_tool.parse import parse
from harness.drivers.benchmark_tool.protos import parse_graph, parse_profile, parse_result
from harness.drivers.benchmark_tool.truth import judge
from tests.support.tool_logs import FAILED, MEASURED, OTHERS

DELEGATES = ("cpu", "cpu-reference", "gpu", "nnapi", "hexagon", "qnn", "npu", "edgetpu", "external:lib.so")
ACCELERATORS = DELEGATES[2:]
WORDS = re.compile(r"[0-9.]+(?:e[+-]?[0-9]+)?")


@pytest.fixture(scope="module")
def logs(shared_data):
    folder = shared_data / "benchmark_model_logs"
    listed = {row[0] for row in MEASURED + FAILED} | {name.removesuffix(".txt") for name in OTHERS}
    names = sorted(name for name in listed if "." not in name)
    return {name: (folder / f"{name}.txt").read_bytes() for name in names}


def numbers_of(text):
    return {round(float(word) * 1000) for word in WORDS.findall(text) if word.count(".") < 2 and word != "."}


def check(text, exit_code, original_ok=True):
    """Hold one text against the promise, for every delegate that may have been asked for."""
    output = parse(text, "", exit_code)
    if output.status == "ok":
        told = numbers_of(text)
        steady = output.steady
        figures = (steady.mean_ns, steady.first_ns, steady.min_ns, steady.max_ns, steady.std_ns)
        in_ms = {1000 * value for value in told}
        assert all(f is None or f in told or f in in_ms for f in (*figures, steady.p5_ns, steady.median_ns))
        assert steady.consistent
        assert exit_code == 0
        assert original_ok
    else:
        assert output.steady is None
        assert output.reasons
    for spelling in DELEGATES:
        truth = judge(parse_delegate(spelling), output)
        assert truth.status != "ok" or output.status == "ok"
        if spelling in ACCELERATORS:
            assert truth.status != "ok", "no log of this collection is of an accelerator"
            assert truth.actual in {"unknown", "cpu", "xnnpack", "cpu-reference"}
    return output


def body_of(data):
    text = data.decode("utf-8", "replace")
    return text[: text.rfind("exit=")]


def test_no_log_cut_at_any_line_is_ok_before_its_closing_line(logs):
    for name, data in logs.items():
        lines = body_of(data).splitlines(keepends=True)
        closing = next((i for i, x in enumerate(lines) if "nference timings in us" in x), len(lines))
        if "py_benchmark" in name:
            closing = next((i for i, x in enumerate(lines) if x.startswith("Inference (avg)")), len(lines))
        for n_lines in range(len(lines)):
            output = check("".join(lines[:n_lines]), 0)
            assert output.status == "failed" or n_lines > closing


def test_no_log_cut_at_any_byte_of_its_last_lines_is_ok_with_another_number(logs):
    for name in (
        "default",
        "runs_1",
        "use_xnnpack_true",
        "op_profiling_stdout",
        "py_benchmark_litert_default",
    ):
        text = body_of(logs[name])
        whole = parse(text, "", 0).steady
        for end in range(len(text) - 700, len(text)):
            output = check(text[:end], 0)
            assert output.status == "failed" or output.steady.mean_ns == whole.mean_ns


def test_no_log_of_a_run_that_failed_is_ok_whatever_is_cut(logs):
    for data in logs.values():
        for exit_code in (1, 134, 139, -11, None):
            assert parse(body_of(data), "", exit_code).status == "failed"


def test_flipped_bytes_raise_nothing_and_invent_no_number(logs):
    chance = random.Random(1)
    for data in logs.values():
        body = data[:20_000]
        for _ in range(25):
            damaged = bytearray(body)
            for _ in range(chance.randint(1, 6)):
                damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
            check(damaged.decode("utf-8", "replace"), 0)


def test_a_flipped_digit_of_the_mean_is_noticed(logs):
    text = body_of(logs["default"])
    damaged = text.replace("avg=4041.17", "avg=4051.17")
    output = parse(damaged, "", 0)
    assert output.status == "failed"
    assert "contradicts itself" in output.reasons[0]


FRAGMENTS = [
    *("INFO: ", "WARN: ", "ERROR: ", "VERBOSE: ", "\n", "\r\n", " ", "\x00", "é", "\u2028"),
    *(
        "count=",
        "count=3 first=1 curr=2 min=1 max=3 avg=2 std=1 p5=1 median=2 p95=3\n",
        "count=1 curr=7 p5=7",
    ),
    *("count=9 curr=5(all same) p5=5 median=5 p95=5\n", "avg=-nan", "avg=1e999", "avg=1.53025e+06", "inf"),
    *(
        "Running benchmark for at least 1 iterations\n",
        "Inference timings in us: Init: 1, First inference: 2,",
    ),
    *(" Warmup (avg): 2, Inference (avg): 2\n", "Average inference timings in us: Warmup: 1, no stats: 2\n"),
    *(
        "Unconsumed cmdline flags: --use_gpu=true --x\n",
        "Initialized session in 1.5ms.\n",
        "99999999999999999999999",
    ),
    *(
        "Explicitly applied GPU delegate, and the model graph will be partially executed\n",
        "\t",
        ", ",
        "=====",
    ),
    *(
        "Operator-wise Profiling Info for Regular Benchmark Runs:\n===== Run Order =====\n",
        "a, 1, 1, 1%, 1%, 0, 1, b\n",
    ),
    *("Memory footprint delta from the start of the tool (MB): init=x overall=1e400\n", "[1", "9", "0", "."),
    *(
        "Replacing 3 out of 2 node(s) with delegate (TfLiteXNNPackDelegate) node, yielding 1 partitions\n",
        ":",
        "]",
    ),
]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=6), max_size=40).map("".join),
    st.sampled_from((0, 1)),
)
@example("", 0)
@example("count=0\n" * 3, 0)
def test_no_text_whatever_raises(text, exit_code):
    output = parse(text, text, exit_code)
    for spelling in DELEGATES:
        judge(parse_delegate(spelling), output)
    parse_eval(text, "", exit_code)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_no_file_whatever_raises(data):
    for read in (parse_result, parse_graph, parse_profile):
        read(data)


def test_a_damaged_result_file_gives_no_number_that_cannot_be_true(tool_log, tool_file):
    log, whole = tool_log("result_file_path"), tool_file("result_file_path.result.pb")
    files = [whole[:end] for end in range(len(whole))]
    for at in range(len(whole)):
        for bit in range(8):
            damaged = bytearray(whole)
            damaged[at] ^= 1 << bit
            files.append(bytes(damaged))
    for data in files:
        output = parse(log.stdout, "", 0, result=data)
        assert output.status == "ok"
        assert abs(output.steady.mean_ns - 4_030_360) < 100
        assert output.steady.count == 248
        assert output.steady.consistent


def test_a_damaged_profile_raises_nothing(tool_file):
    whole, chance = tool_file("op_profiling_proto_file.output.pb"), random.Random(2)
    for end in range(0, len(whole), 7):
        parse_profile(whole[:end])
    for _ in range(300):
        damaged = bytearray(whole)
        damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
        parse_profile(bytes(damaged))


def test_cut_and_damaged_logs_of_the_evaluation_tools_raise_nothing(shared_data):
    chance = random.Random(3)
    for path in sorted((shared_data / "eval_tool_logs").glob("*.txt")):
        data = path.read_bytes()
        lines = data[:6000].decode("utf-8", "replace").splitlines(keepends=True)
        for n_lines in range(len(lines)):
            parse_eval("".join(lines[:n_lines]), "", 0)
        for _ in range(25):
            damaged = bytearray(data[:6000])
            damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
            parse_eval(damaged.decode("utf-8", "replace"), "", 0)
