"""Drive litert-quantizer: a float32 .tflite and prepared images in, a quantized .tflite out, all in memory.

The package draws progress bars, warns and raises what it pleases: all of that is caught here, in one place.
"""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.errors import JobError, ModelError
from harness.quantization.modes import Calibration, Mode, quantizer_module, recipe

Tensor = npt.NDArray[np.generic]
OnImage = Callable[[int], None]
_FOREIGN = (RuntimeError, ValueError, KeyError, IndexError, TypeError, AttributeError, NotImplementedError)


def quantize_bytes(
    data: bytes,
    mode: Mode,
    samples: Iterable[Tensor] = (),
    on_image: OnImage = lambda done: None,
    float_output: bool = False,
    keep_float: Sequence[str] = (),
    calibration: Calibration = "minmax",
) -> bytes:
    """Quantize a float32 model.

    Args:
        data: The .tflite file, float32, with a signature.
        mode: How.
        samples: Prepared inputs, float32 [1, H, W, 3] each; read once; only for calibrated modes.
        on_image: Told after each sample how many are done.
        float_output: Leave the outputs in float, as behind `TFLite_Detection_PostProcess`.
        keep_float: Regular expressions of tensor names whose operators stay float.
        calibration: How weights get their scale.

    Raises:
        ModelError: The model has several inputs, and calibration feeds one.
        JobError: litert-quantizer failed; carries its message.
    """
    what = f"quantizing to {mode.name}"
    made = recipe(mode, float_output, keep_float, calibration)
    with _quietly(what):
        worker = quantizer_module().Quantizer(data, made)
    ranges = _calibrate(data, made, samples, on_image, what) if mode.calibrated else None
    with _quietly(what):
        result = worker.quantize(ranges, enable_progress_bar=False, enable_progress_report=False)
        return bytes(result.quantized_model or b"")


def _calibrate(
    data: bytes, made: list[dict[str, Any]], samples: Iterable[Tensor], on_image: OnImage, what: str
) -> dict[str, Any]:
    """Return the ranges of all tensors: the least and the greatest value over all samples.

    litert-quantizer's own default is a moving average of both ends (0.95), which depends on the order of the
    images and cuts what only the last ones show; TFLite's converter takes the extremes, and so do we.
    """
    with _quietly(what):
        manager = quantizer_module("recipe_manager").RecipeManager()
        manager.load_quantization_recipe(made)
        extremes = quantizer_module("utils.qsv_utils").min_max_update
        calibrator = quantizer_module("calibrator").Calibrator(data, num_threads=1, qsv_update_func=extremes)
    key, name = _signature(data)
    for done, sample in enumerate(samples, 1):
        with _quietly(what):
            calibrator.calibrate({key: [{name: sample}]}, manager)
        on_image(done)
    ranges: dict[str, Any] = calibrator.get_model_qsvs()
    return ranges


def _signature(data: bytes) -> tuple[str, str]:
    from ai_edge_litert.interpreter import Interpreter

    signatures = Interpreter(model_content=data).get_signature_list()
    key = next(iter(signatures))
    names = signatures[key]["inputs"]
    if len(names) != 1:
        raise ModelError(
            f"calibration feeds one image input, found {len(names)} inputs ({', '.join(names)}): use a mode without "
            "calibration (dynamic, float16, weight-only)"
        )
    return key, names[0]


@contextlib.contextmanager
def _quietly(what: str) -> Iterator[None]:
    """Silence progress bars and warnings, and map foreign errors."""
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stderr(io.StringIO()),
        contextlib.redirect_stdout(io.StringIO()),
        _no_logging(),
    ):
        warnings.simplefilter("ignore")
        try:
            yield
        except _FOREIGN as error:
            raise JobError(
                f"{what} failed in litert-quantizer ({type(error).__name__}: {error}): try another --mode, or "
                "report the model to litert-quantizer"
            ) from error


@contextlib.contextmanager
def _no_logging() -> Iterator[None]:
    level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(level)
