"""What a model, and how it is run, must be like to have a known fault: the conditions of `known_faults.toml`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from harness.tflite.model import ModelDescription
from harness.tflite.tensor_info import TensorInfo
from harness.tflite.values import LIMITS

CLASSES = 1
"""Which output of `TFLite_Detection_PostProcess` holds the class numbers."""


@dataclass(frozen=True)
class Use:
    """A model, and how it is run.

    Attributes:
        facts: The model.
        threads: CPU threads; None for any number.
    """

    facts: ModelDescription
    threads: int | None = None


Filled = Mapping[str, str]
Condition = Callable[[Use], Filled | None]
"""What a fault's effect is filled in with where it is met; else None."""


def _regular_nms_on_threads(use: Use) -> Filled | None:
    """1 < T < classes: the operator divides the classes among T threads, and one is never looked at."""
    options, threads = use.facts.postprocess, use.threads
    if options is None or not options.use_regular_nms or options.num_classes < 3:
        return None
    if threads is None:
        return {"threads": f"T (2 to {options.num_classes - 1})", "class": "T, counted from 0"}
    lost = 1 < threads < options.num_classes
    return {"threads": str(threads), "class": _class_name(use.facts, threads)} if lost else None


def _class_name(facts: ModelDescription, index: int) -> str:
    names = facts.stated.labels
    known = (
        f" ({names[index]})" if index < len(names) == getattr(facts.postprocess, "num_classes", -1) else ""
    )
    return f"{index}{known}, counted from 0"


def _rounded_class_numbers(use: Use) -> Filled | None:
    """Class numbers stored at a scale, some of which are other ones when they are read back."""
    options, rounded = use.facts.postprocess, rounded_classes(use.facts)
    if options is None or rounded is None:
        return None
    tensor, changed = rounded
    first = next(iter(changed))
    inside = class_output(use.facts) is not tensor
    return {
        "changed": f"{len(changed)} of {options.num_classes}",
        "class": str(first),
        "other": str(changed[first]),
        "tensor": f"{tensor.dtype} tensor {tensor.name!r} before the output"
        if inside
        else f"{tensor.dtype} output",
    }


def rounded_classes(facts: ModelDescription) -> tuple[TensorInfo, dict[int, int]] | None:
    """Return the first tensor on the way of the class numbers that does not hold them all, and what it holds instead.

    The way leads from `TFLite_Detection_PostProcess` through changes of type to the output of the model: integers that
    are cut inside it stay cut, though what comes out is float32 again.
    """
    if facts.postprocess is None:
        return None
    for tensor in _way_of_classes(facts):
        changed = changed_classes(tensor, facts.postprocess.num_classes)
        if changed:
            return tensor, changed
    return None


def _way_of_classes(facts: ModelDescription) -> Iterator[TensorInfo]:
    for at, (info, place) in enumerate(zip(facts.outputs, facts.places, strict=False)):
        if place == CLASSES:
            yield from facts.retyped[at] if at < len(facts.retyped) else ()
            yield info


def class_output(facts: ModelDescription) -> TensorInfo | None:
    """Return the output that holds the class numbers; None where it is none of the operator's."""
    found = (info for info, place in zip(facts.outputs, facts.places, strict=False) if place == CLASSES)
    return next(found, None)


def changed_classes(tensor: TensorInfo, n: int) -> dict[int, int]:
    """Return class number → what it is read back as, for those of `n` that a tensor's integers do not hold.

    Real = scale × (q − zero point), q rounded and held within the type's range; read back to the nearest number.
    """
    limits = LIMITS.get(tensor.dtype)
    if limits is None or not tensor.scale:
        return {}
    zero = tensor.zero_point or 0
    stored = (min(max(int(k / tensor.scale + 0.5) + zero, limits[0]), limits[1]) for k in range(n))
    read = [round(tensor.scale * (q - zero)) for q in stored]
    return {k: found for k, found in enumerate(read) if found != k}


def _computed_sizes(use: Use) -> Filled | None:
    words = use.facts.computed_sizes.words
    return {"operators": words} if words else None


def _signed_reshapes(use: Use) -> Filled | None:
    names = use.facts.signed_reshapes
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return {"tensors": f"{names[0]!r}{more}"} if names else None


def _detection_postprocess(use: Use) -> Filled | None:
    return None if use.facts.postprocess is None else {}


def _documents_only(use: Use) -> Filled | None:
    """No model tells of it."""
    return None


CONDITIONS: Mapping[str, Condition] = {
    "regular-nms-on-threads": _regular_nms_on_threads,
    "rounded-class-numbers": _rounded_class_numbers,
    "computed-sizes": _computed_sizes,
    "reshape-of-signed-5-d": _signed_reshapes,
    "detection-postprocess": _detection_postprocess,
    "documents-only": _documents_only,
}
EXAMPLES: Mapping[str, str] = {
    "threads": "T (1 < T < classes)",
    "class": "T (counted from 0)",
    "changed": "the highest",
    "other": "the last that fits",
    "tensor": "int8 output",
    "operators": "RESHAPE, TILE, …",
    "tensors": "of whatever name",
}
"""What stands in the documents' table for what a model fills in."""
