"""Results as files: JSON, CSV, Markdown and Parquet, and back to the same DataFrame.

A list (`reasons`) is a list in JSON and Parquet; in a CSV cell it is that list written as JSON. An unknown
value is `null` in JSON and Parquet and an empty cell in CSV.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import MissingExtraError, RecordError, UnknownNameError, cannot_read
from harness.report import plain
from harness.rows import columns
from harness.rows.frame import rows_to_frame

if TYPE_CHECKING:
    import pandas as pd

Rows = Sequence[Mapping[str, Any]]
FORMATS = ("json", "csv", "markdown", "parquet")


def to_bytes(rows: Rows, names: Sequence[str], format: str) -> bytes:
    """Serialize rows of public columns in one of `FORMATS`; text is UTF-8.

    Raises:
        UnknownNameError: No such column.
        MissingExtraError: Parquet without pyarrow.
    """
    chosen = columns.check_names(names)
    if format == "parquet":
        return _to_parquet(rows, chosen)
    return plain.render(rows, chosen, format).encode("utf-8")


def read_back(path: Path) -> pd.DataFrame:
    """Read a file that was exported (`.json`, `.csv` or `.parquet`) into the same DataFrame.

    Raises:
        UnknownNameError: Its ending is none of these, or it has a column that is not public.
        RecordError: It cannot be read.
        MissingExtraError: Parquet without pyarrow.
    """
    reader = _READERS.get(path.suffix)
    if reader is None:
        raise UnknownNameError("ending of a results file", path.suffix or path.name, _READERS)
    try:
        return reader(path.read_bytes())
    except OSError as error:
        raise RecordError(cannot_read(path, error)) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RecordError(f"{path}: not results exported by this program: {error}") from error


def _to_parquet(rows: Rows, names: Sequence[str]) -> bytes:
    _need_pyarrow()
    buffer = io.BytesIO()
    rows_to_frame(rows, names).to_parquet(buffer, engine="pyarrow", index=False)
    return buffer.getvalue()


def _from_json(data: bytes) -> pd.DataFrame:
    rows: list[dict[str, Any]] = json.loads(data)
    if not isinstance(rows, list):
        raise TypeError(f"found {type(rows).__name__}, expected an array")
    return rows_to_frame(rows, list(rows[0]) if rows else columns.NAMES)


def _from_csv(data: bytes) -> pd.DataFrame:
    lines = csv.reader(io.StringIO(data.decode("utf-8"), newline=""))
    names = next(lines, [])
    if not names:
        raise ValueError("no header")
    return rows_to_frame([_parsed(names, line) for line in lines], names)


def _from_parquet(data: bytes) -> pd.DataFrame:
    _need_pyarrow()
    import pyarrow.parquet  # type: ignore[import-untyped,unused-ignore]

    table = pyarrow.parquet.read_table(io.BytesIO(data))
    return rows_to_frame(table.to_pylist(), table.column_names)


def _parsed(names: Sequence[str], line: Sequence[str]) -> dict[str, Any]:
    columns.check_names(names)
    return {
        name: _PARSERS[columns.BY_NAME[name].dtype](text) if text else None
        for name, text in zip(names, line, strict=True)
    }


def _need_pyarrow() -> None:
    try:
        import pyarrow  # type: ignore[import-untyped,unused-ignore]  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("parquet", "report") from error


_PARSERS: dict[str, Callable[[str], Any]] = {
    columns.TEXT: str,
    columns.INTEGER: int,
    columns.NUMBER: float,
    columns.LIST: json.loads,
}
_READERS: dict[str, Callable[[bytes], pd.DataFrame]] = {
    ".json": _from_json,
    ".csv": _from_csv,
    ".parquet": _from_parquet,
}
