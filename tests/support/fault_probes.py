"""For each known fault that needs no special machine, a look at whether what is installed still has it."""

import numpy as np

from tests.support.paths import MODELS

FLOAT32 = MODELS / "shapes" / "shapes_float32.tflite"


def loses_a_class():
    """Whether regular NMS on two threads leaves out class 2 of six."""
    from harness.cards import NmsSpec
    from tests.support.postprocess_operator import run_operator

    n = 6
    corners = np.arange(n) / n
    anchors = np.stack([np.full(n, 0.5), corners + 0.08, np.full(n, 0.1), np.full(n, 0.1)], 1)
    settings = NmsSpec(
        kind="regular",
        max_detections=n,
        classes_per_detection=1,
        detections_per_class=n,
        score_threshold=0.1,
        iou_threshold=0.5,
    )
    _, found, _ = run_operator(np.zeros((n, 4)), np.eye(n) * 0.9, n, anchors, settings, threads=2)
    return 2 not in found


def makes_small_buffers():
    """Whether a compiled model's buffer of boxes is too small for them before it is asked for its outputs."""
    from ai_edge_litert.compiled_model import CompiledModel, HardwareAccelerator, Options

    options = Options(hardware_accelerators=HardwareAccelerator.CPU)
    boxes = CompiledModel.from_file(str(FLOAT32), options=options).create_output_buffers(0)[0]
    try:
        return boxes.read(4 * 150, np.float32).size != 4 * 150
    except RuntimeError:
        return True


def rounds_class_numbers():
    """Whether the stock full-integer recipe stores the class numbers as integers."""
    from harness.quantization.engine import quantize_bytes
    from harness.quantization.modes import find_mode
    from harness.tflite.fault_conditions import class_output
    from harness.tflite.model import describe_graph
    from harness.tflite.reader import read_graph

    image = np.zeros((1, 144, 144, 3), np.float32)
    made = quantize_bytes(FLOAT32.read_bytes(), find_mode("int8"), [image])
    described = describe_graph(read_graph(made, FLOAT32), made, FLOAT32)
    return class_output(described).dtype != "float32"


def changes_nothing():
    """Whether a blockwise recipe writes a convolutional model back at its size."""
    from litert_quantizer import quantizer, recipe

    made = quantizer.Quantizer(str(FLOAT32), recipe.dynamic_wi8b32_afp32()).quantize(
        enable_progress_bar=False, enable_progress_report=False
    )
    return len(made.quantized_model) > 0.95 * FLOAT32.stat().st_size


PROBES = {
    "regular-nms-loses-a-class": loses_a_class,
    "rounded-class-numbers": rounds_class_numbers,
    "compiled-model-output-sizes": makes_small_buffers,
    "recipes-that-change-nothing": changes_nothing,
}
"""Fault → the look."""
ELSEWHERE = frozenset(
    {
        "computed-sizes-off-the-gpu",
        "gpu-call-returns-early",
        "openvino-device-that-is-not-there",
        "signed-reshape-off-by-128",
    }
)
"""Those that show on accelerators alone: tests/gpu looks for them; of the 2nd, a time, and the 4th its script does."""
