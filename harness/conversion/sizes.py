"""`harness resize` of a TensorFlow source: converted once a size, then measured in one table."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from harness.accuracy.dataset import find_dataset
from harness.bench.observer import Observer
from harness.cards import Model
from harness.conversion.facts import Order
from harness.conversion.sources import check_content, find_kind
from harness.conversion.workflow import OnStep, require_tensorflow, run_child
from harness.errors import JobError, ModelError
from harness.paths import is_folder, resolved
from harness.quantization import prove, variants
from harness.quantization.measure import How
from harness.recognize.card import infer_card

Size = tuple[int, int]


@dataclass(frozen=True)
class Resizing:
    """A TensorFlow source in several sizes.

    Attributes:
        source: A frozen graph, a SavedModel's folder or a Keras file.
        card: The card that says how images are prepared and decoded; None to work it out of what is made.
        sizes: Width and height of each.
        folder: Where the files go.
    """

    source: Path
    card: Model | None
    sizes: tuple[Size, ...]
    folder: Path


def resize_source(
    job: Resizing, how: How, on_step: OnStep, observer: Observer, say: Callable[[str], None]
) -> list[dict[str, Any]]:
    """Convert a source to float32 in each size and measure all; one row a size.

    A size that the graph does not take has a row with the reason.

    Raises:
        DatasetError: The dataset cannot be used.
        ModelError: The source takes none of the sizes; says why and how else.
        MissingExtraError: TensorFlow is not installed.
    """
    kind = find_kind(job.source)
    check_content(job.source, kind)
    order = Order(source=str(resolved(job.source)), kind=kind, mode="float32", output="")
    if how.dataset is not None:
        find_dataset(how.dataset, how.limit)
    require_tensorflow()
    was_there = is_folder(job.folder)
    made = [_made(job, order, size, on_step, say) for size in dict.fromkeys(job.sizes)]
    files = [variant.file for variant in made if variant.file is not None]
    if not files:
        _remove(job.folder, was_there)
        raise ModelError(str(made[0].reason))
    model = infer_card(files[0]) if job.card is None else job.card
    return variants.measured_table(model, made, how, observer)


def _remove(folder: Path, was_there: bool) -> None:
    """Take a folder away again that was made for files of which there is none."""
    if not was_there:
        with contextlib.suppress(OSError):
            folder.rmdir()


def _made(
    job: Resizing, order: Order, size: Size, on_step: OnStep, say: Callable[[str], None]
) -> variants.Made:
    name = f"{job.source.stem}_{size[0]}x{size[1]}"
    file = job.folder / f"{name}.tflite"
    try:
        prove.check_output((job.source,), file)
        with tempfile.TemporaryDirectory(prefix="harness-") as folder:
            asked = msgspec.structs.replace(order, size=size, resize=True)
            result, data = run_child(asked, Path(folder), on_step)
        prove.save(data, file, f"{job.source.name} at {size[0]}×{size[1]}")
    except (ModelError, JobError) as error:
        return variants.Made(name, None, size, str(error))
    for note in result.facts.notes:
        say(note)
    return variants.Made(name, file, size)
