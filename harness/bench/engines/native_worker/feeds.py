"""The inputs and outputs of a model as LiteRT orders them, and what the inputs are fed with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.errors import MeasurementError
from harness.native.job import input_value
from harness.native.protocol import Tensor
from harness.tflite.tensor_info import TensorInfo
from harness.worker.feeds import random_values

Values = npt.NDArray[np.generic]


def places_of(infos: Sequence[TensorInfo], tensors: Sequence[Tensor]) -> tuple[int, ...]:
    """Return LiteRT's place of each input or output, in the order of the file.

    A signature may order them in another way; the names of tensors tell, where no two have the same.

    Raises:
        MeasurementError: They are not the same.
    """
    by_name = {tensor.name: tensor.index for tensor in tensors}
    if len(infos) == len(tensors) == len(by_name) and all(info.name in by_name for info in infos):
        return tuple(by_name[info.name] for info in infos)
    if len(infos) == len(tensors):
        return tuple(range(len(infos)))
    names = [tensor.name for tensor in tensors]
    raise MeasurementError(
        f"the compiled model has the tensors {names}, and the file {[info.name for info in infos]}: its signature "
        "leaves some out"
    )


def sized(
    infos: Sequence[TensorInfo], tensors: Sequence[Tensor], places: Sequence[int]
) -> tuple[TensorInfo, ...]:
    """Return the file's inputs or outputs with the sizes that they have once the model is compiled."""
    by_index = {tensor.index: tensor for tensor in tensors}
    return tuple(
        replace(info, shape=by_index[place].shape, dtype=by_index[place].dtype)
        for info, place in zip(infos, places, strict=True)
    )


def random_inputs(infos: Sequence[TensorInfo], places: Sequence[int], seed: int, *, first: bool) -> bytes:
    """Return the commands that feed seeded values as the worker in Python feeds them.

    Args:
        infos: The inputs in the order of the file, with their real sizes.
        places: LiteRT's place of each.
        seed: Of the values.
        first: Whether the first input is fed with them too, where there are no images.
    """
    values = seeded_values(infos, seed, first=first)
    return b"".join(input_value(places[index], value) for index, value in values.items())


def seeded_values(infos: Sequence[TensorInfo], seed: int, *, first: bool) -> dict[int, Values]:
    """Return seeded values by the input's place in the file: those behind the first are drawn before it."""
    generator = np.random.default_rng(seed)
    order: list[int] = [*range(1, len(infos)), *([0] if first else [])]
    return {index: random_values(infos[index].shape, _dtype(infos[index]), generator) for index in order}


def _dtype(info: TensorInfo) -> np.dtype[Any]:
    try:
        return np.dtype(info.dtype)
    except TypeError as error:
        raise MeasurementError(f"input {info.name!r} is {info.dtype}, which cannot be fed") from error
