"""The words of the public columns `status`, `verdict` and `quantization`, and the sets of them that decide something.

Standard library only: boards import this with the worker.
"""

from __future__ import annotations

from enum import Enum
from typing import Literal

ConversionMode = Literal["float32", "float16", "dynamic", "int8", "qat-uint8"]
"""What `harness convert` makes of a graph, which a card can say of its file."""


class Word(str, Enum):
    """A value of a closed vocabulary, which prints, formats and serializes as its plain text.

    `enum.StrEnum` is the same, from Python 3.11 on.
    """

    __str__ = str.__str__

    def __format__(self, spec: str) -> str:
        return str.__format__(self, spec)

    __repr__ = str.__repr__


class Status(Word):
    """What became of a cell, or of one of its processes."""

    OK = "ok"
    FALLBACK = "fallback"
    """Something other than the requested delegate ran."""
    PARTIAL = "partial"
    """A part of the graph left the accelerator."""
    INCORRECT = "incorrect"
    """The outputs are wrong, so the speed means nothing."""
    FAILED = "failed"
    TIMEOUT = "timeout"
    PARTIAL_DATA = "partial-data"
    """Images could not be read, or the model lacks classes: the accuracy is that of the rest."""
    SKIPPED = "skipped"
    """Known in advance not to work, or not measured yet."""


WORST_FIRST = (
    Status.FAILED,
    Status.TIMEOUT,
    Status.INCORRECT,
    Status.FALLBACK,
    Status.PARTIAL,
    Status.PARTIAL_DATA,
)
"""What is not ok of one process is not ok of its cell: the first of these that any of them has."""

MEASURED = frozenset({Status.OK, Status.PARTIAL, Status.PARTIAL_DATA})
"""The requested delegate ran with right outputs: the times are its own."""
NO_ACCURACY = frozenset({Status.FALLBACK})
"""Something other than the requested delegate ran to the end: the accuracy is not the delegate's."""
CUT_SHORT = frozenset({Status.FAILED, Status.TIMEOUT})
"""It did not come to its end: what there is of samples means nothing."""
FAILURES = CUT_SHORT | {Status.INCORRECT}
"""What ends the command with exit status 1. A fallback is a finding, not a failure."""


class EngineName(Word):
    """What measured a cell."""

    PYTHON_WORKER = "python-worker"
    """Our own worker in Python."""
    NATIVE_WORKER = "native-worker"
    """Our own worker in C, on devices without Python."""
    BENCHMARK_MODEL = "benchmark_model"
    """TFLite's native tool, which gives a summary a process."""
    EVAL_TOOL = "eval-tool"
    """TFLite's eval_coco_object_detection, for accuracy alone."""
    EMULATOR = "emulator"
    """A vendor's emulator of a chip, for accuracy alone."""


class Verdict(Word):
    """How far the figures of a row can be trusted."""

    TRUSTED = "trusted"
    NOISY = "noisy"
    THROTTLED = "throttled"
    TOO_FEW_SAMPLES = "too-few-samples"
    UNVERIFIED = "unverified"
    """What ran is not proven."""
    EMULATED = "emulated"
    """A vendor's program computed it in the chip's place: no measurement, and never ranked with one."""


class Quantization(Word):
    """How a model's weights are stored and its operators compute; `tflite/quantization` tells it from the file."""

    FLOAT32 = "float32"
    FLOAT16 = "float16"
    DYNAMIC_RANGE = "dynamic-range"
    """Integer weights; activations are quantized as they come."""
    WEIGHT_ONLY = "weight-only"
    """Integer weights that are dequantized before they are used."""
    FULL_INTEGER = "full-integer"
    """Quantized after training."""
    QAT_UINT8 = "qat-uint8"
    """TF1's quantization-aware training."""
    FULL_INTEGER_FLOAT_IO = "full-integer-float-io"
    MIXED = "mixed"
    UNKNOWN = "unknown"


FLOAT_ARITHMETIC = frozenset(
    {
        Quantization.FLOAT32,
        Quantization.FLOAT16,
        Quantization.DYNAMIC_RANGE,
        Quantization.WEIGHT_ONLY,
        Quantization.MIXED,
    }
)
"""Operators whose precision on an accelerator matters."""
FLOAT_WEIGHTS = frozenset({Quantization.FLOAT32, Quantization.FLOAT16})
"""Nothing is lost yet: from such a model others can be quantized."""
