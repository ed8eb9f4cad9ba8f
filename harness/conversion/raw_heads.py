"""Write the raw heads beside a model whose post-processing was attached here: both halves of one conversion."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness import outputs
from harness.cards import Model
from harness.detectors.anchors import side_file
from harness.edit.files import edit_cut
from harness.quantization import table


def raw_file(output: Path) -> Path:
    """Return where the raw model goes.

    >>> raw_file(Path("ssd.tflite")).name
    'ssd-raw.tflite'
    """
    return output.with_name(f"{output.stem}-raw.tflite")


def write_raw(file: Path, output: Path, card: Model | None) -> tuple[list[dict[str, Any]], str]:
    """Write the model without its post-processing, its anchors and its card; return its row and what was done.

    What lies there already is left as it is.

    Args:
        file: The model with post-processing.
        output: Where the user wants that: the raw one goes beside it.
        card: The model's card; None to work it out.
    """
    by_hand = f"`harness edit cut {output} -o RAW.tflite` writes its raw heads"
    if outputs.is_stream(output):
        return [], by_hand
    raw = raw_file(output)
    places = (raw, side_file(raw), raw.with_suffix(".toml"))
    taken = [path for path in places if outputs.is_taken(path)]
    if taken:
        return [], f"{taken[0]} exists already and stays as it is: {by_hand}"
    edit_cut(_model(file, card), raw)
    names = " and ".join(path.name for path in places[1:])
    return [table.row_of(raw)], f"{raw}: the raw heads, with {names} beside it"


def _model(file: Path, card: Model | None) -> Model:
    from dataclasses import replace

    from harness.recognize.card import infer_card

    return infer_card(file) if card is None else replace(card, file=file)
