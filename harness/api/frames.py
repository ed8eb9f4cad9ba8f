"""What commands print as rows, as DataFrames."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd


def to_frame(
    rows: Iterable[Mapping[str, Any]], columns: Sequence[str], remarks: Iterable[str] = ()
) -> pd.DataFrame:
    """Return rows as a DataFrame with pandas' nullable types; `attrs["remarks"]` is what the command would say."""
    import pandas as pd

    frame = pd.DataFrame([[row.get(name) for name in columns] for row in rows], columns=pd.Index(columns))
    frame = frame.convert_dtypes()
    frame.attrs["remarks"] = list(remarks)
    return frame


def path_of(given: str | Path | None) -> Path | None:
    """Return a path that a user gave, or None.

    Raises:
        UsageError: It has no name.
    """
    if given == "":
        raise UsageError("found '', expected the name of a file or folder")
    return None if given is None else Path(given)


def text_of(given: str | Path | None) -> str | None:
    """Return a path that a user gave as text, or None."""
    return None if given is None else str(given)


def several(given: str | Path | Iterable[str | Path]) -> list[str]:
    """Return one name or several as a list of texts."""
    return [str(given)] if isinstance(given, (str, Path)) else [str(one) for one in given]
