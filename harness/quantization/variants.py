"""`harness prune` and `harness resize` from a request to a table: the same columns for both."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.bench.observer import Observer
from harness.cards import Model
from harness.errors import JobError, ModelError, UsageError
from harness.paths import is_folder
from harness.quantization import measure, prove, table
from harness.quantization.measure import How, Variant
from harness.quantization.prune import Scope, compressed_size, prune, sparsity_of
from harness.quantization.resize import resize
from harness.rows import pareto
from harness.tflite import reader
from harness.vocabulary import Status

Row = dict[str, Any]
COLUMNS = ("pareto", "model", "input", "sparsity", "compressed_bytes", *measure.COLUMNS[1:], "reasons")
"""`pareto` marks the rows that no other beats in both speed and accuracy; `compressed_bytes` is the file under gzip;
the rest are the public result columns."""


@dataclass(frozen=True)
class Made:
    """A variant that was made, or why it was not."""

    name: str
    file: Path | None
    size: tuple[int, int]
    reason: str | None = None


def prune_model(
    model: Model, sparsities: Sequence[float], scope: Scope, output: Path, how: How, observer: Observer
) -> list[Row]:
    """Prune a model to one or several sparsities and measure all beside the original; one row a file.

    Args:
        model: The float model.
        sparsities: Shares of the weights that become 0.
        scope: A share of each tensor, or of all weights together.
        output: The file for one sparsity; a folder for several.
        how: What is measured.
        observer: Is told how it goes.

    Raises:
        UsageError: A sparsity out of range, or an output that is the input.
        ModelError: The model has no float weights.
    """
    data = reader.read_bytes(model.file)
    files = _pruned_files(model, sparsities, output)
    for file in files:
        prove.check_output((model.file,), file)
    made = [prune(data, model.file, sparsity, scope) for sparsity in sparsities]
    size = (model.card.input.width, model.card.input.height)
    with ExitStack() as opened:
        files = [opened.enter_context(prove.readable(file)) for file in files]
        for pruned, file in zip(made, files, strict=True):
            prove.save(pruned.data, file, f"{model.name} with sparsity {pruned.sparsity:.2f}")
        variants = [Made(file.stem, file, size) for file in files]
        return measured_table(model, [Made("original", model.file, size), *variants], how, observer)


def _pruned_files(model: Model, sparsities: Sequence[float], output: Path) -> list[Path]:
    if not sparsities:
        raise UsageError("give at least one --sparsity")
    if len(sparsities) == 1 and not is_folder(output):
        return [output]
    if output.suffix == ".tflite":
        raise UsageError(f"{len(sparsities)} sparsities need a folder: name one with -o DIR")
    return [output / f"{model.file.stem}_sparse{round(100 * sparsity):02}.tflite" for sparsity in sparsities]


def resize_model(
    model: Model, sizes: Sequence[tuple[int, int]], folder: Path, how: How, observer: Observer
) -> list[Row]:
    """Resize a model to several sizes and measure all beside the original; one row a size.

    A size that the graph does not take has a row with the reason; where none fits, nothing is written.

    Raises:
        ModelError: The graph takes none of the sizes; says why.
        UsageError: No size is given, or the folder is a file.
    """
    if not sizes:
        raise UsageError("give at least one size with --input, such as --input 256,320")
    made = [_resized(model, size, folder) for size in dict.fromkeys(sizes)]
    if not any(variant.file for variant in made):
        others = ", ".join(f"{width}×{height}" for width, height in (variant.size for variant in made[1:]))
        raise ModelError(f"{made[0].reason}{f'; nor can it take {others}' if others else ''}")
    own = (model.card.input.width, model.card.input.height)
    return measured_table(model, [Made("original", model.file, own), *made], how, observer)


def _resized(model: Model, size: tuple[int, int], folder: Path) -> Made:
    name = f"{model.file.stem}_{size[0]}x{size[1]}"
    file = folder / f"{name}.tflite"
    try:
        changed = resize(reader.read_bytes(model.file), model.file, *size)
        prove.check_output((model.file,), file)
        prove.save(changed, file, f"{model.name} at {size[0]}×{size[1]}")
    except (ModelError, JobError) as error:
        return Made(name, None, size, str(error))
    return Made(name, file, size)


def measured_table(model: Model, made: Sequence[Made], how: How, observer: Observer) -> list[Row]:
    """Measure what was made and add what the files say; one row each, in order, those on the Pareto front marked."""
    present = [variant for variant in made if variant.file is not None]
    variants = [Variant(v.name, v.file, v.size) for v in present if v.file is not None]
    measured = measure.measure(model, variants, how, observer) if how.something else [{} for _ in present]
    by_name = {variant.name: row for variant, row in zip(present, measured, strict=True)}
    rows = [_row(variant, by_name.get(variant.name, {})) for variant in made]
    if how.latency and how.dataset is not None:
        rows = [row | {"pareto": mark or None} for row, mark in zip(rows, pareto.marks(rows), strict=True)]
    return rows


def _row(variant: Made, measured: Row) -> Row:
    row: Row = {"model": variant.name, "input": f"{variant.size[0]}x{variant.size[1]}"}
    if variant.file is None:
        return row | {"status": str(Status.FAILED), "reasons": [variant.reason]}
    data = reader.read_bytes(variant.file)
    stated = table.row_of(variant.file)
    row |= (
        {name: stated[name] for name in ("quantization", "size_bytes")} | measured | {"model": variant.name}
    )
    return row | {"sparsity": sparsity_of(data, variant.file), "compressed_bytes": compressed_size(data)}
