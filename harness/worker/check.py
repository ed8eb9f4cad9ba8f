"""The outputs of what is timed, held against those of one CPU thread on the same inputs (law 10).

Asked after the measurement, in its process, of its interpreter. LiteRT 2.3 shows why the CPU's own threads are held
to it too: with two of them the regular NMS of its `TFLite_Detection_PostProcess` loses classes.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.tflite.graph import EDGETPU, POSTPROCESS
from harness.worker import evidence
from harness.worker.agreement import (
    OTHER_KERNELS,
    SAME_KERNELS,
    Detected,
    Tolerance,
    differing_detections,
    differing_values,
    from_corners,
)
from harness.worker.jobs import Job
from harness.worker.runtime import Runtime, make_interpreter

Feed = tuple[int, npt.NDArray[np.generic]]
Outputs = dict[int, npt.NDArray[np.generic]]
N_INPUTS = 4
SECONDS = 5.0
"""A slow model is checked on fewer inputs, but on one in any case."""


@dataclass(frozen=True)
class Checked:
    """What the comparison gave.

    Attributes:
        wrong: A sentence for each thing that differs; empty where all agrees.
        remark: Why nothing could be compared; None where it was, or where there is nothing to hold it against.
    """

    wrong: tuple[str, ...] = ()
    remark: str | None = None


def check_outputs(job: Job, runtime: Runtime, interpreter: Any, feeds: Sequence[Feed]) -> Checked:
    """Say what is wrong with the outputs of the last inference, and of a few more against those of one CPU thread."""
    wrong = not_finite(interpreter)
    return Checked(tuple(wrong)) if wrong else _against_one_thread(job, runtime, interpreter, feeds)


def not_finite(interpreter: Any) -> list[str]:
    """Name the float outputs that hold NaN or infinity after the last inference."""
    wrong = []
    for detail in interpreter.get_output_details():
        values = interpreter.get_tensor(detail["index"])
        if np.issubdtype(values.dtype, np.floating) and not np.isfinite(values).all():
            count = int((~np.isfinite(values)).sum())
            wrong.append(f"output {detail['name']!r} holds {count} values that are not finite")
    return wrong


def _against_one_thread(job: Job, runtime: Runtime, interpreter: Any, feeds: Sequence[Feed]) -> Checked:
    """Run a few inputs on the interpreter that was timed and on one CPU thread, and compare the outputs."""
    if job.delegate_library is None and job.threads == 1:
        return Checked()
    kind = job.delegate if job.delegate_library is None else "cpu"
    if job.memory_limit_mb is not None:
        return Checked(remark=f"its outputs were not held against {kind}:1's: its memory is limited")
    try:
        reference = make_interpreter(runtime, job.model, kind, 1)
    except (ValueError, RuntimeError) as error:
        why = f"nothing else runs {EDGETPU}" if EDGETPU in str(error) else str(error).strip()
        return Checked(remark=f"its outputs could not be held against {kind}:1's: {why}")
    _feed_others(reference, interpreter)
    pairs = list(_pairs(reference, interpreter, feeds))
    tolerance = SAME_KERNELS if job.delegate_library is None else OTHER_KERNELS
    who = f"{job.delegate} with {job.threads} threads" if job.delegate_library is None else job.delegate
    return Checked(
        tuple(f"{who} gives other {text}" for text in _differences(pairs, interpreter, tolerance, kind))
    )


def _feed_others(reference: Any, interpreter: Any) -> None:
    """Give the inputs behind the first one, which were set once before the measurement, to the reference too."""
    for detail in interpreter.get_input_details()[1:]:
        reference.set_tensor(detail["index"], interpreter.get_tensor(detail["index"]))


def _pairs(reference: Any, interpreter: Any, feeds: Sequence[Feed]) -> Any:
    until = time.monotonic() + SECONDS
    for k, feed in enumerate(feeds[:N_INPUTS]):
        if k and time.monotonic() > until:
            return
        yield _outputs(reference, feed), _outputs(interpreter, feed)


def _outputs(interpreter: Any, feed: Feed) -> Outputs:
    interpreter.set_tensor(*feed)
    interpreter.invoke()
    indices = [detail["index"] for detail in interpreter.get_output_details()]
    return {index: np.array(interpreter.get_tensor(index)) for index in indices}


def _differences(
    pairs: Sequence[tuple[Outputs, Outputs]], interpreter: Any, tolerance: Tolerance, kind: str
) -> list[str]:
    """Compare detections where the model ends in the op that makes them, else every output by itself."""
    roles = _detection_outputs(interpreter)
    if roles is not None:
        one_thread, timed = ([_detected(side, roles) for side in sides] for sides in zip(*pairs, strict=True))
        differs = differing_detections(one_thread, timed, tolerance)
        return [f"detections than {kind}:1 of the same runtime: {differs}"] if differs else []
    texts = []
    for detail in interpreter.get_output_details():
        index = detail["index"]
        for expected, found in pairs:
            differs = differing_values(expected[index], found[index], tolerance)
            if differs:
                texts.append(
                    f"values than {kind}:1 of the same runtime in output {detail['name']!r}: {differs}"
                )
                break
    return texts


def _detection_outputs(interpreter: Any) -> tuple[int, ...] | None:
    """Return the tensors of boxes, classes, scores and count, if they are all the model gives."""
    ends = {detail["index"] for detail in interpreter.get_output_details()}
    for node in evidence.list_nodes(interpreter) or ():
        outputs = tuple(int(index) for index in node["outputs"])
        if node["op_name"] == POSTPROCESS and set(outputs) == ends and len(outputs) == 4:
            return outputs
    return None


def _detected(outputs: Outputs, roles: tuple[int, ...]) -> Detected:
    boxes, classes, scores, count = (outputs[index] for index in roles)
    return from_corners(boxes, classes, scores, float(count.reshape(-1)[0]))
