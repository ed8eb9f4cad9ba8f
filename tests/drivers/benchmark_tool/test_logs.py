"""Every real log is parsed, and what it means is asserted from tables written by reading the logs."""

import pytest

from harness.delegates import parse_delegate
from harness.drivers.benchmark_tool import protos
from harness.drivers.benchmark_tool.facts import Memory, OpRow, Statistics
from harness.drivers.benchmark_tool.parse import parse
from harness.drivers.benchmark_tool.profile_text import parse_profile
from harness.drivers.benchmark_tool.truth import judge
from tests.support.tool_logs import FAILED, MEASURED, OTHERS


def us(text):
    return round(float(text) * 1000)


def expected_statistics(figures):
    """`count first curr min max avg std p5 median p95`, or shorter forms (see measured.txt)."""
    words = figures.split()
    if len(words) == 4:
        return None
    if len(words) == 5:
        count, curr, p5, median, p95 = words
        return Statistics(
            int(count), us(curr), us(curr), us(curr), us(curr), None, us(p5), us(median), us(p95)
        )
    count, first, _, low, high, mean, std, p5, median, p95 = words
    return Statistics(
        int(count), us(mean), us(first), us(low), us(high), us(std), us(p5), us(median), us(p95)
    )


def test_the_collection_has_every_file_that_is_asserted(shared_data):
    """Further files may lie there: who reads them adds them to the tables."""
    there = {path.name for path in (shared_data / "benchmark_model_logs").iterdir()}
    assert there >= OTHERS | {f"{row[0]}.txt" for row in MEASURED + FAILED}
    assert len(MEASURED) + len(FAILED) + len(OTHERS) == 96


@pytest.mark.parametrize("row", MEASURED, ids=lambda row: row[0])
def test_a_run_that_ended_well_means_what_its_log_says(row, tool_log):
    name, delegate, status, actual, warm_up, measured, init, first, init_mb, overall_mb = row
    log = tool_log(name)
    assert log.exit_code == 0
    output = parse(log.stdout, log.stderr, log.exit_code)
    timed = expected_statistics(measured)
    assert output.status == ("failed" if timed is None else "ok")
    assert output.steady == timed
    assert output.warm_up == expected_statistics(warm_up)
    assert output.init_ns == int(init) * 1000
    assert output.first_ns == (int(first) * 1000 or None)
    assert (output.memory.init_mb, output.memory.overall_mb) == (float(init_mb), float(overall_mb))
    assert output.flavour == "tflite"
    truth = judge(parse_delegate(delegate), output)
    assert (truth.status, truth.actual) == (status, actual)
    assert bool(truth.reasons) == (status != "ok")


@pytest.mark.parametrize("row", FAILED, ids=lambda row: row[0])
def test_a_run_that_failed_has_its_reason_and_no_number(row, tool_log):
    name, delegate, exit_code, flavour, reason = row
    log = tool_log(name)
    assert log.exit_code == int(exit_code)
    output = parse(log.stdout, log.stderr, log.exit_code)
    assert (output.status, output.steady) == ("failed", None)
    assert output.flavour == (None if flavour == "-" else flavour)
    assert reason in output.reasons[0]
    truth = judge(parse_delegate(delegate), output)
    assert (truth.status, truth.actual, truth.reasons) == ("failed", "unknown", output.reasons)


UNCONSUMED = {
    "allproviders_use_hexagon": "--use_hexagon=true",
    "bool_flag_bare": "--enable_op_profiling",
    "unknown_flag": "--no_such_flag=1",
    "use_coreml": "--use_coreml=true",
    "use_gpu": "--use_gpu=true",
    "use_hexagon": "--use_hexagon=true",
    "use_nnapi": "--use_nnapi=true",
}


@pytest.mark.parametrize("row", MEASURED, ids=lambda row: row[0])
def test_flags_that_were_passed_over_are_found(row, tool_log):
    output = parse(tool_log(row[0]).stdout, "", 0)
    assert output.unconsumed == ((UNCONSUMED[row[0]],) if row[0] in UNCONSUMED else ())
    if row[0] in UNCONSUMED:
        truth = judge(parse_delegate(row[1]), output)
        assert UNCONSUMED[row[0]] in truth.reasons[0]
        assert truth.evidence[0] == f"Unconsumed cmdline flags: {UNCONSUMED[row[0]]}"


EVIDENCE = {
    # log: what it says of delegates besides «Created TensorFlow Lite XNNPACK delegate for CPU.», kernels, nodes
    "allproviders_use_gpu": [("refused", "GPU", None, None)],
    "allproviders_use_nnapi": [("refused", "NNAPI", None, None)],
    "allproviders_use_nnapi_accel": [("refused", "NNAPI", None, None)],
    "print_preinvoke_state": [("replaced", "TfLiteXNNPackDelegate", None, 4)],
    "require_full_delegation_xnnpack_float": [
        ("created", "XNNPACK", None, None),
        ("complete", "XNNPACK", None, None),
    ],
    "use_xnnpack_true": [("created", "XNNPACK", None, None), ("partial", "XNNPACK", 2, None)],
    "use_xnnpack_true_float": [("created", "XNNPACK", None, None), ("complete", "XNNPACK", None, None)],
    "use_xnnpack_true_nothing_delegated": [
        ("created", "XNNPACK", None, None),
        ("none", "XNNPACK", None, None),
    ],
    "xnnpack_weight_cache": [("created", "XNNPACK", None, None), ("partial", "XNNPACK", 2, None)],
}
NO_XNNPACK = {
    "graph_empty_model",
    "op_profiling_stdout_noxnn",
    "use_xnnpack_false",
    "use_xnnpack_false_float",
}


@pytest.mark.parametrize("row", MEASURED, ids=lambda row: row[0])
def test_the_evidence_for_what_ran_is_found(row, tool_log):
    log = tool_log(row[0])
    mentions = parse(log.stdout, log.stderr, 0).log.mentions
    created = [m for m in mentions if m.text == "Created TensorFlow Lite XNNPACK delegate for CPU."]
    assert len(created) == (row[0] not in NO_XNNPACK)
    others = [(m.kind, m.delegate, m.kernels, m.nodes) for m in mentions if m not in created]
    assert others == EVIDENCE.get(row[0], [])


def test_nodes_are_counted_where_the_log_counts_them(tool_log):
    truth = judge(parse_delegate("cpu"), parse(tool_log("print_preinvoke_state").stdout, "", 0))
    assert (truth.delegated_nodes, truth.total_nodes) == (4, None)
    truth = judge(parse_delegate("cpu"), parse(tool_log("default").stdout, "", 0))
    assert (truth.delegated_nodes, truth.total_nodes) == (None, None)


def test_the_peak_of_memory_is_read_where_it_was_watched(tool_log):
    assert parse(tool_log("peak_memory").stdout, "", 0).memory == Memory(13.6172, 14.1172, 19.8125)
    assert parse(tool_log("peak_memory_interval_bad").stdout, "", 0).memory == Memory(13.0, 13.5, 19.4961)
    assert parse(tool_log("default").stdout, "", 0).memory.peak_mb is None


def test_the_result_file_is_preferred_where_it_agrees_with_the_log(tool_log, tool_file):
    log = tool_log("result_file_path")
    output = parse(log.stdout, "", 0, result=tool_file("result_file_path.result.pb"))
    # the decoded file, ms: avg 4.03035879 min 3.846 max 6.512 stddev 0.299 median 3.953 p5 3.877 p95 4.45
    steady = Statistics(248, 4030359, 3880000, 3846000, 6512000, 299000, 3877000, 3953000, 4450000)
    assert (output.status, output.steady, output.notes) == ("ok", steady, ())
    assert (output.init_ns, output.first_ns) == (5295000, 4124000)
    assert output.memory == Memory(13888 / 1024, 14400 / 1024, 19.78125)


def test_a_result_file_of_another_run_is_left_aside(tool_log, tool_file):
    output = parse(tool_log("default").stdout, "", 0, result=tool_file("result_file_path.result.pb"))
    assert output.steady is not None
    assert output.steady.mean_ns == 4041170
    assert output.notes == ("the result file does not fit the log and is left aside",)


def test_a_result_file_alone_gives_the_warm_up_too(tool_file):
    result = protos.parse_result(tool_file("result_file_path.result.pb"))
    assert (result.n_warm_up, result.warm_up_mean_ns) == (125, 4011128)
    assert (result.init_ns, result.first_ns) == (5295000, 4124000)


CONV, SOFTMAX_V1 = "Convolution (NHWC, QU8) IGEMM", "[MobilenetV1/Predictions/Reshape_1]:30"
PROFILES = {
    # log or file: operators, the first one and its mean in ns, the last one and its mean in ns
    "op_profiling_stdout.txt": (66, CONV, 297_000, "[MobilenetV2/Predictions/Softmax]:65", 3_000),
    "op_profiling_stdout_noxnn.txt": (
        66,
        "CONV_2D",
        10_426_000,
        "[MobilenetV2/Predictions/Softmax]:65",
        4_000,
    ),
    "op_profiling_stdout_float.txt": (
        *(4, "Transpose (ND, X32) Transpose", 35_000),
        *("Delegate/Fully Connected (NC, F32) GEMM:3", 0),
    ),
    "op_profiling_csv_stdout.txt": (31, CONV, 50_106, SOFTMAX_V1, 2_537),
    "op_profiling_csv_file.output.csv": (31, CONV, 54_618, SOFTMAX_V1, 2_746),
    "op_profiling_old_csv_flag.output.csv": (31, CONV, 40_644, SOFTMAX_V1, 2_025),
    "op_profiling_text_file.output.txt": (31, CONV, 39_000, SOFTMAX_V1, 2_000),
}


@pytest.mark.parametrize("name", PROFILES)
def test_the_operators_of_a_printed_profile_are_read_in_the_order_they_ran(name, shared_data):
    n_rows, first_type, first_ns, last_name, last_ns = PROFILES[name]
    rows = parse_profile((shared_data / "benchmark_model_logs" / name).read_text(encoding="utf-8"))
    assert len(rows) == n_rows
    assert (rows[0].node_type, rows[0].mean_ns, rows[0].times_called) == (first_type, first_ns, 1)
    assert (rows[-1].name, rows[-1].mean_ns) == (last_name, last_ns)


def test_a_log_without_a_profile_has_no_operators(tool_log):
    assert parse(tool_log("default").stdout, "", 0).profile == ()


def test_the_operators_of_a_written_profile_are_read_in_the_order_they_ran(tool_log, tool_file):
    data = tool_file("op_profiling_proto_file.output.pb")
    rows = parse(tool_log("op_profiling_proto_file").stdout, "", 0, profile=data).profile
    assert len(rows) == 31
    assert rows[0].node_type == CONV
    assert rows[0].name == "Delegate/Convolution (NHWC, QU8) IGEMM:0"
    assert rows[-1].name == SOFTMAX_V1
    assert isinstance(rows[0], OpRow)


def test_the_decoded_files_of_the_collection_are_what_they_say(shared_data):
    """The text forms stand beside the binary ones for readers; they only need to be what the tests quote."""
    folder = shared_data / "benchmark_model_logs"
    assert "avg_ms: 4.03035879" in (folder / "result_file_path.decoded.txt").read_text("utf-8")
    assert 'node_type: "ModifyGraphWithDelegate"' in (
        folder / "op_profiling_proto_file.decoded_head.txt"
    ).read_text("utf-8")
    assert "subgraph_id: 0" in (folder / "model_runtime_info.decoded_head.txt").read_text("utf-8")


def test_the_block_of_results_of_litert_is_read(tool_log):
    log = tool_log("py_benchmark_litert_default")
    output = parse(log.stdout, log.stderr, log.exit_code)
    # Inference (avg): 3.29 ms (50 runs), min 3.22, max 3.39, median 3.28, std 0.03, p5 3.24, p95 3.35
    steady = Statistics(50, 3_290_000, None, 3_220_000, 3_390_000, 30_000, 3_240_000, 3_280_000, 3_350_000)
    assert (output.status, output.steady, output.flavour) == ("ok", steady, "litert")
    assert (output.init_ns, output.first_ns) == (7_540_000, 3_700_000)
    truth = judge(parse_delegate("cpu"), output)
    assert (truth.status, truth.actual) == ("ok", "unknown")
    assert judge(parse_delegate("gpu"), output).status == "fallback"
    assert judge(parse_delegate("npu"), output).status == "fallback"


def test_the_help_of_litert_is_no_measurement(tool_log):
    log = tool_log("py_benchmark_litert_help")
    output = parse(log.stdout, log.stderr, log.exit_code)
    assert (output.status, output.exit_code, output.steady) == ("failed", 0, None)
    assert output.reasons == ("the log holds no statistics of the measured phase",)
