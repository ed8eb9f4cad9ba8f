"""Read figures that others published, as rows that are shown beside your own and never ranked with them.

They lie in `results/published/*.toml`, each file with its source:

    title = "…"
    source = "https://…"            # of every figure that names none of its own
    [[figure]]
    model = "mobiledet-edgetpu"     # as the model's card is called
    quantization = "qat-uint8"
    device = "Pixel 4"
    delegate = "edgetpu"
    latency_ms = 6.9
    map = 0.256

Further keys are `variant`, `fps`, `size_mb`, `ar100`, `dataset`, `n_images` and `note`. A row's `status` and `verdict`
are `published`, `run_id` is the file's name, and `latency_mean_ms` holds the latency: no source says which statistic
it is, and so the median is unknown.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness import schema, units
from harness.paths import found_in, is_folder
from harness.rows import columns
from harness.schema import Strict
from harness.workspace import Workspace, bundled_workspace

PUBLISHED = "published"
"""Status, verdict and kind of device of such a row."""


class Figure(Strict, frozen=True, kw_only=True):
    """The published figures of one model on one device, or on none in particular."""

    model: str
    quantization: str | None = None
    variant: str = ""
    device: str | None = None
    delegate: str | None = None
    latency_ms: float | None = None
    fps: float | None = None
    size_mb: float | None = None
    map: float | None = None
    ar100: float | None = None
    dataset: str | None = None
    n_images: int | None = None
    note: str = ""
    source: str = ""


class Publication(Strict, frozen=True, kw_only=True):
    """One file of figures."""

    title: str
    source: str
    figure: tuple[Figure, ...]
    dataset: str | None = None
    n_images: int | None = None
    note: str = ""


def published_rows(workspace: Workspace) -> list[dict[str, Any]]:
    """Return the published figures as rows with the public columns.

    Args:
        workspace: Its `results/published/` is read; where it has none, the bundled one.

    Raises:
        SchemaError: A file does not fit; names the file and the key.
    """
    rows = []
    for path in found_in(_folder(workspace), "*.toml"):
        publication = schema.convert(schema.load_toml(path), Publication, path)
        rows += [_row(path.stem, publication, figure) for figure in publication.figure]
    return rows


def _folder(workspace: Workspace) -> Path:
    own = workspace.root / "results" / "published"
    return own if is_folder(own) else bundled_workspace().root / "results" / "published"


def _row(name: str, publication: Publication, figure: Figure) -> dict[str, Any]:
    known = {
        "run_id": name,
        "model": f"{figure.model} [{figure.variant}]" if figure.variant else figure.model,
        "quantization": figure.quantization,
        "size_bytes": None if figure.size_mb is None else round(figure.size_mb * units.BYTES_PER_MB),
        "device": figure.device,
        "device_kind": PUBLISHED,
        "delegate_requested": figure.delegate,
        "status": PUBLISHED,
        "verdict": PUBLISHED,
        "reasons": _reasons(publication, figure),
        "latency_mean_ms": figure.latency_ms,
        "fps": figure.fps,
        "dataset": figure.dataset or publication.dataset,
        "n_images": figure.n_images or publication.n_images,
        "map": figure.map,
        "ar100": figure.ar100,
    }
    return {column: known.get(column) for column in columns.NAMES}


def _reasons(publication: Publication, figure: Figure) -> list[str]:
    """Return the published figures as sentences: a table shows no figures of others in the columns of your own."""
    on = figure.dataset or publication.dataset
    told = [
        figure.quantization or "",
        f"{units.milliseconds(figure.latency_ms)} ms" if figure.latency_ms is not None else "",
        f"{units.rate(figure.fps)} FPS" if figure.fps is not None else "",
        f"{figure.size_mb:g} MB" if figure.size_mb is not None else "",
        f"mAP {units.metric(figure.map)}{f' on {on}' if on else ''}" if figure.map is not None else "",
    ]
    notes = [figure.note, publication.note]
    return [", ".join(filter(None, told)), *filter(None, notes), figure.source or publication.source]
