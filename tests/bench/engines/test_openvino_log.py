"""What LiteRT's words about OpenVINO prove: applied, not applied, or nothing."""

import pytest

from harness.bench.engines.openvino_log import judge, read_openvino_log
from harness.worker.compiled import COMPILED
from harness.worker.results import Execution

# As ai-edge-litert 2.3.0 with openvino 2026.3.1 wrote them, without addresses and folders.
CPU = """\
INFO: [openvino_compiler_plugin.cc:497] op type 32 is not supported
INFO: [compiler_plugin.cc:524] Partition strategy: 0
INFO: Partitioned subgraph<0>, selected 54 ops, from a total of 55 ops. resulted in 1 partitions.
INFO: [openvino_compile_context.cc:77] Using Intel OpenVINO device: CPU
INFO: [compiled_model.cc:1397] 1 compiler plugins were applied successfully: IntelOpenVINO compiler plugin (ver 0.1.0)
INFO: [invocation_context.cc:248] Dispatch: using device 'CPU' from bytecode header
INFO: Created TensorFlow Lite XNNPACK delegate for CPU.
"""
NO_GPU = """\
INFO: Partitioned subgraph<0>, selected 54 ops, from a total of 55 ops. resulted in 1 partitions.
INFO: [openvino_compile_context.cc:77] Using Intel OpenVINO device: GPU
ERROR: [openvino_compiler_plugin.cc:714] Exception in compilation: Exception from src/inference/src/cpp/core.cpp:117:
Cannot load library "libopenvino_intel_gpu_plugin.so": libOpenCL.so.1: cannot open shared object file

INFO: [compiled_model.cc:1397] 0 compiler plugins were applied successfully: 
ERROR: [compiled_model.cc:1400] Plugin errs: IntelOpenVINO compiler plugin (ver 0.1.0) ERROR: [compiler_plugin.cc:504]
INFO: Created TensorFlow Lite XNNPACK delegate for CPU.
"""  # noqa: W291
NO_LIBRARY = """\
WARNING: [compiler_plugin.cc:312] Failed to load plugin at: libLiteRtCompilerPlugin_IntelOpenvino.so with error: ERROR
WARNING: [compiled_model.cc:1393] Failed to apply compiler plugins: No compiler plugin found
"""
NODES = Execution("unknown", None, 55, ("compiled by LiteRT's plugin for OpenVINO's CPU",))


def test_an_applied_plugin_is_the_npu_path_with_its_counts():
    ran = judge(NODES, read_openvino_log(f"{CPU}{COMPILED}\n{NO_GPU}"))
    assert (ran.actual, ran.delegated_nodes, ran.total_nodes) == ("npu", 54, 55)
    assert ran.evidence[-1] == "left to the CPU: CUSTOM"


@pytest.mark.parametrize(("log", "why"), [(NO_GPU, "libOpenCL.so.1"), (NO_LIBRARY, "could not be loaded")])
def test_no_applied_plugin_is_a_fallback_with_the_reason(log, why):
    ran = judge(NODES, read_openvino_log(log))
    assert (ran.actual, ran.delegated_nodes) == ("xnnpack", None)
    assert ran.evidence[0].startswith("LiteRT applied no compiler plugin: ") and why in ran.evidence[0]


@pytest.mark.parametrize("log", ["", "INFO: nothing", CPU.replace("Dispatch", "Other"), f"{COMPILED}\n{CPU}"])
def test_words_that_prove_nothing_are_unknown(log):
    assert judge(NODES, read_openvino_log(log)).actual == "unknown"
