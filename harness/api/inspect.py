"""`harness.inspect`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from harness.api.frames import to_frame

if TYPE_CHECKING:
    import pandas as pd


@overload
def inspect(model: str | Path, *, workspace: str | Path | None = None) -> dict[str, Any]: ...
@overload
def inspect(model: str | Path, other: str | Path, *, workspace: str | Path | None = None) -> pd.DataFrame: ...
def inspect(
    model: str | Path, other: str | Path | None = None, *, workspace: str | Path | None = None
) -> dict[str, Any] | pd.DataFrame:
    """Look into a model without running it, as `harness inspect` does; with another one, say what differs.

    Args:
        model: A .tflite file, a card's name or a card's path.
        other: The model to compare it with.
        workspace: Folder with devices/ and models/.

    Returns:
        An object with `model`, `sha256`, `size_bytes`, `quantization` with its evidence, `inputs`, `outputs`,
        `operators` and their cost, `float_islands`, `nms`, `metadata`, and where it will run (`delegates`). With
        `other`, a DataFrame with `key`, `first` and `second`, a row for each value that differs.

    Raises:
        ModelError: There is no such file, it is not a TFLite model, or the card's file is not on this computer.
        UnknownNameError: No card of that name.

    Example:
        >>> import harness
        >>> harness.inspect("shapes-full-integer")["quantization"]
        'full-integer'
        >>> harness.inspect("shapes-float32", "shapes-float16").set_index("key")["second"]["quantization"]
        'float16'
    """
    from harness.recognize.find import find_file
    from harness.tflite.inspect.difference import COLUMNS, difference
    from harness.tflite.inspect.model import inspect as look_into

    found = look_into(find_file(str(model), workspace))
    if other is None:
        return found
    return to_frame(difference(found, look_into(find_file(str(other), workspace))), COLUMNS)
