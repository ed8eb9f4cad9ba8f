"""The outputs of a process that was timed, or infers, against those of one CPU thread of the same device (law 10)."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from harness.accuracy.image_files import UnreadableImageError
from harness.accuracy.pipeline import Recipe
from harness.accuracy.prepare import Geometry, Preparation
from harness.bench.engines.native.check import compare
from harness.bench.engines.native_worker.feeds import places_of, random_inputs, seeded_values, sized
from harness.bench.engines.native_worker.place import PlacedWorker, StartedWorker
from harness.bench.plan import Cell
from harness.delegates import CPU, Delegate
from harness.detectors.base import ModelContext
from harness.detectors.registry import make_decoder
from harness.errors import MeasurementError, ModelError, UsageError
from harness.native.job import infer_command
from harness.native.protocol import Outputs
from harness.tflite.tensor_info import TensorInfo
from harness.worker.agreement import OTHER_KERNELS, SAME_KERNELS, differing_values
from harness.worker.check import REGULAR_NMS
from harness.worker.results import OutputCheck

N_INPUTS = 4
INFER_S = 120.0
"""For one inference of a check, the first of an accelerator included."""
SECONDS = 5.0
"""A slow model is checked on fewer inputs, but on one in any case."""
Tensors = list[npt.NDArray[np.generic]]
"""The outputs of one inference, in the order of the file."""


@dataclass(frozen=True)
class CheckInput:
    """One input of a check; `at` says where an image lies in it, None where it is none."""

    value: npt.NDArray[np.generic]
    at: Geometry | None = None


@dataclass
class Checker:
    """Checks the cells of one device; what one CPU thread gives is asked for once a model and inputs."""

    worker: PlacedWorker
    _expected: dict[tuple[str, str, str], list[Tensors]] = field(default_factory=dict)

    def inputs(self, cell: Cell, shapes: Sequence[TensorInfo]) -> list[CheckInput]:
        """Return a few inputs of a cell: its first images, or seeded noise where it has none.

        Args:
            cell: What is checked.
            shapes: The inputs of its model, with their real sizes.
        """
        if cell.dataset is None:
            return [CheckInput(seeded_values(shapes, cell.settings.seed, first=True)[0])]
        preparation = Preparation(cell.model.card.input, cell.facts.image_input)
        found: list[CheckInput] = []
        for entry in cell.dataset.images:
            try:
                found.append(CheckInput(*preparation.load(entry.file)))
            except UnreadableImageError:
                continue
            if len(found) == N_INPUTS:
                break
        return found

    def check(self, cell: Cell, inputs: Sequence[CheckInput], found: Sequence[Tensors]) -> OutputCheck:
        """Say what is wrong with outputs.

        Args:
            cell: What gave them.
            inputs: What it was given.
            found: The outputs of each, or of the first of them.

        Raises:
            DeviceError: The device went away.
        """
        inputs = inputs[: len(found)]
        wrong = _not_finite(found, cell.facts.outputs)
        if wrong or self._is_reference(cell):
            return OutputCheck(tuple(wrong))
        if cell.settings.memory_limit_mb is not None:
            return OutputCheck(remark="its outputs were not held against cpu:1's: its memory is limited")
        own = cell.delegate.is_cpu
        one_thread = Delegate(cell.delegate.kind if own else CPU, threads=1)
        try:
            expected = self._of_one_thread(cell, one_thread, inputs)
        except MeasurementError as error:
            return OutputCheck(remark=f"its outputs could not be held against {one_thread}'s: {error}")
        n = min(len(expected), len(found))
        differs = _differs(cell, inputs[:n], expected[:n], found[:n])
        hint = REGULAR_NMS if differs and own and cell.facts.postprocess is not None else ""
        return OutputCheck((f"{differs}{hint}",) if differs else ())

    @staticmethod
    def _is_reference(cell: Cell) -> bool:
        return cell.delegate.is_cpu and (cell.delegate.threads or 1) == 1

    def _of_one_thread(self, cell: Cell, delegate: Delegate, inputs: Sequence[CheckInput]) -> list[Tensors]:
        card = repr(cell.model.card.input)
        key = (cell.facts.sha256, str(delegate), f"{card} {_digest(inputs)}")
        if key not in self._expected:
            with self.worker.started(cell, delegate) as started:
                expected = infer(started, cell, inputs)
                started.session.end()
            if len(expected) < len(inputs):
                return expected
            self._expected[key] = expected
        return self._expected[key]


def infer(started: StartedWorker, cell: Cell, inputs: Sequence[CheckInput]) -> list[Tensors]:
    """Run a model on inputs, and return the whole outputs of each in the order of the file.

    Where that takes long, the last inputs are left out.

    Raises:
        MeasurementError: The worker failed.
        DeviceError: The device went away.
    """
    given = places_of(cell.facts.inputs, started.inputs)
    shapes = sized(cell.facts.inputs, started.inputs, given)
    started.session.send(random_inputs(shapes, given, cell.settings.seed, first=False))
    places, found = places_of(cell.facts.outputs, started.outputs), []
    until = time.monotonic() + SECONDS
    for number, one in enumerate(inputs):
        if number and time.monotonic() > until:
            break
        deadline = started.session.deadline(INFER_S)
        started.session.send(deadline + infer_command(number, one.value))
        answer = started.session.next(INFER_S)
        if not isinstance(answer, Outputs):
            raise MeasurementError(f"the worker answered an image with {type(answer).__name__}")
        found.append([answer.tensors[place] for place in places])
    return found


def recipe_of(cell: Cell, outputs: Sequence[TensorInfo]) -> Recipe:
    """Return how an image becomes detections, apart from the inference.

    Args:
        cell: Its card says it.
        outputs: In the order of the file, with their real sizes.
    """
    card = cell.model.card
    context = ModelContext(card.input.width, card.input.height, cell.model.file)
    return Recipe(
        Preparation(card.input, cell.facts.image_input),
        make_decoder(card.decoder, outputs, context),
        card.labels,
    )


def _digest(inputs: Sequence[CheckInput]) -> str:
    digest = hashlib.sha256()
    for one in inputs:
        digest.update(np.ascontiguousarray(one.value).tobytes())
    return digest.hexdigest()


def _not_finite(found: Sequence[Tensors], infos: Sequence[TensorInfo]) -> list[str]:
    """Name the float outputs that hold NaN or infinity after the last inference."""
    wrong = []
    for info, value in zip(infos, found[-1] if found else [], strict=False):
        if np.issubdtype(value.dtype, np.floating) and not np.isfinite(value).all():
            count = int((~np.isfinite(value)).sum())
            wrong.append(f"output {info.name!r} holds {count} values that are not finite")
    return wrong


def _differs(
    cell: Cell, inputs: Sequence[CheckInput], expected: Sequence[Tensors], found: Sequence[Tensors]
) -> str | None:
    """Compare as detections where there are images, else as numbers; None where they agree."""
    tolerance = SAME_KERNELS if cell.delegate.is_cpu else OTHER_KERNELS
    places = [one.at for one in inputs]
    if cell.dataset is not None and None not in places:
        return _differing_detections(cell, [at for at in places if at is not None], expected, found)
    if cell.facts.postprocess is not None:
        return None  # noise has no detections, and their order is anybody's
    for index, info in enumerate(cell.facts.outputs):
        pairs = zip(expected, found, strict=True)
        texts = (differing_values(one[index], other[index], tolerance) for one, other in pairs)
        differs = next(filter(None, texts), None)
        if differs:
            return f"{cell.delegate} gives other values than one thread in output {info.name!r}: {differs}"
    return None


def _differing_detections(
    cell: Cell, places: Sequence[Geometry], expected: Sequence[Tensors], found: Sequence[Tensors]
) -> str | None:
    tolerance = SAME_KERNELS if cell.delegate.is_cpu else OTHER_KERNELS
    infos = tuple(
        TensorInfo(info.name, value.shape, value.dtype.name, info.scale, info.zero_point)
        for info, value in zip(cell.facts.outputs, expected[0], strict=True)
    )
    recipe = recipe_of(cell, infos)
    one_thread = [
        recipe.decode(k, outputs, at) for k, (outputs, at) in enumerate(zip(expected, places, strict=True))
    ]
    try:
        timed = [
            recipe.decode(k, outputs, at) for k, (outputs, at) in enumerate(zip(found, places, strict=True))
        ]
    except (UsageError, ModelError) as error:  # the card fits what the CPU gives
        return f"{cell.delegate} gives outputs that mean nothing where the CPU's are right: {error}"
    return next(iter(compare(one_thread, timed, str(cell.delegate), tolerance)), None)
