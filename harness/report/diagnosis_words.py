"""Words of a diagnosis for sheet and page: what is left of a loss, what a remedy leaves, what is only seen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness import units
from harness.text import clean
from harness.vocabulary import FLOAT_WEIGHTS

MOST_LEFT = 1 / 3
"""Share of the loss that a remedy may leave without its headline saying so."""
_NAME_WIDTH = 40
Values = Mapping[str, Any]


def side_name(found: Values, side: str) -> str:
    """Return what to call a side: a float file that is held against another is never called quantized."""
    model = found[side]
    return "other" if side == "quantized" and model["quantization"] in FLOAT_WEIGHTS else side


def layer_name(name: str, width: int = _NAME_WIDTH) -> str:
    """Return a layer's short name: of several joined by `;` the first, of a path the end."""
    text = clean(name).split(";", maxsplit=1)[0]
    return text if len(text) <= width else f"…{text[1 - width :]}"


def left_after(cause: Values, loss: Values) -> str:
    """Return in words what is left of the loss without a cause; empty where that is less than a third."""
    if loss["decision"] != "worse" or cause["gain"] is None or not loss["map"] > 0:
        return ""
    left = loss["map"] - cause["gain"]
    if left <= MOST_LEFT * loss["map"]:
        return ""
    return f"{units.metric(left)} of the {units.metric(loss['map'])} lost remain"


def also_seen_lines(found: Values) -> list[str]:
    """Return a sentence for each thing that is so and explains nothing of the loss."""
    return [
        f"Also seen, explains nothing: {clean(one['cause'])} ({clean(one['sentence'])})."
        for one in found["also_seen"]
    ]


def remainder_lines(found: Values) -> list[str]:
    """Return sentences about what no cause explains; of a sound pair, that there is nothing to explain."""
    left = found["remainder"]
    if left is not None:
        return [_left(found, left), *_places(found, left), *_looked_for(found, left)]
    if found["causes"]:
        return []
    if found["float"] is None:
        return [
            "No cause was seen in the file or the card. Name the float model too: what differs can then be told."
        ]
    if found["loss"]["decision"] == "worse":
        return ["Less than half a point was lost, and no cause was found for it: rounding costs as much."]
    return ["Nothing to explain: no loss is proven, and no cause was found."]


def _left(found: Values, left: Values) -> str:
    if not found["causes"]:
        return f"No cause explains the loss of {units.metric(left['map'])}."
    return f"{units.metric(left['map'])} of the loss ({left['share']:.0%}) remain unexplained."


def _looked_for(found: Values, left: Values) -> list[str]:
    """Return what was ruled out, where nothing was found."""
    return [] if found["causes"] else [f"Looked for, and not found: {', '.join(left['looked_for'])}."]


def _places(found: Values, left: Values) -> list[str]:
    """Return where the loss lies: its largest part, and the layer that costs most alone."""
    lines = []
    if left["part"] is not None and left["part_loss"] > 0:
        lines.append(
            f"Most is lost in the {left['part']} ({units.metric(left['part_loss'])}): {left['part_meaning']}."
        )
    if left["layer"] is not None:
        lines.append(
            f"The layer that costs most alone: {layer_name(left['layer'])} ({units.metric(left['layer_loss'])})."
        )
    elif found["layers"] is not None and any(
        layer["loss"] is not None for layer in found["layers"]["layers"]
    ):
        lines.append(
            "No layer that was quantized alone costs half a point: it is not the rounding of a single one."
        )
    return lines
