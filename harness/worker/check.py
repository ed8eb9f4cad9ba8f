"""The outputs of what is timed, held against those of one CPU thread on the same inputs (law 10).

Asked after the measurement, in its process, of its interpreter. LiteRT 2.3 shows why the CPU's own threads are held
to it too: with two of them the regular NMS of its `TFLite_Detection_PostProcess` loses classes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.delegates import CPU, KINDS
from harness.paths import is_file
from harness.runtime import Runtime, make_interpreter
from harness.tflite.graph import POSTPROCESS
from harness.worker import evidence
from harness.worker.agreement import (
    EMULATED,
    OTHER_KERNELS,
    SAME_KERNELS,
    DetectionSet,
    Tolerance,
    differing_detections,
    differing_values,
    from_corners,
)
from harness.worker.jobs import Job, is_emulated
from harness.worker.results import OutputCheck

Feed = tuple[int, npt.NDArray[np.generic]]
Outputs = list[npt.NDArray[np.generic]]
"""In the order of the model."""
N_INPUTS = 4
SECONDS = 5.0
"""A slow model is checked on fewer inputs, but on one in any case."""


def check_outputs(job: Job, runtime: Runtime, interpreter: Any, feeds: Sequence[Feed]) -> OutputCheck:
    """Say what is wrong with the outputs of the last inference, and of a few more against those of one CPU thread."""
    wrong = not_finite(interpreter)
    return OutputCheck(tuple(wrong)) if wrong else _against_one_thread(job, runtime, interpreter, feeds)


def not_finite(interpreter: Any) -> list[str]:
    """Name the float outputs that hold NaN or infinity after the last inference."""
    wrong = []
    for detail in interpreter.get_output_details():
        values = interpreter.get_tensor(detail["index"])
        if np.issubdtype(values.dtype, np.floating) and not np.isfinite(values).all():
            count = int((~np.isfinite(values)).sum())
            wrong.append(f"output {detail['name']!r} holds {count} values that are not finite")
    return wrong


def _against_one_thread(job: Job, runtime: Runtime, interpreter: Any, feeds: Sequence[Feed]) -> OutputCheck:
    """Run a few inputs on the interpreter that was timed and on one CPU thread, and compare the outputs."""
    own = KINDS[job.delegate].on_cpu
    if own and job.threads == 1:
        return OutputCheck()
    kind = job.delegate if own else CPU
    if job.memory_limit_mb is not None:
        return OutputCheck(remark=f"its outputs were not held against {kind}:1's: its memory is limited")
    model = before_compiler(job.model) if KINDS[job.delegate].compiled else job.model
    try:
        reference = _reference(runtime, model, kind, interpreter)
    except (ValueError, RuntimeError) as error:
        return OutputCheck(remark=f"its outputs could not be held against {kind}:1's: {str(error).strip()}")
    _feed_others(reference, interpreter)
    who = f"{job.delegate} with {job.threads} threads" if own else job.delegate
    pairs = list(_pairs(reference, interpreter, feeds))

    def differences(tolerance: Tolerance) -> tuple[str, ...]:
        return tuple(
            f"{who} gives other {what} than {kind}:1 of the same runtime{where}"
            for what, where in _differences(reference, interpreter, pairs, tolerance)
        )

    if is_emulated(job):
        return _of_emulator(differences)
    return OutputCheck(differences(SAME_KERNELS if own else OTHER_KERNELS))


def _of_emulator(differences: Callable[[Tolerance], tuple[str, ...]]) -> OutputCheck:
    """Call wrong what has little to do with the CPU's outputs; say of the rest what an NPU's arithmetic changes."""
    wrong = differences(EMULATED)
    lost = () if wrong else differences(OTHER_KERNELS)
    return OutputCheck(wrong, f"{'; '.join(lost)}: its mAP says what that costs" if lost else None)


REGULAR_NMS = (
    "; LiteRT 2.3's regular NMS loses classes on several threads: measure it on one, or set fast NMS (`harness edit "
    "nms --fast`)"
)
NOT_BESIDE = "the file from before edgetpu_compiler is not beside the compiled one"


def before_compiler(model: str) -> str | None:
    """Return the file that a compiled one was made from, where it lies beside: `ssd.tflite` of `ssd_edgetpu.tflite`."""
    path = Path(model)
    source = path.with_name(path.name.replace("_edgetpu.tflite", ".tflite"))
    return str(source) if source != path and is_file(source) else None


def _reference(runtime: Runtime, model: str | None, kind: str, interpreter: Any) -> Any:
    """Make the interpreter that an interpreter's outputs are held against.

    Raises:
        ValueError: The model is not there, cannot be loaded, or is another one.
        RuntimeError: Its tensors cannot be allocated.
    """
    if model is None:
        raise ValueError(NOT_BESIDE)
    reference = make_interpreter(runtime, model, kind, 1)
    if _interface(reference) != _interface(interpreter):
        raise ValueError(f"{Path(model).name} is another model")
    return reference


def _interface(interpreter: Any) -> list[tuple[tuple[int, ...], str]]:
    """Shape and type of every input, and the type of every output (whose shape may be known after a run only)."""
    inputs = [(tuple(d["shape"]), np.dtype(d["dtype"]).name) for d in interpreter.get_input_details()]
    return [*inputs, *(((), np.dtype(d["dtype"]).name) for d in interpreter.get_output_details())]


def _feed_others(reference: Any, interpreter: Any) -> None:
    """Give the inputs behind the first one, which were set once before the measurement, to the reference too."""
    pairs = zip(reference.get_input_details()[1:], interpreter.get_input_details()[1:], strict=True)
    for there, here in pairs:
        reference.set_tensor(there["index"], interpreter.get_tensor(here["index"]))


def _differences(
    reference: Any, interpreter: Any, pairs: Sequence[tuple[Outputs, Outputs]], tolerance: Tolerance
) -> list[tuple[str, str]]:
    """Compare detections where the model ends in the op that makes them, else every output by itself.

    Returns:
        (what differs, where and by how much) of each difference.
    """
    roles = _detection_outputs(interpreter)
    if roles is not None and roles == _detection_outputs(reference):
        one_thread, timed = ([_detected(side, roles) for side in sides] for sides in zip(*pairs, strict=True))
        differs = differing_detections(one_thread, timed, tolerance)
        hint = REGULAR_NMS if tolerance is SAME_KERNELS else ""
        return [("detections", f": {differs}{hint}")] if differs else []
    found = []
    for place, detail in enumerate(interpreter.get_output_details()):
        texts = (differing_values(expected[place], given[place], tolerance) for expected, given in pairs)
        differs = next(filter(None, texts), None)
        if differs:
            found.append(("values", f" in output {detail['name']!r}: {differs}"))
    return found


def _pairs(reference: Any, interpreter: Any, feeds: Sequence[Feed]) -> Iterator[tuple[Outputs, Outputs]]:
    # Late: the peak of memory, which is the model's, was read before the check.
    from harness.accuracy.interpreters import InterpreterEngine

    until = time.monotonic() + SECONDS
    for k, (_, value) in enumerate(feeds[:N_INPUTS]):
        if k and time.monotonic() > until:
            return
        yield InterpreterEngine(reference).infer(value), InterpreterEngine(interpreter).infer(value)


def _detection_outputs(interpreter: Any) -> tuple[int, ...] | None:
    """Return the places of boxes, classes, scores and count among the outputs, if they are all the model gives."""
    ends = [int(detail["index"]) for detail in interpreter.get_output_details()]
    for node in evidence.list_nodes(interpreter) or ():
        outputs = [int(index) for index in node["outputs"]]
        if node["op_name"] == POSTPROCESS and sorted(outputs) == sorted(ends) and len(outputs) == 4:
            return tuple(ends.index(index) for index in outputs)
    return None


def _detected(outputs: Outputs, roles: tuple[int, ...]) -> DetectionSet:
    boxes, classes, scores, count = (outputs[place] for place in roles)
    return from_corners(boxes, classes, scores, float(count.reshape(-1)[0]))
