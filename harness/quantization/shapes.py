"""The shapes of a graph at another input size, by LiteRT: `python -m harness.quantization.shapes FILE H W`.

In a process of its own: a kernel that meets a size it was not made for may crash. The builtin kernels without a
delegate are used, so that every tensor has its shape.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from harness import child_process
from harness.delegates import CPU_REFERENCE
from harness.errors import ModelError

TIMEOUT_S = 120.0
_NODE = re.compile(r"Node number (\d+) \((\w+)\) failed to (?:prepare|invoke)")
_WHY = {
    "RESHAPE": "its target shape is a constant of the old size, as in SSD and YOLO heads with a fixed number of boxes",
    "ADD": "it adds a constant of the old size, such as the grid of a YOLO head",
    "MUL": "it multiplies by a constant of the old size, such as the anchors of a YOLO head",
    "SUB": "it subtracts a constant of the old size",
    "CONCATENATION": "branches of different sizes meet there: the size is no multiple of the network's stride, or one "
    "branch has a constant size",
    "FULLY_CONNECTED": "its weights fix the number of inputs",
}


def resized_shapes(file: Path, height: int, width: int) -> dict[int, tuple[int, ...]]:
    """Return tensor index → shape after resizing the image input.

    Raises:
        ModelError: The graph does not take that size; names the operator and says why.
    """
    answer = child_process.ask(__name__, file, str(height), str(width), timeout_s=TIMEOUT_S)
    if answer.ended.exit_code == 0 and "shapes" in answer.events:
        return {int(index): tuple(shape) for index, shape in answer.last["shapes"].items()}
    raise ModelError(f"{file}: cannot take {width}×{height}: {_explain(answer.ended.stderr)}")


def _explain(text: str) -> str:
    found = _NODE.search(text)
    if found is None:
        last = (text.strip().splitlines() or ["LiteRT gave no reason"])[-1]
        return f"LiteRT refuses it ({last[:300]})"
    why = _WHY.get(found[2], "its other inputs or its options are constants of the old size")
    return f"operator {found[1]} ({found[2]}) refuses it: {why}. Export the model again for that size"


def _main(file: str, height: int, width: int) -> None:
    from harness.runtime import load_model, load_runtime

    interpreter = load_model(load_runtime(), file, CPU_REFERENCE, 1)
    entry = interpreter.get_input_details()[0]
    batch, channels = int(entry["shape"][0]), int(entry["shape"][3])
    interpreter.resize_tensor_input(entry["index"], [batch, height, width, channels])
    interpreter.allocate_tensors()
    interpreter.invoke()
    shapes = {str(d["index"]): [int(n) for n in d["shape"]] for d in interpreter.get_tensor_details()}
    child_process.emit("shapes", shapes=shapes)


if __name__ == "__main__":
    _main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
