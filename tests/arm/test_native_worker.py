"""The native worker for boards: on an Arm processor that qemu-user plays, with LiteRT for Arm."""

import numpy as np
import pytest

from harness.native.job import infer_command, input_value, operators_command, time_command
from harness.native.protocol import Compiled, Hello, Outputs, Samples, Text, stage_lines
from tests.support.native_worker import make_images
from tests.support.paths import MODELS

OTHER_ORDER = 1e-3
"""Sums of floats in another order than on x86; of integers there is one result."""


@pytest.mark.parametrize("model", ["full_integer", "float32"])
def test_its_outputs_are_those_of_x86(arm_worker, worker, model):
    file = MODELS / "shapes" / f"shapes_{model}.tflite"
    images = make_images(file, 2)
    commands = [infer_command(k, image) for k, image in enumerate(images)]
    here, there = (each.model(file, *commands) for each in (worker, arm_worker))
    assert there.status == 0 and there.all(Hello)[0].abi == "arm64"
    for on_x86, on_arm in zip(here.all(Outputs), there.all(Outputs), strict=True):
        for index, value in on_x86.tensors.items():
            if model == "full_integer":
                np.testing.assert_array_equal(on_arm.tensors[index], value, strict=True)
            else:
                np.testing.assert_allclose(on_arm.tensors[index], value, atol=OTHER_ORDER, rtol=OTHER_ORDER)


def test_what_ran_is_proven_as_on_x86(arm_worker):
    file = MODELS / "shapes" / "shapes_full_integer.tflite"
    image = make_images(file, 1)[0]
    ended = arm_worker.model(file, input_value(0, image), time_command(5, 0, 60))
    (compiled,) = ended.all(Compiled)
    assert (compiled.interface, compiled.operators) == ("2.3", 58)
    assert any("XNNPACK delegate for CPU" in line for line in stage_lines(ended.log, "compile"))
    assert len(ended.all(Samples)[0].durations_ns) == 5
    profiled = arm_worker.model(file, input_value(0, image), operators_command(2, 0), profile=True)
    assert "TFLite_Detection_PostProcess" in profiled.all(Text)[0].text
