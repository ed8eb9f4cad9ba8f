"""Quantize a float .tflite with litert-quantizer's own interface, with its mistakes to be made in between."""

import contextlib
import io
import warnings
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from litert_quantizer import calibrator, quantizer, recipe, recipe_manager
from litert_quantizer.utils import qsv_utils

from tests.support.faults.signature import input_of

Ranges = dict[str, Any]


def static_recipe(per_tensor: Iterable[str] = ()) -> list[dict[str, Any]]:
    """Return the recipe of full-integer quantization, float outputs; some operators' weights with one scale."""
    made = recipe.static_wi8_ai8()
    for operation in per_tensor:
        entry = recipe.static_wi8_ai8()[0]
        entry["operation"] = operation
        entry["op_config"]["weight_tensor_config"]["granularity"] = "TENSORWISE"
        made.append(entry)
    made.append(
        {
            "regex": ".*",
            "operation": "OUTPUT",
            "algorithm_key": "no_quantize",
            "op_config": {"compute_precision": "FLOAT"},
        }
    )
    return made


def ranges(data: bytes, samples: Iterable[np.ndarray]) -> Ranges:
    """Return the least and the greatest value of each tensor over all samples."""
    with _quiet():
        manager = recipe_manager.RecipeManager()
        manager.load_quantization_recipe(static_recipe())
        work = calibrator.Calibrator(data, num_threads=1, qsv_update_func=qsv_utils.min_max_update)
        key, name = input_of(data)
        for sample in samples:
            work.calibrate({key: [{name: sample}]}, manager)
        return work.get_model_qsvs()


def quantize(
    data: bytes,
    found: Ranges,
    per_tensor: Iterable[str] = (),
    change: Callable[[Ranges], None] = lambda found: None,
) -> bytes:
    """Quantize with ranges, which `change` may spoil."""
    own = {
        name: {key: np.array(value, copy=True) for key, value in entry.items()}
        for name, entry in found.items()
    }
    change(own)
    with _quiet():
        work = quantizer.Quantizer(data, static_recipe(per_tensor))
        done = work.quantize(own, enable_progress_bar=False, enable_progress_report=False)
        return bytes(done.quantized_model)


@contextlib.contextmanager
def _quiet():
    nowhere = io.StringIO()
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(nowhere),
    ):
        warnings.simplefilter("ignore")
        yield
