"""A stored run as an object for notebooks: its table as HTML, its rows as a DataFrame, its samples as arrays."""

from __future__ import annotations

import io
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from harness.errors import UnknownNameError, UsageError
from harness.records.records import StoredRecord
from harness.rows import frame
from harness.rows.identity import identities
from harness.rows.selection import find_folders
from harness.rows.summary import steady_durations
from harness.units import NS_PER_MS
from harness.vocabulary import MEASURED
from harness.workspace import find_workspace

if TYPE_CHECKING:
    import pandas as pd

WIDTH = 120
_PAGE = '<pre style="font-family: monospace; line-height: normal">{code}</pre>'


class Run:
    """One stored run.

    Args:
        which: A run's id, the beginning of one, `latest`, or its folder.
        workspace: Folder with devices/ and models/; its `results/` is searched.

    Raises:
        UsageError: No such run.
    """

    def __init__(self, which: str | Path = "latest", workspace: str | Path | None = None) -> None:
        (self.folder,) = find_folders([str(which)], find_workspace(workspace).results)
        self.results = frame.read_results([self.folder])

    def __repr__(self) -> str:
        """Name the folder and count the cells."""
        return f"<Run {self.folder.name}: {len(self.results.records)} cells>"

    @cached_property
    def frame(self) -> pd.DataFrame:
        """The rows with the public columns, one a cell."""
        return frame.to_frame(self.results.records)

    def samples(self, model: str, delegate: str | None = None) -> list[npt.NDArray[np.float64]]:
        """Return the steady latencies of a cell in ms, one array a process.

        Args:
            model: Name of the model.
            delegate: The requested delegate; None for the first of the model.

        Raises:
            UnknownNameError: No such cell.
            UsageError: The delegate did not run, or its outputs are wrong, so the times are not its own.
            RecordError: The samples are gone.
        """
        stored = self._find(model, delegate)
        record = stored.record
        if record.status not in MEASURED:
            reasons = "; ".join(record.reasons) or f"{record.delegate.actual} ran"
            raise UsageError(
                f"{model} on {record.delegate.requested} has no latencies of its own: {record.status}: {reasons}"
            )
        return [durations / NS_PER_MS for durations in steady_durations(stored)]

    def _find(self, model: str, delegate: str | None) -> StoredRecord:
        cells = {(s.record.model.name, s.record.delegate.requested): s for s in self.results.records}
        for (name, requested), stored in cells.items():
            if name == model and delegate in {None, requested}:
                return stored
        known = [" ".join(pair) for pair in cells]
        raise UnknownNameError("cell", " ".join(filter(None, (model, delegate))), known)

    def _repr_html_(self) -> str:
        """Return the table of `harness report`; every name in it is escaped."""
        from harness.report.console import ResultTable
        from harness.report.consoles import make_console
        from harness.report.shown import PairedAccuracy

        console = make_console(width=WIDTH, record=True, file=io.StringIO())
        rows = frame.to_rows(self.results.records)
        is_shown, known = PairedAccuracy(self.results), identities(self.results.records)
        console.print(ResultTable(rows, self.results.runs, is_shown, identities=known))
        return console.export_html(code_format=_PAGE, inline_styles=True)
