"""The native worker with LiteRT's GPU accelerator on a software GPU: what it computes, and what proves that it ran."""

import numpy as np
import pytest

from harness.bench.engines.gpu_log import read_gpu_log
from harness.native.job import infer_command, input_value, time_command
from harness.native.protocol import Compiled, Outputs, Samples, Tensor, stage_lines
from harness.runtime import load_runtime
from harness.worker.gpu import GpuInterpreter
from tests.support.native_worker import make_images
from tests.support.paths import MODELS

FLOAT32 = MODELS / "shapes" / "shapes_float32.tflite"


@pytest.mark.parametrize("precision", [None, "fp32"])
@pytest.mark.parametrize("model", ["float32", "full_integer"])
def test_each_image_gives_what_the_python_worker_gets_from_the_same_gpu(gpu, worker, model, precision):
    file = MODELS / "shapes" / f"shapes_{model}.tflite"
    images = make_images(file, 3)
    ended = worker.model(
        file,
        *(infer_command(k, image) for k, image in enumerate([*images, images[0]])),
        accelerator="gpu",
        precision=precision,
    )
    assert ended.status == 0, ended.log
    names = {each.index: each.tensor for each in ended.all(Tensor) if each.side == "output"}
    interpreter = GpuInterpreter(load_runtime(), str(file), 1, float32=precision == "fp32")
    found = ended.all(Outputs)
    for image, outputs in zip([*images, images[0]], found, strict=True):
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image)
        interpreter.invoke()
        for index, value in outputs.tensors.items():
            np.testing.assert_array_equal(value, interpreter.get_tensor(names[index]), strict=True)
    assert all((found[0].tensors[index] == value).all() for index, value in found[3].tensors.items()), (
        "the first image again"
    )


def test_the_log_of_compiling_proves_what_the_gpu_took(gpu, worker):
    image = make_images(FLOAT32, 1)[0]
    ended = worker.model(FLOAT32, input_value(0, image), time_command(3, 0, 60), accelerator="gpu")
    log = read_gpu_log("\n".join(stage_lines(ended.log, "compile")))
    assert (log.on_gpu, log.on_cpu, log.applied, log.software) == (54, 1, True, True)
    assert log.unsupported == ("TFLite_Detection_PostProcess",)
    (compiled,) = ended.all(Compiled)
    assert compiled.non_cpu_fully_accelerated is False
    assert any(each.hardware == 2 for each in compiled.accelerators)
    assert (ended.all(Samples)[0].durations_ns > 0).all()


def test_without_an_adapter_there_is_no_model(worker, monkeypatch):
    monkeypatch.setenv("VK_ICD_FILENAMES", "/nowhere.json")
    monkeypatch.setenv("VK_DRIVER_FILES", "/nowhere.json")
    ended = worker.model(FLOAT32, accelerator="gpu")
    assert ended.status == 1 and ended.failure.reason == "compile"
