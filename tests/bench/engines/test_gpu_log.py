"""What LiteRT's GPU accelerator writes, read: the lines are ai-edge-litert 2.3.0's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.bench.engines.gpu_log import judge, read_gpu_log, why_refused
from harness.worker.compiled import COMPILED
from harness.worker.results import Execution

ADAPTER = (
    "I0000 00:00:1795831381.898052     520 environment.cc:532] Selected adapter: SwiftShader Device (Subzero), "
    "arch=swiftshader, vendor=google, backend=Vulkan, adapterType=CPU / Software"
)
CARD = ADAPTER.replace("SwiftShader Device (Subzero)", "NVIDIA H100 80GB HBM3").replace(
    "arch=swiftshader, vendor=google, backend=Vulkan, adapterType=CPU / Software",
    "arch=hopper, vendor=nvidia, backend=Vulkan, adapterType=Discrete GPU",
)
LEFT = "ERROR: Following operations are not supported by GPU delegate:"
OPERATORS = "CUSTOM TFLite_Detection_PostProcess: TFLite_Detection_PostProcess"
COUNTS = "54 operations will run on the GPU, and the remaining 1 operations will run on the CPU."
APPLIED = (
    "I0000 00:00:1795831381.907969     520 delegate_kernel.cc:984] Initializing WebGPU-based API from graph."
)
TAKES_BACK = (
    "ERROR: Restored original execution plan after delegate application failure.",
    "WARNING: all previously applied delegates are reverted.",
)
RAN = Execution("unknown", None, 55, ("compiled",))


def text(*lines):
    return "\n".join((*lines, COMPILED, ""))


def test_the_adapter_the_counts_and_what_was_left_are_read():
    log = read_gpu_log(text(ADAPTER, LEFT, OPERATORS, "CAST: only to float", "DEQUANTIZE: ", COUNTS, APPLIED))
    assert (log.adapter, log.software) == ("SwiftShader Device (Subzero) (Vulkan)", True)
    assert (log.on_gpu, log.on_cpu, log.applied) == (54, 1, True)
    assert log.unsupported == ("TFLite_Detection_PostProcess", "CAST: only to float", "DEQUANTIZE")
    found = judge(RAN, log)
    assert (found.actual, found.delegated_nodes, found.total_nodes) == ("gpu", 54, 55)


def test_without_counts_the_whole_graph_was_taken():
    log = read_gpu_log(text(CARD, APPLIED))
    assert (log.adapter, log.software) == ("NVIDIA H100 80GB HBM3 (Vulkan)", False)
    found = judge(RAN, log)
    assert (found.actual, found.delegated_nodes, found.total_nodes) == ("gpu", 55, 55)


@pytest.mark.parametrize("lines", [(), (ADAPTER,), (APPLIED,), (ADAPTER, LEFT, OPERATORS, COUNTS)])
def test_nothing_is_proven_where_a_line_is_missing(lines):
    found = judge(RAN, read_gpu_log(text(*lines)))
    assert (found.actual, found.delegated_nodes) == ("unknown", None)


def test_what_another_model_made_litert_say_is_not_this_models():
    log = read_gpu_log(text(CARD, APPLIED) + text(ADAPTER, LEFT, OPERATORS, COUNTS, APPLIED))
    assert (log.software, log.on_gpu, log.unsupported) == (False, None, ())


lines = st.lists(st.sampled_from([ADAPTER, CARD, LEFT, OPERATORS, COUNTS, APPLIED, COMPILED, "", "noise"]))


@given(lines, lines, st.sampled_from(TAKES_BACK))
def test_a_line_that_takes_back_undoes_every_claim_wherever_it_stands(before, after, line):
    found = judge(RAN, read_gpu_log("\n".join([*before, line, *after])))
    assert (found.actual, found.delegated_nodes) == ("unknown", None) and line in found.evidence


@given(st.text() | lines.map("\n".join))
def test_no_text_is_too_odd_to_be_read(odd):
    log = read_gpu_log(odd)
    found = judge(RAN, log)
    assert found.actual in {"gpu", "unknown"}
    assert found.actual == "unknown" or (log.adapter and "Initializing" in odd)
    assert why_refused(odd) is None or "ERROR" in odd


@pytest.mark.parametrize(
    ("log", "words"),
    [
        (
            "Warning: Couldn't load Vulkan: libvulkan.so.1: cannot open shared object file: No such file or directory\n"
            "ERROR: [delegate_webgpu.cc:359] Failed to initialize WebGPU environment: INTERNAL: No adapters found",
            "there is no Vulkan loader",
        ),
        (
            "Warning: vkCreateInstance: Found no drivers!\n"
            "ERROR: [delegate_webgpu.cc:359] Failed to initialize WebGPU environment: INTERNAL: No adapters found",
            "no GPU was found",
        ),
        (
            "WARNING: Attempting to use a delegate that only supports static-sized tensors with a graph that has "
            "dynamic-sized tensors (tensor#-1 is a dynamic-sized tensor).",
            "refuses the whole model",
        ),
        (
            "ERROR: Unknown shape output data type: 0\nERROR: Node number 55 (SHAPE) failed to prepare.\n",
            "Unknown shape output data type: 0; Node number 55 (SHAPE) failed to prepare.",
        ),
    ],
)
def test_a_refusal_is_told_in_plain_words(log, words):
    assert words in why_refused(log)
