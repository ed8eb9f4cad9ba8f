"""`harness models`: what cards there are, what one says, and fetching the files that they speak of."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import rich_click as click

from harness import outputs, units
from harness.cards import Model, ModelCard, Published, list_cards
from harness.cli.common import CONTEXT, examples, format_option
from harness.cli.printing import emit, note, show
from harness.cli.types import OutputFile, Place
from harness.errors import HarnessError, JobError, UsageError
from harness.paths import resolved, size_of
from harness.recognize.find import find_model
from harness.report.consoles import WIDTH
from harness.report.content import Content
from harness.report.model_table import ModelTable
from harness.workspace import find_workspace

if TYPE_CHECKING:
    from pathlib import Path

    from harness.download import OnProgress
    from harness.fetch import Fetched
    from harness.recognize.probe import ReadingScore
    from harness.report.progress import Progress

COLUMNS = (
    *("name", "file", "available", "quantization", "input", "decoder", "license", "source", "size_bytes"),
    *("published_map", "published_on", "published_latency_ms", "published_latency_on"),
)
FETCH_COLUMNS = ("name", "file", "sha256", "size_bytes", "downloaded", "pinned")
FETCH_TABLE = ("name", "downloaded", "file")
PROBE_COLUMNS = ("reading", "map", "ap50", "n_detections", "best")
_REDRAW_S = 0.1


@click.group(
    "models",
    invoke_without_command=True,
    context_settings=CONTEXT,
    epilog=examples(
        "harness models                      every card, and whether its file is here",
        "harness models show mobiledet-cpu   one card with its published figures",
        "harness models fetch mobiledet-cpu  download and verify its file",
        "harness models probe new.tflite --dataset coco/   find out how to read a model",
    ),
)
@format_option()
@click.pass_context
def command(ctx: click.Context, format_: str) -> None:
    """List, show, fetch and find out model cards. Without a subcommand: list."""
    if ctx.invoked_subcommand is None:
        _list(ctx.obj, format_)


@command.command("list", context_settings=CONTEXT, epilog=examples("harness models list --format json"))
@format_option()
@click.pass_context
def list_command(ctx: click.Context, format_: str) -> None:
    """List every model card of the workspace."""
    _list(ctx.obj, format_)


@command.command("show", context_settings=CONTEXT, epilog=examples("harness models show mobiledet-cpu"))
@click.argument("name")
@format_option()
@click.pass_context
def show_command(ctx: click.Context, name: str, format_: str) -> None:
    """Show one card: NAME is a card's name, a card's path or a .tflite file."""
    model = find_model(name, find_workspace(ctx.obj))
    cells = row(model)
    show(Content([cells], COLUMNS, own={"table": lambda: _sheet(model, cells)}), format_)


@command.command(
    "fetch",
    context_settings=CONTEXT,
    epilog=examples(
        "harness models fetch mobiledet-cpu mobiledet-dsp  two files",
        "harness models fetch --repin mobiledet-cpu        accept a changed file",
    ),
)
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option(
    "--repin", is_flag=True, help="Download again and accept a changed file (cards without sha256)."
)
@format_option()
@click.pass_context
def fetch_command(ctx: click.Context, names: tuple[str, ...], repin: bool, format_: str) -> None:
    """Download models into the cache, verified against the card's sha256 or the hash of the first fetch."""
    from harness.cli.progress import progress

    workspace = find_workspace(ctx.obj)
    models = [find_model(name, workspace) for name in dict.fromkeys(names)]
    rows, failures = [], []
    with progress() as shown:
        for model in models:
            try:
                rows += _fetch(model, repin, shown)
            except JobError as error:  # one address that fails does not keep the others from being fetched
                shown.say(f"error: {error}")
                failures.append(model.name)
    if rows:
        show(Content(rows, FETCH_COLUMNS, in_table=FETCH_TABLE), format_)
    if failures:
        raise JobError(f"not fetched: {', '.join(failures)}")


@command.command(
    "probe",
    context_settings=CONTEXT,
    epilog=examples(
        "harness models probe new.tflite --dataset coco/                     the mAP of each reading",
        "harness models probe new.tflite --dataset coco/ --write new.toml    and a card of the best one",
    ),
)
@click.argument("name", metavar="MODEL")
@click.option(
    "--dataset", type=Place(), help="Labelled images: a folder or a TOML card. [default: the card's own]"
)
@click.option(
    "--limit", type=click.IntRange(min=1), metavar="N", default=32, show_default=True, help="How many images."
)
@click.option(
    "--write",
    type=OutputFile(outputs.CARD_ENDINGS),
    metavar="CARD.toml",
    help="Write the winning card to a new file. [default: not written]",
)
@format_option()
@click.pass_context
def probe_command(
    ctx: click.Context, name: str, dataset: str | None, limit: int, write: str | None, format_: str
) -> None:
    """Try how a model can be read (output order, boxes, labels, input) on labelled images: the mAP of each."""
    from pathlib import Path

    from harness.accuracy.dataset import find_dataset
    from harness.cli.progress import progress
    from harness.recognize.observe import N_PICTURES
    from harness.recognize.probe import distinct, probe

    given = None if dataset is None else find_dataset(Path(dataset))
    looks = [] if given is None else [image.file for image in given.images[:N_PICTURES]]
    model = find_model(name, find_workspace(ctx.obj), looks)
    data = given or (None if model.dataset_path is None else find_dataset(model.dataset_path))
    if data is None:
        raise UsageError("labelled images are needed to tell the readings apart: give them with --dataset")
    if write is not None and outputs.is_taken(write):
        raise UsageError(f"{write}: there is a file of that name already; --write makes a new one")
    with progress() as shown:
        scores = probe(model, data, limit, shown.update)
    emit([_score_row(one) for one in distinct(scores)], PROBE_COLUMNS, format_)
    if scores[0].doubt:
        kept = "" if write is None else f"; {write} is not written"
        raise JobError(f"no reading of {model.name} works: {scores[0].doubt}{kept}")
    if write is not None:
        _write_card(model, scores[0], Path(write), limit)


def _score_row(one: ReadingScore) -> dict[str, Any]:
    return {
        "reading": one.reading,
        "map": None if one.map is None else round(one.map, 4),
        "ap50": None if one.ap50 is None else round(one.ap50, 4),
        "n_detections": one.n_detections,
        "best": one.best,
    }


def _write_card(model: Model, best: ReadingScore, path: Path, limit: int) -> None:
    """Write the winning card; what it rests on stands above it."""
    import os

    from msgspec.structs import replace

    from harness.edit.card_toml import to_toml

    card = best.card
    if card.source.path is not None:
        beside = os.path.relpath(resolved(model.file), resolved(path).parent)
        card = replace(card, source=replace(card.source, path=beside))
    figures = f"mAP {best.map or 0:.3f} on up to {limit} images with the reading: {best.reading}"
    evidence = "".join(f"# {' '.join(sentence.split())}\n" for sentence in model.evidence)
    outputs.write(path, (evidence + to_toml(card, figures)).encode("utf-8"))
    note(f"{path}: written; `harness run {path} --dataset …` measures it")


def _list(workspace: str | None, format_: str) -> None:
    models = list_cards(find_workspace(workspace))
    rows = [row(model) for model in models]
    show(Content(rows, COLUMNS, own={"table": lambda: ModelTable(rows, list(map(_state, models)))}), format_)
    missing = [model for model in models if not model.available]
    if missing and format_ == "table":
        note(f"{len(missing)} of {len(models)} are not on this computer; `harness models show NAME` says why")


def row(model: Model) -> dict[str, Any]:
    """Return what every format but the table says of a card; None for unknown."""
    card = model.card
    return {
        "name": model.name,
        "file": str(model.file) if model.available else None,
        "available": model.available,
        "quantization": _quantization(model),
        "input": f"{card.input.width}x{card.input.height}",
        "decoder": card.decoder.name,
        "license": card.license or None,
        "source": card.source.url or card.source.path,
        "size_bytes": size_of(model.file) if model.available else None,
        **_published_columns(card),
    }


def _published_columns(card: ModelCard) -> dict[str, Any]:
    """Return the first published mAP and latency, each with what it was measured on."""
    first: dict[str, Published] = {}
    for figure in card.published:
        first.setdefault(figure.metric, figure)
    accuracy, latency = first.get("map"), first.get("latency")
    if latency is not None and latency.unit != "ms":
        latency = None
    on = "" if latency is None else ", ".join(filter(None, (latency.device, latency.delegate)))
    return {
        "published_map": accuracy and accuracy.value,
        "published_on": accuracy and (accuracy.dataset or None),
        "published_latency_ms": latency and latency.value,
        "published_latency_on": on or None,
    }


def _quantization(model: Model) -> str | None:
    """Return how the file is quantized; None when it is not here or cannot be read."""
    if not model.available:
        return None
    from harness.tflite.model import describe

    try:
        return str(describe(model.file).quantization)
    except HarnessError as error:
        note(f"{model.name}: {error}")
        return None


def _state(model: Model) -> str:
    """Return in few words why the file is not here; nothing where it is."""
    if model.available:
        return ""
    if model.download is None:
        return "file missing"
    return "not fetched" if model.card.source.format == "tflite" else "to convert"


def _sheet(model: Model, cells: dict[str, Any]) -> Any:
    """Return one card as a sheet of two columns, its published figures below."""
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold", max_width=WIDTH - 16)
    for label, value in _facts(model, cells):
        table.add_row(*_texts(label, value))
    return table


def _facts(model: Model, cells: dict[str, Any]) -> list[tuple[str, str | None]]:
    card = model.card
    where = str(model.file) if model.available else model.why_missing
    facts = [
        ("name", model.name),
        ("description", card.description),
        ("card", str(model.origin) if model.origin else "inferred from the file"),
        ("file", where),
        ("source", cells["source"]),
        ("member", card.source.member),
        *(("variant", f"{name}: {member}") for name, member in card.source.variants.items()),
        ("sha256", _hash(model)),
        ("quantization", cells["quantization"]),
        ("input", f"{cells['input']} {card.input.channels}, {card.input.resize}, {card.input.method}"),
        ("decoder", " ".join(filter(None, (card.decoder.name, card.decoder.order)))),
        ("license", cells["license"]),
        ("homepage", card.homepage),
    ]
    facts += [("evidence", sentence) for sentence in model.evidence]
    facts += [("published", _published(figure)) for figure in card.published]
    return [(label, value) for label, value in facts if value]


def _hash(model: Model) -> str | None:
    """Return the hash that is expected of the fetched file, and who says so."""
    if model.download is None or model.card.source.sha256 is not None:
        return model.card.source.sha256
    from harness.fetch import read_pin

    pin = read_pin(model, model.download)
    return f"{pin.sha256} (pinned {pin.fetched_at})" if pin else "not in the card; pinned at the first fetch"


def _published(figure: Any) -> str:
    where = ", ".join(filter(None, (figure.dataset, figure.device, figure.delegate, figure.note)))
    value = f"{figure.metric} {figure.value:g}{' ' + figure.unit if figure.unit else ''}"
    return f"{value}{f' ({where})' if where else ''}: {figure.source}"


def _texts(*values: str | None) -> list[Any]:
    """Return cells in which nothing from a card is taken for markup or a control sequence."""
    from rich.text import Text

    from harness.text import clean

    return [Text(units.MISSING if value is None else clean(value)) for value in values]


def _fetch(model: Model, repin: bool, shown: Progress) -> list[dict[str, Any]]:
    """Fetch a model's file and the other members that its card names; one row a file."""
    from harness.fetch import fetch_all

    if model.card.source.made_by:
        raise JobError(f"{model.name}: fetching does not help: {model.why_missing}")
    wanted = [model, *model.variants.values()]
    files = fetch_all(wanted, repin=repin, on_progress=_progress(model.name, shown))
    for got in files:
        shown.say(_told(got))
    if not model.available and model.card.source.format != "tflite":
        shown.say(f"{model.name}: {model.why_missing}; see `harness models show {model.name}`")
    return [_fetched_row(got) for got in files]


def _fetched_row(got: Fetched) -> dict[str, Any]:
    return {
        "name": got.model.name,
        "file": str(got.path),
        "sha256": got.sha256,
        "size_bytes": got.size_bytes,
        "downloaded": got.downloaded,
        "pinned": got.pinned,
    }


def _told(got: Fetched) -> str:
    how = "fetched" if got.downloaded else "was here already"
    known = "pinned: this hash is expected from now on" if got.pinned else "verified"
    return f"{got.model.name}: {how}, {units.size(got.size_bytes)}, {got.path.name}, sha256 {got.sha256} ({known})"


def _progress(name: str, shown: Progress) -> OnProgress:
    """Return a callback that draws at most ten times a second, in MB."""
    last = 0.0

    def update(done: int, total: int | None) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _REDRAW_S or done == total:
            last = now
            shown.update(round(done / 1e6, 1), round((total or done) / 1e6, 1), f"MB {name}")

    return update
