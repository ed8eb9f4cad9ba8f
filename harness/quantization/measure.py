"""Measure files made of one model as `harness run` does, with the card of that model: rows of the public columns."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from harness.bench.observer import Observer
from harness.bench.request import Request
from harness.cards import NO_DECODER, Model, ModelCard, Source
from harness.delegates import CPU, CPU_REFERENCE
from harness.edit.card_toml import to_toml
from harness.errors import HostFaultError, UsageError
from harness.paths import resolved
from harness.rows import frame
from harness.session import carry_out, prepare
from harness.settings import Settings
from harness.tflite import reader
from harness.tflite.nodes import read_nodes
from harness.tflite.support import xnnpack
from harness.tflite.support.predict import predict

Row = dict[str, Any]
COLUMNS = (
    "model",
    "quantization",
    "size_bytes",
    "status",
    "verdict",
    "latency_median_ms",
    "latency_p90_ms",
    "fps",
    "peak_memory_mb",
    "n_images",
    "map",
    "ap50",
    "ap75",
    "ar100",
)
"""The public result columns that a table of variants shows."""
HERE = "local"


@dataclass(frozen=True)
class Variant:
    """One file to measure.

    Attributes:
        name: What its row is called.
        file: The .tflite.
        size: Width and height of its input; None for the card's.
    """

    name: str
    file: Path
    size: tuple[int, int] | None = None


@dataclass(frozen=True)
class How:
    """What is measured.

    Attributes:
        dataset: Images for accuracy; None for latency only.
        latency: Whether to time.
        limit: Only the first so many images.
        repetitions: Processes that time a file; None for the device profile's.
        workspace: As for every command.
        delegate: What runs the files on this computer.
        device: Where; None for this computer.
    """

    dataset: Path | None = None
    latency: bool = True
    limit: int | None = None
    repetitions: int | None = None
    workspace: str | None = None
    delegate: str = CPU
    device: str | None = None

    @property
    def something(self) -> bool:
        """Whether there is anything to measure."""
        return self.latency or self.dataset is not None


def measure(model: Model, variants: Sequence[Variant], how: How, observer: Observer) -> list[Row]:
    """Measure variants of a model in one run, interleaved, on this computer's CPU by default; one row each, in order.

    Raises:
        UsageError: Nothing is to be measured, or the model and the dataset do not fit.
    """
    if not how.something:
        raise UsageError("nothing to measure: give a --dataset, or leave out --no-latency")
    with tempfile.TemporaryDirectory(prefix="harness-") as folder:
        cards = [write_card(model, variant, Path(folder)) for variant in variants]
        request = Request(
            models=tuple(map(str, cards)),
            devices=(how.device or HERE,),
            delegates=(how.delegate,) if how.device is None else (),
            dataset=None if how.dataset is None else str(how.dataset),
            output=str(Path(folder) / "results"),
            workspace=how.workspace,
            settings=Settings(latency=how.latency, accuracy=how.dataset is not None, limit=how.limit),
            repetitions=how.repetitions,
        )
        try:
            outcome = carry_out(prepare(request), observer)
        except HostFaultError as error:  # this run goes with its folder: nobody can go on with it
            raise error.__cause__ or error from None
        found = frame.load_results(outcome.folder)
        rows = [{str(key): value for key, value in row.items()} for row in found.to_dict("records")]
    by_name = {row["model"]: row for row in map(_plain, rows)}
    return [by_name.get(variant.name, {"model": variant.name}) for variant in variants]


def cpu_delegate(file: Path) -> str:
    """Return `cpu`; where XNNPACK takes nothing, the kernels that run a file then, under their own name."""
    data = reader.read_bytes(file)
    nodes = read_nodes(reader.read_graph(data, file), data, file)
    return CPU if predict(nodes, xnnpack.TABLE).high else CPU_REFERENCE


def can_be_evaluated(model: Model) -> bool:
    """Whether the model's outputs can be decoded to detections."""
    return model.card.decoder.name != NO_DECODER


def _plain(row: Row) -> Row:
    """Turn pandas' missing values into None."""
    import pandas as pd

    return {key: None if not isinstance(v, (list, tuple)) and pd.isna(v) else v for key, v in row.items()}


def write_card(model: Model, variant: Variant, folder: Path) -> Path:
    """Write the model's card for another file."""
    card = replace(
        model.card,
        name=variant.name,
        source=Source(path=str(resolved(variant.file))),
        dataset=None,
        published=(),
        description="",
    )
    if variant.size is not None:
        card = replace(card, input=replace(card.input, width=variant.size[0], height=variant.size[1]))
    path = folder / f"{variant.name}.toml"
    remark = f"{model.name} for another file"
    path.write_text(to_toml(_with_absolute_anchors(card, model), remark), encoding="utf-8")
    return path


def _with_absolute_anchors(card: ModelCard, model: Model) -> ModelCard:
    """A side file of anchors lies beside the model's own card, or beside the bare model."""
    anchors = card.decoder.anchors
    if anchors is None or anchors.file is None:
        return card
    file = str(resolved((model.origin or model.file).parent / anchors.file))
    return replace(card, decoder=replace(card.decoder, anchors=replace(anchors, file=file)))
