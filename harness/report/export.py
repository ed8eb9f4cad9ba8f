"""Write results as files: JSON, CSV, Markdown and Parquet, and read them back into the same DataFrame.

A list (`reasons`) is a list in JSON and Parquet; in a CSV cell it is that list written as JSON. An object in a list
(`checks`) is an object in JSON and its JSON text in Parquet. An unknown value is `null` in JSON and Parquet and an
empty cell in CSV.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

from harness.errors import MissingExtraError
from harness.report import plain
from harness.rows import columns
from harness.rows.frame import rows_to_frame

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


def _to_parquet(rows: Rows, names: Sequence[str]) -> bytes:
    _need_pyarrow()
    buffer = io.BytesIO()
    flat = [{name: _flat(value) for name, value in row.items()} for row in rows]
    rows_to_frame(flat, names).to_parquet(buffer, engine="pyarrow", index=False)
    return buffer.getvalue()


def _flat(value: Any) -> Any:
    """Return a list with its objects as JSON texts, because their keys differ; anything else as it is."""
    return [plain.object_cell(one) for one in value] if isinstance(value, list) else value


def _need_pyarrow() -> None:
    try:
        import pyarrow  # type: ignore[import-untyped,unused-ignore]  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("parquet", "report") from error
