"""Kinds of option values: places, durations, percentages, lists of numbers, KEY=VALUE."""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import rich_click as click

from harness import outputs
from harness.errors import UsageError
from harness.option import MOST, shortened

_DURATION = re.compile(r"(?P<number>\d+(\.\d+)?)(?P<unit>s|m|h|)")
_SIZE = re.compile(r"(?P<number>\d+(\.\d+)?) ?(?P<unit>[kmg]?)b?", re.IGNORECASE)
_BYTES = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9}
_SECONDS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}


class Place(click.Path):
    """The name of a file or folder; never an empty one, which is a variable that a script forgot to set."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read it."""
        if not value:
            self.fail("found '', expected the name of a file or folder", param, ctx)
        try:
            return super().convert(value, param, ctx)
        except ValueError as error:  # a NUL in it
            self.fail(f"found {value!r}, which no file can be called ({error})", param, ctx)


class OutputFile(Place):
    """The name of a file to write, which is not a folder and has an ending of its format."""

    def __init__(self, endings: Collection[str] = ()) -> None:
        super().__init__(path_type=Path)
        self._endings = endings

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read it."""
        path = super().convert(value, param, ctx)
        try:
            outputs.check(path, self._endings)
        except UsageError as error:
            self.fail(str(error), param, ctx)
        return path


class Duration(click.ParamType):  # type: ignore[type-arg]  # not generic before click 8.3
    """A span of time: `90`, `90s`, `10m`, `1h`; in seconds."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read it."""
        found = _DURATION.fullmatch(str(value))
        if found is None:
            self.fail(f"found {value!r}, expected a time such as 90s, 10m or 1h", param, ctx)
        seconds = float(found["number"]) * _SECONDS[found["unit"]]
        if seconds > MOST:
            self.fail(f"found {shortened(str(value))!r}, expected a time such as 90s, 10m or 1h", param, ctx)
        return seconds


class Size(click.ParamType):  # type: ignore[type-arg]
    """A number of bytes: `2GB`, `500MB`, `1.5G`, `2000000`."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read it."""
        found = _SIZE.fullmatch(str(value).strip())
        size = float("inf") if found is None else float(found["number"]) * _BYTES[found["unit"].upper()]
        if found is None or size > MOST:
            self.fail(f"found {shortened(str(value))!r}, expected a size such as 2GB or 500MB", param, ctx)
        return round(size)


class Percent(click.ParamType):  # type: ignore[type-arg]
    """A share in percent: `1` or `1%`."""

    name = "percent"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read it."""
        try:
            return float(str(value).removesuffix("%"))
        except ValueError:
            self.fail(f"found {value!r}, expected a percentage such as 1%", param, ctx)


class Share(click.FloatRange):
    """A number from 0 to 1, and a number it is."""

    def __init__(self) -> None:
        super().__init__(0, 1)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read it."""
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"found {value}, expected a number from 0 to 1", param, ctx)
        return number


class Numbers(click.ParamType):  # type: ignore[type-arg]
    """Numbers with commas between: `1e-8,0.3`; a tuple."""

    name = "numbers"

    def __init__(self, kind: type[int] | type[float]) -> None:
        self._kind = kind

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read them."""
        if isinstance(value, tuple):
            return value
        try:
            return tuple(dict.fromkeys(self._kind(part) for part in str(value).split(",")))
        except ValueError:
            what = "whole numbers such as 10,100" if self._kind is int else "numbers such as 1e-8,0.3"
            self.fail(f"found {value!r}, expected {what}", param, ctx)


class KeyValue(click.ParamType):  # type: ignore[type-arg]
    """`KEY=VALUE`; a pair."""

    name = "key=value"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        """Read it."""
        key, equals, told = str(value).partition("=")
        if not (key and equals):
            self.fail(f"found {value!r}, expected KEY=VALUE such as device=usb:0", param, ctx)
        return key, told
