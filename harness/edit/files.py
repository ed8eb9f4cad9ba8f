"""Edit model files: read, change, run once, and only then write, whole or not at all."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from harness import outputs
from harness.cards import NO_DECODER, Model, ModelCard, Source
from harness.detectors.anchors import side_file
from harness.edit.attach import HeadFormat, attach, head_format
from harness.edit.card_toml import to_toml
from harness.edit.check import run_once
from harness.edit.cut import cut
from harness.edit.nms import NmsChange
from harness.edit.relu import change_relu6
from harness.edit.shapes import change_nms
from harness.errors import ModelError, OutputError
from harness.names import safe_name
from harness.tflite import reader
from harness.tflite.graph import POSTPROCESS
from harness.tflite.model import ModelDescription, describe_graph

COLUMNS = ("key", "before", "after")


@dataclass(frozen=True)
class EditResult:
    """The result of an edit.

    Attributes:
        rows: Key, value before and value after of everything that changed.
        written: The files, the model first.
        not_run: Why the new file could not be tried on this computer; None when it was loaded and run.
    """

    rows: list[dict[str, Any]]
    written: tuple[Path, ...]
    not_run: str | None


def edit_nms(source: Path, output: Path, change: NmsChange) -> EditResult:
    """Write a model with other NMS options.

    Raises:
        ModelError: The model has no such operator, a value is refused, or the result does not run.
        OutputError: The output cannot be written, or is the input.
    """
    check_output(source, (output,))
    data = reader.read_bytes(source)
    result = change_nms(data, change, source)
    return _finish(source, data, output, result, ())


def edit_relu(source: Path, output: Path) -> EditResult:
    """Write a 16-bit model with ReLU in place of each fused ReLU6 that gives the same values.

    Raises:
        ModelError: There is none, or the result does not run.
        OutputError: The output cannot be written, or is the input.
    """
    check_output(source, (output,))
    data = reader.read_bytes(source)
    result, found = change_relu6(data, source)
    done = _finish(source, data, output, result, ())
    left = sum(not one.same for one in found)
    counted = {"key": "fused ReLU6", "before": len(found), "after": left}
    return replace(done, rows=[*done.rows, counted])


def edit_cut(model: Model, output: Path, force: bool = False) -> EditResult:
    """Write a model without its NMS, its anchors beside it, and a card that decodes the raw heads.

    Args:
        model: The card, read or inferred, with its file.
        output: The new model; `OUT.anchors.npy` and `OUT.toml` are written beside it.
        force: Whether an existing card and anchors may be replaced.

    Raises:
        ModelError: The model has no such operator, or the result does not run.
        OutputError: An output cannot be written, exists, or is the input.
    """
    anchor_file, card_file = side_file(output), output.with_suffix(".toml")
    if outputs.is_stream(output):
        raise OutputError(f"{output}: the anchors and the card lie beside the model: name a file")
    if output in {anchor_file, card_file}:
        raise OutputError(f"{output}: is where the card goes: give the model a name that ends in .tflite")
    check_output(model.file, (output, anchor_file, card_file), model.origin)
    _keep(() if force else (anchor_file, card_file))
    data = reader.read_bytes(model.file)
    found = cut(data, model.file)
    card = _cut_card(model.card, output, found.data, found.decoder(anchor_file.name))
    remark = f"{model.file.name} without {POSTPROCESS}: decoded and suppressed on the host, with its settings"
    sides = ((anchor_file, _npy(found.anchors)), (card_file, to_toml(card, remark).encode("utf-8")))
    return _finish(model.file, data, output, found.data, sides)


def edit_attach(
    source: Path, output: Path, anchors: npt.NDArray[np.float32], heads: HeadFormat
) -> EditResult:
    """Write a model with its NMS appended.

    Raises:
        ModelError: The model has no raw heads, the anchors do not fit, or the result does not run.
        OutputError: The output cannot be written, or is the input.
    """
    check_output(source, (output,))
    data = reader.read_bytes(source)
    return _finish(source, data, output, attach(data, anchors, heads, source), ())


def find_heads_and_anchors(model: Model, anchors: Path | None) -> tuple[HeadFormat, npt.NDArray[np.float32]]:
    """Return the format of a model's heads, and its anchors: from a file, else from the source that its card names.

    Raises:
        ModelError: The decoder is not `ssd-raw`, or there are no anchors.
    """
    from harness.cards import AnchorSpec
    from harness.detectors.anchors import load_anchors
    from harness.detectors.base import ModelContext

    decoder, size = model.card.decoder, model.card.input
    if anchors is not None and decoder.name == NO_DECODER:
        return HeadFormat(), read_anchors(anchors)
    heads = head_format(decoder, model.file)
    if anchors is not None:
        return heads, read_anchors(anchors)
    spec = decoder.anchors or AnchorSpec()
    n = _n_boxes(model.file)
    found = load_anchors(spec, ModelContext(size.width, size.height, model.file), n)
    if spec.format == "corners":
        found = np.concatenate([(found[:, :2] + found[:, 2:]) / 2, found[:, 2:] - found[:, :2]], axis=1)
    return heads, found


def read_anchors(path: Path) -> npt.NDArray[np.float32]:
    """Read anchors [N, 4] from a .npy file.

    Raises:
        ModelError: The file cannot be read or holds something else.
    """
    try:
        values = np.load(path, allow_pickle=False)
        found: npt.NDArray[np.float32] = np.asarray(values, np.float32)
    except (OSError, ValueError, EOFError) as error:
        raise ModelError(
            f"{path}: the anchors cannot be read ({error}): give a .npy file of [N, 4]"
        ) from error
    if found.size == 0 or found.shape[-1:] != (4,):
        raise ModelError(f"{path}: found an array {list(found.shape)}, expected anchors [N, 4]")
    return found.reshape(-1, 4)


def _n_boxes(path: Path) -> int:
    graph = reader.read_graph(reader.read_bytes(path), path)
    sizes = [graph.primary.tensors[index].shape for index in graph.primary.outputs]
    return next((shape[1] for shape in sizes if len(shape) == 3 and shape[2] == 4), 0)


def check_output(source: Path, written: Iterable[Path], card: Path | None = None) -> None:
    """Check that no output overwrites an input.

    Raises:
        OutputError: An output is the model or its card, or a folder.
    """
    for output in written:
        outputs.check(output)
        outputs.refuse_inputs(output, (source, card))


def _keep(paths: Iterable[Path]) -> None:
    for path in paths:
        if outputs.is_taken(path):
            raise OutputError(f"{path}: exists already: name another output, or give --force to replace it")


def _cut_card(card: ModelCard, output: Path, data: bytes, decoder: Any) -> ModelCard:
    return msgspec.structs.replace(
        card,
        name=safe_name(output.stem),
        source=Source(path=output.name, sha256=hashlib.sha256(data).hexdigest()),
        decoder=decoder,
        dataset=None,
        published=(),
    )


def _npy(values: npt.NDArray[np.float32]) -> bytes:
    stream = io.BytesIO()
    np.save(stream, values, allow_pickle=False)
    return stream.getvalue()


def _finish(
    source: Path, before: bytes, output: Path, after: bytes, sides: Iterable[tuple[Path, bytes]]
) -> EditResult:
    """Run the result once, write it with the files beside it, and return what changed."""
    not_run = run_once(after, output)
    written = [output]
    outputs.write(output, after)
    for path, content in sides:
        outputs.write(path, content)
        written.append(path)
    rows = _changes(_describe(before, source), _describe(after, output))
    return EditResult(rows, tuple(written), not_run)


def _describe(data: bytes, path: Path) -> ModelDescription:
    graph = reader.read_graph(data, path)
    with reader.malformed(path):
        return replace(describe_graph(graph, data, path), quantization_evidence=())


def _changes(before: ModelDescription, after: ModelDescription) -> list[dict[str, Any]]:
    left, right = _values(before), _values(after)
    return [
        {"key": key, "before": left.get(key), "after": right.get(key)}
        for key in dict.fromkeys((*left, *right))
        if left.get(key) != right.get(key)
    ]


def _values(description: ModelDescription) -> dict[str, Any]:
    """Return the values that an edit can change, flat."""
    options = description.postprocess
    values: dict[str, Any] = {
        "file": str(description.path),
        "size_bytes": description.size_bytes,
        "sha256": description.sha256,
        "operators": description.n_operators,
        "outputs": [f"{info.name} {info.dtype} {list(info.shape)}" for info in description.outputs],
    }
    if options is not None:
        names = ("use_regular_nms", "nms_score_threshold", "nms_iou_threshold", "max_detections")
        values |= {name: getattr(options, name) for name in (*names, "detections_per_class", "num_classes")}
    return values
