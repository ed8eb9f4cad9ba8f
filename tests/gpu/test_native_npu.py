"""The native worker on LiteRT's NPU path: Intel's plugin, dispatch library and OpenVINO, here on OpenVINO's CPU."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from harness.native.job import COMPILE, END, infer_command, input_value, time_command
from harness.native.protocol import Compiled, Outputs, Samples, stage_lines
from tests.support.native_worker import LIBRARY, make_images
from tests.support.paths import MODELS

pytest.importorskip("openvino", reason="openvino is not installed")
FLOAT32 = MODELS / "shapes" / "shapes_float32.tflite"
VENDOR = LIBRARY.parent / "vendors" / "intel_openvino"
ON_CPU = b"option intel_openvino graph.0.graph_backend = 0\\n\n"
OTHER_KERNELS = 1e-4


@pytest.fixture
def npu(worker, monkeypatch):
    """Compile for the NPU, with OpenVINO where the loader finds it, and carry out commands."""
    libraries = Path(importlib.util.find_spec("openvino").origin).parent / "libs"
    monkeypatch.setenv("LD_LIBRARY_PATH", str(libraries))

    def run(*commands, option=b""):
        folders = {"dispatch": str(VENDOR / "dispatch"), "plugins": str(VENDOR / "compiler")}
        setup = worker.setup(FLOAT32, accelerator="npu", **folders).removesuffix(COMPILE)
        return worker.run(b"".join((setup, option, COMPILE, *commands, END)))

    return run


def test_a_plugin_that_was_applied_is_proven_by_the_log_of_compiling(npu, worker):
    images = make_images(FLOAT32, 2)
    commands = [infer_command(k, image) for k, image in enumerate(images)]
    ended = npu(*commands, input_value(0, images[0]), time_command(3, 0, 60), option=ON_CPU)
    assert ended.status == 0, ended.log
    log = "\n".join(stage_lines(ended.log, "compile"))
    assert "selected 54 ops, from a total of 55 ops. resulted in 1 partitions" in log
    assert "1 compiler plugins were applied successfully" in log and "Loading shared library" in log
    (compiled,) = ended.all(Compiled)
    assert compiled.non_cpu_fully_accelerated is False
    assert {each.hardware for each in compiled.accelerators} == {1, 4}
    on_cpu = worker.model(FLOAT32, *commands)
    for here, there in zip(ended.all(Outputs), on_cpu.all(Outputs), strict=True):
        for index, value in here.tensors.items():
            np.testing.assert_allclose(value, there.tensors[index], atol=OTHER_KERNELS)
    assert (ended.all(Samples)[0].durations_ns > 0).all()


def test_a_device_that_is_not_there_is_told_by_the_log_alone(npu):
    """LiteRT then runs the model on its own kernels, and no call is refused."""
    ended = npu()
    log = "\n".join(stage_lines(ended.log, "compile"))
    if "1 compiler plugins were applied" in log:
        pytest.skip("this computer has an NPU of Intel's")
    assert ended.status == 0 and "0 compiler plugins were applied successfully" in log
    assert ended.all(Compiled)[0].non_cpu_fully_accelerated is False
