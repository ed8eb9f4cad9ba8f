"""The same as the command line, from Python."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.bench.observer import Silent
from harness.bench.request import Request
from harness.errors import UnknownNameError
from harness.rows import frame
from harness.session import carry_out, prepare
from harness.settings import Settings

if TYPE_CHECKING:
    import pandas as pd


def run(
    models: str | Path | Iterable[str | Path] = (),
    *,
    device: str | Sequence[str] = "local",
    delegates: Sequence[str] = (),
    delegate_options: Mapping[str, str] | None = None,
    dataset: str | Path | None = None,
    output: str | Path | None = None,
    workspace: str | Path | None = None,
    repetitions: int | None = None,
    **settings: Any,
) -> pd.DataFrame:
    """Measure models on devices and return one row a cell.

    Args:
        models: Names of cards, paths of cards or .tflite files; nothing for the bundled example.
        device: A device profile's name, or several.
        delegates: Spellings such as `cpu:1`; nothing for the ones of the device's profile.
        delegate_options: What an external delegate or the Edge TPU's library is told.
        dataset: Folder or card of a COCO dataset; None for each card's own.
        output: Folder for the runs; None for the workspace's `results/`.
        workspace: Folder with devices/ and models/.
        repetitions: Independent processes a cell.
        settings: Fields of `harness.settings.Settings`: latency, accuracy, min_runs, min_seconds, limit, seed, …

    Returns:
        The result columns of `results/README.md`, with nullable dtypes; `frame.attrs["folder"]` is the run's folder.

    Raises:
        UsageError: Wrong use or bad input, found before anything is measured.
    """
    names = [models] if isinstance(models, (str, Path)) else list(models)
    request = Request(
        models=tuple(map(str, names)),
        devices=(device,) if isinstance(device, str) else tuple(device),
        delegates=tuple(delegates),
        delegate_options=tuple((delegate_options or {}).items()),
        dataset=None if dataset is None else str(dataset),
        output=None if output is None else str(output),
        workspace=None if workspace is None else str(workspace),
        repetitions=repetitions,
        settings=_settings(settings),
    )
    outcome = carry_out(prepare(request), Silent())
    result = load_results(outcome.folder)
    result.attrs["folder"] = str(outcome.folder)
    return result


def _settings(given: dict[str, Any]) -> Settings:
    known = {field.name for field in fields(Settings)} - {"repetitions", "cores"}
    for name in given:
        if name not in known:
            raise UnknownNameError("setting", name, known)
    return replace(Settings(), **given)


def load_results(*paths: str | Path) -> pd.DataFrame:
    """Load stored runs as one DataFrame.

    Args:
        paths: Folders of runs, or folders that hold such folders; nothing for the workspace's `results/`.

    Returns:
        The result columns of `results/README.md`, one row a cell, with nullable dtypes.
    """
    return frame.load_results([Path(path) for path in paths])


def compare(
    base: str | Path | Sequence[str | Path],
    new: str | Path | Sequence[str | Path],
    *,
    fail_if: str | Sequence[str] = (),
    dataset: str | Path | None = None,
    workspace: str | Path | None = None,
) -> pd.DataFrame:
    """Hold two results against each other, cell by cell, as `harness compare` does.

    Args:
        base: A run's id, the beginning of one, `latest`, or a folder with one or several runs; or several of them.
        new: The same of what is judged.
        fail_if: Changes that are not accepted, such as `latency_median_ms > 5%`; decided in the column `gate`.
        dataset: Where the dataset is now, if it was moved since.
        workspace: Folder with devices/ and models/.

    Returns:
        One row a matched cell: the keys, `base_…`, `new_…`, `difference_percent`, `low`, `high`, `p`, `decision`, the
        same of the mAP, and `gate`, with nullable dtypes. `frame.attrs["gate"]` is `pass`, `fail` or `undecided`, and
        `frame.attrs["remarks"]` says what was not compared and why.

    Raises:
        UsageError: No such run, a wrong expression, or nothing that can be compared.
    """
    from harness.comparison import compare as comparing
    from harness.comparison import expression, gate, rows
    from harness.report import comparison_summary as summary
    from harness.rows.selection import find_folders
    from harness.workspace import find_workspace

    place = find_workspace(workspace)
    before, after = (find_folders(_several(side), place.results) for side in (base, new))
    conditions = [expression.parse(text) for text in ((fail_if,) if isinstance(fail_if, str) else fail_if)]
    compared = comparing.compare_results(before, after, [Path(dataset)] if dataset else (), place)
    if not conditions:
        comparing.refuse_nothing_in_common(compared)
    verdict = gate.judge(compared, conditions)
    result = rows.to_frame(rows.to_rows(compared, verdict))
    result.attrs["gate"] = str(verdict.outcome) if conditions else None
    result.attrs["remarks"] = list(summary.remarks(compared))
    return result


def _several(given: str | Path | Sequence[str | Path]) -> list[str]:
    return [str(given)] if isinstance(given, (str, Path)) else [str(part) for part in given]
