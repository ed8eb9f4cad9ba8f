"""What may be claimed of a run, for every kind of evidence."""

import pytest
from ai_edge_litert import model_runtime_info_pb2
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.delegates import parse_delegate
from harness.drivers.benchmark_tool.parse import parse
from harness.drivers.benchmark_tool.truth import judge, kind_of
from tests.support.paths import SHARED_DATA

STEADY = """INFO: STARTING!
{head}
INFO: Running benchmark for at least 1 iterations and at least 0.5 seconds but terminate if exceeding 150 seconds.
INFO: count=2 first=12 curr=10 min=10 max=12 avg=11 std=1 p5=10 median=12 p95=12

INFO: Running benchmark for at least 50 iterations and at least 1 seconds but terminate if exceeding 150 seconds.
INFO: count=50 first=10 curr=10 min=9 max=12 avg=10.2 std=1 p5=9 median=10 p95=12

INFO: Inference timings in us: Init: 100, First inference: 12, Warmup (avg): 11, Inference (avg): 10.2
"""


def graph(total, *shares, plan=True, types=(1,)):
    """A runtime graph of `total` nodes in which each (name, nodes) of `shares` took some."""
    details = model_runtime_info_pb2.ModelRuntimeDetails()
    subgraph = details.subgraphs.add(subgraph_type=types[0])
    for node in range(total):
        subgraph.nodes.add(id=node, name="CONV_2D")
    taken = 0
    for at, (name, n_nodes) in enumerate(shares, total):
        node = subgraph.nodes.add(id=at, name=name)
        node.delegate_node_details.delegate_name = name
        node.delegate_node_details.tflite_node_ids_replaced.extend(range(taken, taken + n_nodes))
        for replaced in range(taken, taken + n_nodes):
            subgraph.nodes[replaced].delegated_to_node_id = at
        taken += n_nodes
        if plan:
            subgraph.execution_plan.append(at)
    subgraph.execution_plan.extend(range(taken, total))
    return details.SerializeToString()


def told(delegate, *lines, missing=(), **files):
    text = STEADY.format(head="\n".join(lines))
    return judge(parse_delegate(delegate), parse(text, "", 0, **files), missing)


GPU_WHOLE = (
    "INFO: Explicitly applied GPU delegate, and the model graph will be completely executed by the delegate."
)
GPU_PART = (
    "INFO: Explicitly applied GPU delegate, and the model graph will be partially executed by the delegate w/ 2 "
    "delegate kernels."
)
NNAPI_NONE = (
    "INFO: Though NNAPI delegate is explicitly applied, the model graph will not be executed by the delegate."
)
XNNPACK = "INFO: Created TensorFlow Lite XNNPACK delegate for CPU."

CASES = [
    # asked for, what the log says, status, what ran, nodes, all nodes
    ("gpu", [GPU_WHOLE], "ok", "gpu", None, None),
    ("gpu", [GPU_PART, XNNPACK], "partial", "gpu", None, None),
    (
        "gpu",
        [
            "VERBOSE: Replacing 63 out of 64 node(s) with delegate (TfLiteGpuDelegateV2) node, yielding 2 partitions."
        ],
        *("partial", "gpu", 63, 64),
    ),
    (
        "gpu",
        [
            "I/tflite: Replacing 31 out of 31 node(s) with delegate (TfLiteGpuDelegateV2) node, yielding 1 partitions."
        ],
        *("ok", "gpu", 31, 31),
    ),
    # an old runtime does not say how many nodes there are in all
    (
        "gpu",
        ["INFO: Replacing 63 node(s) with delegate (TfLiteGpuDelegateV2) node, yielding 2 partitions."],
        *("partial", "gpu", 63, None),
    ),
    (
        "gpu",
        ["Applied GPU delegate, and the model graph will be completely executed w/ the delegate."],
        *("ok", "gpu", None, None),
    ),
    ("gpu", ["INFO: Created TensorFlow Lite delegate for GPU.", XNNPACK], "fallback", "unknown", None, None),
    ("gpu", ["ERROR: Failed to apply GPU delegate.", XNNPACK], "fallback", "cpu", 0, None),
    ("gpu", ["WARN: GPU acceleration is unsupported on this platform."], "fallback", "cpu", 0, None),
    ("gpu", [GPU_WHOLE, "WARN: Unconsumed cmdline flags: --use_gpu=true"], "fallback", "cpu", 0, None),
    (
        "gpu",
        ["INFO: Explicitly applied XNNPACK delegate, and the model graph will be completely executed by it."],
        *("fallback", "unknown", None, None),
    ),
    # NNAPI takes nodes, cannot compile them, and gives them back
    (
        "nnapi",
        [
            "INFO: Replacing 31 out of 31 node(s) with delegate (TfLiteNnapiDelegate) node, yielding 1 partitions.",
            NNAPI_NONE,
        ],
        *("fallback", "cpu", 0, None),
    ),
    # of two delegates each line speaks of its own
    ("gpu", [GPU_WHOLE, NNAPI_NONE], "ok", "gpu", None, None),
    ("nnapi", [GPU_WHOLE, NNAPI_NONE], "fallback", "cpu", 0, None),
    (
        "nnapi",
        [
            "INFO: NNAPI accelerators available: [nnapi-reference]",
            "Explicitly applied NNAPI delegate, and the model graph will be completely executed by the delegate.",
        ],
        *("fallback", "cpu", 0, None),
    ),
    (
        "nnapi:qti-dsp",
        [
            "INFO: NNAPI accelerators available: [qti-default,qti-dsp,nnapi-reference]",
            "Explicitly applied NNAPI delegate, and the model graph will be completely executed by the delegate.",
        ],
        *("ok", "nnapi", None, None),
    ),
    (
        "hexagon",
        [
            "WARN: Could not create Hexagon delegate: platform may not support delegate or libraries are missing"
        ],
        *("fallback", "cpu", 0, None),
    ),
    ("external:libx.so", [XNNPACK], "fallback", "unknown", None, None),
    (
        "external:libx.so",
        [
            "INFO: Explicitly applied EXTERNAL delegate, and the model graph will be completely executed by it."
        ],
        *("ok", "external", None, None),
    ),
    (
        "qnn:htp",
        ["INFO: Explicitly applied EXTERNAL delegate, and the model graph will be partially executed by it."],
        *("partial", "qnn", None, None),
    ),
    ("cpu", [XNNPACK], "ok", "unknown", None, None),
    ("cpu-reference", ["INFO: Use xnnpack: [0]"], "ok", "cpu-reference", None, None),
    ("cpu-reference", ["INFO: Use xnnpack: [0]", XNNPACK], "ok", "unknown", None, None),
    ("cpu-reference", [], "ok", "unknown", None, None),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]}-{case[2]}-{case[3]}")
def test_the_log_is_believed_as_far_as_it_goes(case):
    delegate, lines, status, actual, nodes, total = case
    truth = told(delegate, *lines)
    assert (truth.status, truth.actual) == (status, actual)
    assert (truth.delegated_nodes, truth.total_nodes) == (nodes, total)
    assert bool(truth.reasons) == (status != "ok")


GRAPHS = [
    # asked for, the graph, status, what ran, nodes, all nodes
    ("gpu", graph(64, ("TfLiteGpuDelegateV2", 64)), "ok", "gpu", 64, 64),
    ("gpu", graph(64, ("TfLiteGpuDelegateV2", 63)), "partial", "gpu", 63, 64),
    ("gpu", graph(64, ("TfLiteGpuDelegateV2", 54), ("TfLiteXNNPackDelegate", 10)), "partial", "gpu", 54, 64),
    ("gpu", graph(64, ("TfLiteXNNPackDelegate", 60)), "fallback", "xnnpack", 0, 64),
    ("gpu", graph(64), "fallback", "cpu-reference", 0, 64),
    ("external:libx.so", graph(64, ("MyVendorThing", 64)), "ok", "external", 64, 64),
    ("external:libx.so", graph(64, ("TfLiteXNNPackDelegate", 64)), "fallback", "xnnpack", 0, 64),
    ("external:libx.so", graph(64, ("TfLiteFlexDelegate", 3)), "fallback", "cpu-reference", 0, 64),
    ("edgetpu", graph(2, ("EdgeTpuDelegateForCustomOp", 1)), "partial", "edgetpu", 1, 2),
    ("npu", graph(1, ("DispatchDelegate", 1)), "ok", "npu", 1, 1),
    ("cpu", graph(64, ("TfLiteXNNPackDelegate", 60)), "ok", "xnnpack", 60, 64),
    ("cpu", graph(64), "fallback", "cpu-reference", 0, 64),
    ("cpu-reference", graph(64), "ok", "cpu-reference", 0, 64),
    ("cpu-reference", graph(64, ("TfLiteXNNPackDelegate", 60)), "fallback", "xnnpack", 60, 64),
]


@pytest.mark.parametrize("case", GRAPHS, ids=lambda case: f"{case[0]}-{case[2]}-{case[4]}")
def test_the_runtime_graph_decides(case):
    delegate, data, status, actual, nodes, total = case
    truth = told(delegate, XNNPACK, graph=data)
    assert (truth.status, truth.actual) == (status, actual)
    assert (truth.delegated_nodes, truth.total_nodes) == (nodes, total)
    assert truth.evidence[0].startswith(f"runtime graph: of {total} nodes")


def test_a_delegate_that_is_not_in_the_execution_plan_did_not_run():
    data = graph(31, ("TfLiteNnapiDelegate", 31), plan=False)
    details = model_runtime_info_pb2.ModelRuntimeDetails.FromString(data)
    details.subgraphs[0].execution_plan.extend(range(31))
    truth = told("nnapi", XNNPACK, graph=details.SerializeToString())
    assert (truth.status, truth.actual) == ("fallback", "cpu-reference")


def test_nodes_inside_a_delegate_are_not_the_models():
    details = model_runtime_info_pb2.ModelRuntimeDetails.FromString(graph(4, ("TfLiteGpuDelegateV2", 4)))
    details.subgraphs.add(subgraph_type=2).nodes.add(id=0, name="inner")
    truth = told("gpu", graph=details.SerializeToString())
    assert (truth.status, truth.delegated_nodes, truth.total_nodes) == ("ok", 4, 4)


def test_a_line_that_denies_outweighs_the_graph():
    truth = told("gpu", "ERROR: Failed to apply GPU delegate.", graph=graph(8, ("TfLiteGpuDelegateV2", 8)))
    assert truth.status == "fallback"


def test_a_missing_library_is_a_failure_that_names_it():
    truth = told("qnn", GPU_WHOLE, missing=("libQnnTFLiteDelegate.so",))
    assert truth.status == "failed"
    assert "libQnnTFLiteDelegate.so" in truth.reasons[0]


def test_a_flag_that_only_tells_more_may_be_unknown_to_the_tool():
    truth = told("gpu", GPU_WHOLE, "WARN: Unconsumed cmdline flags: --export_model_runtime_info=true")
    assert truth.status == "ok"


def test_a_flag_that_changes_what_is_measured_may_not():
    truth = told("cpu:4", XNNPACK, "WARN: Unconsumed cmdline flags: --num_threads=4 --use_xnnpack=true")
    assert truth.status == "failed"
    assert "--num_threads=4" in truth.reasons[0]
    assert "--use_xnnpack" not in truth.reasons[0]


def test_a_run_that_failed_claims_nothing_and_keeps_its_evidence():
    output = parse(STEADY.format(head=GPU_WHOLE), "", 139)
    truth = judge(parse_delegate("gpu"), output)
    assert (truth.status, truth.actual) == ("failed", "unknown")
    assert truth.reasons == ("benchmark_model crashed with SIGSEGV",)
    assert truth.evidence == (GPU_WHOLE.removeprefix("INFO: "),)


def test_a_run_that_took_too_long_is_a_timeout():
    truth = judge(parse_delegate("gpu"), parse(STEADY.format(head=""), "", -9, timed_out=True))
    assert truth.status == "timeout"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("TfLiteXNNPackDelegate", "xnnpack"),
        ("TfLiteGpuDelegateV2", "gpu"),
        ("LITERT_CL", "gpu"),
        ("TfLiteNnapiDelegate", "nnapi"),
        ("TfLiteHexagonDelegate", "hexagon"),
        ("TfLiteQnnDelegate", "qnn"),
        ("EdgeTpuDelegateForCustomOp", "edgetpu"),
        ("DispatchDelegate", "npu"),
        ("EXTERNAL", "external"),
        ("SomethingElse", None),
    ],
)
def test_names_of_runtimes_and_vendors_are_known(name, kind):
    assert kind_of(name) == kind


RESTORED = "ERROR: Restored original execution plan after delegate application failure."
REVERTED = (
    "INFO: Error in applying the default TensorFlow Lite delegate indexed at 0, and all previously applied "
    "delegates are reverted."
)
TOOK = (
    "VERBOSE: Replacing 64 out of 64 node(s) with delegate ({}) node, yielding 1 partitions for subgraph 0."
)
GPU_TOOK, XNNPACK_TOOK = TOOK.format("TfLiteGpuDelegateV2"), TOOK.format("TfLiteXNNPackDelegate")
QNN_COUNTS = "INFO: [Qnn Delegate] QNN delegate: {} nodes delegated out of 64 nodes with 2 partitions."
EXTERNAL_PART = (
    "INFO: Explicitly applied EXTERNAL delegate, and the model graph will be partially executed by the delegate w/ 2 "
    "delegate kernels."
)
OPENGL = "INFO: Can not open OpenCL library on this device. Falling back to OpenGL."

TOLD = [
    # asked for, what the log says, status, what ran, nodes, all nodes
    ("gpu", [GPU_TOOK, RESTORED], "fallback", "cpu", 0, None),
    ("gpu", [GPU_TOOK, RESTORED, XNNPACK_TOOK], "fallback", "xnnpack", 0, 64),
    ("gpu", [GPU_TOOK, XNNPACK_TOOK, RESTORED, REVERTED], "fallback", "cpu-reference", 0, 64),
    ("gpu", [GPU_WHOLE, REVERTED], "fallback", "cpu-reference", 0, None),
    ("cpu", [XNNPACK, XNNPACK_TOOK, RESTORED], "fallback", "cpu-reference", 0, 64),
    ("cpu", [XNNPACK, RESTORED], "fallback", "cpu-reference", 0, None),
    ("qnn", [QNN_COUNTS.format(60), EXTERNAL_PART], "partial", "qnn", 60, 64),
    ("external:libx.so", [QNN_COUNTS.format(60), EXTERNAL_PART], "partial", "external", 60, 64),
    ("qnn", [QNN_COUNTS.format(0)], "fallback", "unknown", None, None),
    (
        "external:libethosu.so",
        ["INFO: Ethos U Delegate: 1 nodes delegated out of 2 nodes with 1 partitions."],
        *("partial", "external", 1, 2),
    ),
    (
        "external:libx.so",
        ["INFO: TfLiteFlexDelegate delegate: 3 nodes delegated out of 64 nodes with 1 partitions."],
        *("fallback", "unknown", None, None),
    ),
    (
        "hexagon",
        ["INFO: TfLiteHexagonDelegate delegate: 88 nodes delegated out of 90 nodes with 2 partitions."],
        *("partial", "hexagon", 88, 90),
    ),
    ("npu", [XNNPACK_TOOK], "fallback", "xnnpack", 0, 64),
    ("gpu:cl", [GPU_WHOLE, OPENGL], "fallback", "gpu:gl", None, None),
    (
        "nnapi",
        ["WARN: Unconsumed cmdline flags: --use_nnapi=true --disable_nnapi_cpu=true", XNNPACK],
        *("fallback", "cpu", 0, None),
    ),
]


@pytest.mark.parametrize("case", TOLD, ids=lambda case: f"{case[0]}-{case[2]}-{case[3]}")
def test_lines_that_count_and_lines_that_take_back_are_read(case):
    test_the_log_is_believed_as_far_as_it_goes(case)


def test_a_gpu_by_opengl_is_told_where_neither_api_was_asked_for():
    truth = told("gpu", GPU_WHOLE, OPENGL)
    assert (truth.status, truth.actual, truth.reasons) == ("ok", "gpu", (OPENGL.removeprefix("INFO: "),))


def test_the_runtime_graph_outweighs_a_line_that_takes_back():
    truth = told("gpu", GPU_TOOK, RESTORED, graph=graph(64, ("TfLiteGpuDelegateV2", 64)))
    assert (truth.status, truth.actual, truth.delegated_nodes) == ("ok", "gpu", 64)
    assert "Restored original execution plan" in truth.reasons[0]


def test_errors_of_a_run_that_ended_well_are_reasons():
    truth = told("gpu", GPU_TOOK, "ERROR: TfLiteGpuDelegate Init: Batch size mismatch", RESTORED)
    assert "TfLiteGpuDelegate Init: Batch size mismatch" in truth.reasons


CLAIMS = {
    "gpu": [GPU_TOOK, GPU_WHOLE, GPU_PART],
    "qnn": [QNN_COUNTS.format(60), EXTERNAL_PART],
    "cpu": [XNNPACK_TOOK],
}
NOISE = [
    XNNPACK,
    "INFO: Signature to run: []",
    "INFO: GPU delegate created.",
    "",
    "ERROR: Calling prepare multiple times",
]


@settings(max_examples=100, deadline=None)
@given(st.data(), st.sampled_from(sorted(CLAIMS)), st.sampled_from((RESTORED, REVERTED)))
def test_no_claim_survives_a_line_that_takes_back_after_it(data, delegate, taken_back):
    claims = data.draw(st.lists(st.sampled_from([*CLAIMS[delegate], *NOISE]), min_size=1, max_size=6))
    behind = data.draw(st.lists(st.sampled_from(NOISE), max_size=4))
    truth = told(delegate, *claims, taken_back, *behind)
    assert truth.status == "fallback"
    assert truth.actual in {"cpu", "cpu-reference", "unknown"}
    assert not truth.delegated_nodes


RECORDED = {
    # case: what was asked for, status, what ran, nodes, all nodes
    "restored_gpu": ("gpu", "fallback", "cpu", 0, None),
    "reverted_hexagon": ("hexagon", "fallback", "cpu-reference", 0, None),
    "restored_xnnpack": ("cpu", "fallback", "cpu-reference", 0, 301),
    "qnn_counts": ("qnn", "partial", "qnn", 60, 64),
    "qnn_none": ("qnn", "fallback", "cpu", 0, None),
    "ethosu_counts": ("external:libethosu.so", "partial", "external", 1, 2),
    "npu_ran_on_xnnpack": ("npu", "fallback", "xnnpack", 0, 476),
}


@pytest.mark.parametrize("name", RECORDED)
def test_recorded_cases_mean_what_their_table_says(name):
    path = SHARED_DATA.parent / "cases" / "tool_logs" / f"{name}.log"
    if not path.is_file():
        pytest.skip(f"shared cases are absent: {path}")
    delegate, *expected = RECORDED[name]
    truth = judge(parse_delegate(delegate), parse(path.read_text("utf-8"), "", 0))
    assert [truth.status, truth.actual, truth.delegated_nodes, truth.total_nodes] == expected
