"""Which output is which: an `order` as the card says it, a family's usual ones, or one found by name and shape."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from harness.errors import UnknownNameError, UsageError
from harness.tflite.tensor_info import TensorInfo

POSTPROCESS_ROLES = ("boxes", "classes", "scores", "count")
ORDERS = {
    "tf1": ("boxes", "classes", "scores", "count"),
    "tf2": ("scores", "boxes", "count", "classes"),
}
_NAMES = {
    "boxes": r"box",
    "classes": r"class|label|categor",
    "scores": r"score|conf|prob",
    "count": r"num|count|valid",
}
_OPERATOR_OUTPUT = re.compile(r"TFLite_Detection_PostProcess(?::([0-3]))?(?!.*\d)", re.IGNORECASE)
_SAVED_MODEL_OUTPUT = re.compile(r"StatefulPartitionedCall:([0-3])$")
_SAVED_MODEL_ROLES = {"3": "boxes", "2": "classes", "1": "scores", "0": "count"}


def parse_order(order: str, decoder: str, roles: Sequence[str] = POSTPROCESS_ROLES) -> tuple[str, ...]:
    """Read an order: a usual one's name, or the roles in the order of the outputs, separated by commas.

    Raises:
        UnknownNameError: Neither of the two; lists the usual ones.
        UsageError: A role is named twice or is not one of this decoder's.
    """
    if "," not in order and order not in roles:
        if order not in ORDERS:
            raise UnknownNameError(f"output order of decoder {decoder}", order, ORDERS)
        return ORDERS[order]
    found = tuple(part.strip() for part in order.split(","))
    known = [role for role in found if role in roles]
    if len(set(known)) != len(known) or set(found) - {*roles, "-"}:
        raise UsageError(
            f"decoder {decoder}: order {order!r}: expected each of {', '.join(roles)} at most once, separated by "
            "commas, with - for an output that is not used"
        )
    return found


def order_by_operator(places: Sequence[int | None]) -> str | None:
    """Return the order for the outputs of `TFLite_Detection_PostProcess` that a model's outputs are."""
    if sorted(place for place in places if place is not None) != [0, 1, 2, 3]:
        return None
    return _named(["-" if place is None else POSTPROCESS_ROLES[place] for place in places])


def order_by_names(outputs: Sequence[TensorInfo]) -> tuple[str, str] | None:
    """Find the order of four post-processed outputs by their shapes and names.

    Returns:
        The order and how it is known; None when names and shapes leave it open or speak of something else.
    """
    boxes = [k for k, info in enumerate(outputs) if len(info.shape) >= 2 and info.shape[-1] == 4]
    counts = [k for k, info in enumerate(outputs) if _n_elements(info.shape) == 1]
    if len(outputs) != 4 or not boxes or not counts:
        return None
    for names, reason in (
        (_by_operator_names(outputs), f"the outputs are named {_list(outputs)} after the operator's"),
        (_by_saved_model(outputs), f"the outputs are named {_list(outputs)} as TF2 exports name them"),
        (_by_words(outputs), f"the outputs are named {_list(outputs)}"),
    ):
        if names is not None and _fits(names, outputs):
            return _named(names), reason
    first = boxes[0]
    if len(boxes) == 1 and len(counts) == 1:
        for order, roles in ORDERS.items():
            if roles.index("boxes") == first and roles.index("count") == counts[0]:
                return (
                    order,
                    f"boxes are output {first} and the count output {counts[0]}, as in {order} exports",
                )
    return None


def _named(roles: Sequence[str]) -> str:
    """Return the short name of a usual order, else the roles themselves."""
    return next((name for name, usual in ORDERS.items() if usual == tuple(roles)), ",".join(roles))


def _fits(roles: Sequence[str], outputs: Sequence[TensorInfo]) -> bool:
    """Whether the shapes allow it: boxes end in 4, the count is one number."""
    shapes: Mapping[str, tuple[int, ...]] = {
        role: info.shape for role, info in zip(roles, outputs, strict=True)
    }
    if set(shapes) != set(POSTPROCESS_ROLES):
        return False
    return shapes["boxes"][-1:] == (4,) and _n_elements(shapes["count"]) == 1


def _by_operator_names(outputs: Sequence[TensorInfo]) -> list[str] | None:
    found = [_OPERATOR_OUTPUT.search(info.name) for info in outputs]
    return [POSTPROCESS_ROLES[int(match.group(1) or 0)] for match in found if match] if all(found) else None


def _by_saved_model(outputs: Sequence[TensorInfo]) -> list[str] | None:
    found = [_SAVED_MODEL_OUTPUT.search(info.name) for info in outputs]
    return [_SAVED_MODEL_ROLES[match.group(1)] for match in found if match] if all(found) else None


def _by_words(outputs: Sequence[TensorInfo]) -> list[str] | None:
    roles = []
    for info in outputs:
        fitting = [role for role, words in _NAMES.items() if re.search(words, info.name, re.IGNORECASE)]
        if "count" in fitting:
            fitting = ["count"]  # `num_detection_boxes`
        if len(fitting) != 1:
            return None
        roles.append(fitting[0])
    return roles


def _n_elements(shape: Sequence[int]) -> int:
    product = 1
    for size in shape:
        product *= size
    return product


def _list(outputs: Sequence[TensorInfo]) -> str:
    return ", ".join(info.name or "''" for info in outputs)
