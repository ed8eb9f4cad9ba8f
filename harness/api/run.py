"""`harness.run`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.api.frames import several, text_of, to_frame
from harness.api.keywords import takes
from harness.bench.request import EngineChoice, FarmChoice, NmsAxes, NmsKind, Request, Tls
from harness.cards import ResizeMethod
from harness.settings import UserSettings

if TYPE_CHECKING:
    import pandas as pd

    from harness.session import Prepared

PathLike = str | Path


@dataclass(frozen=True, kw_only=True)
class RunKeywords(UserSettings):
    """The keywords of `harness.run`: the settings, which `UserSettings` declares, and these."""

    models: PathLike | Iterable[PathLike] = field(default=(), kw_only=False)
    device: str | Sequence[str] = "local"
    delegates: str | Sequence[str] = ()
    delegate_options: Mapping[str, str] | None = None
    against: PathLike | None = None
    dataset: PathLike | None = None
    resize: ResizeMethod | None = None
    nms: NmsKind | Sequence[NmsKind] = ()
    score_threshold: float | Sequence[float] = ()
    iou_threshold: float | Sequence[float] = ()
    max_detections: int | Sequence[int] = ()
    detections_per_class: int | Sequence[int] = ()
    engine: EngineChoice | None = None
    litert_library: PathLike | None = None
    benchmark_binary: PathLike | None = None
    eval_binary: PathLike | None = None
    cpu_mask: str | None = None
    max_start_temp: float | None = None
    device_wait: float | None = None
    quick: bool | None = None
    name: str | None = None
    keep: int | None = None
    output: PathLike | None = None
    dry_run: bool = False
    progress: bool | None = None
    resume: PathLike | bool = False
    scheduler: str | None = None
    tls_ca: PathLike | None = None
    tls_cert: PathLike | None = None
    tls_key: PathLike | None = None
    farm_wait: float | None = None
    workspace: PathLike | None = None


@takes(RunKeywords, Request, UserSettings, NmsAxes, FarmChoice, Tls)
def run(given: Mapping[str, Any]) -> pd.DataFrame:  # noqa: D417 - the keywords are those of RunKeywords
    """Measure models on devices and return one row a cell, as `harness run` does.

    Args:
        models: Names of cards, paths of cards or .tflite files, or the path of one plan; nothing for the bundled
            example.
        dry_run: Return the cells and the seconds they take instead; measure nothing.
        progress: Show bars with the time left: None where a person sees them, on a terminal and in a notebook.
        resume: Go on with an interrupted run: its id or folder, or True for the newest.
        workspace: Folder with devices/ and models/; None to look it up.

    Returns:
        The result columns of `results/README.md`, with nullable dtypes. `frame.attrs["folder"]` is the run's folder,
        `frame.attrs["remarks"]` is what the command would have warned of.

    Raises:
        UsageError: Wrong use or bad input, found before anything is measured. A cell that fails raises nothing: its
            row says `failed`, and why.
        FarmError: The farm cannot be reached.
        RunInterrupted: Ctrl-C ended it (a KeyboardInterrupt): what was measured is in its `folder`, and `resume=True`
            goes on.

    Example:
        >>> import harness
        >>> frame = harness.run("shapes-float32", delegates="cpu:1", limit=10, repetitions=2, min_seconds=0.1)
        >>> frame[["model", "delegate_actual", "status", "n_images"]].values.tolist()
        [['shapes-float32', 'xnnpack', 'ok', 10]]
    """
    from harness.bench.observer import Silent
    from harness.report import class_match
    from harness.report.progress import where_seen
    from harness.report.run_progress import Shown, planned_tasks
    from harness.rows import frame
    from harness.session import carry_out

    prepared = _prepare(given)
    if given.get("dry_run"):
        return _planned(prepared)
    with where_seen(given.get("progress")) as shown:
        observer = Silent() if shown is None else Shown(shown, planned_tasks(prepared))
        outcome = carry_out(prepared, observer)
    found = frame.read_results([outcome.folder])
    result = frame.to_frame(found.records)
    remarks = [*prepared.remarks, *class_match.lines(prepared.matches), *found.warnings]
    result.attrs.update(folder=str(outcome.folder), remarks=remarks)
    return result


def _prepare(given: Mapping[str, Any]) -> Prepared:
    from harness.session import prepare_asked

    resume = given.get("resume") or None
    return prepare_asked(
        several(given.get("models", ())),
        given,
        text_of(given.get("workspace")),
        resume="latest" if resume is True else text_of(resume),
        outline=bool(given.get("dry_run")),
    )


def _planned(prepared: Prepared) -> pd.DataFrame:
    from harness.bench.estimate import COLUMNS, plan_rows
    from harness.bench.tryout import plan_seconds
    from harness.session import let_go

    try:
        seconds = plan_seconds(prepared.plan, prepared.stations, prepared.request, prepared.results)
    finally:
        let_go(prepared)
    rows = plan_rows(prepared.plan, seconds)
    return to_frame(rows, COLUMNS, prepared.remarks)
