"""What a user may say, declared once: as the annotation of the field that holds it.

    min_runs: Annotated[int, Option("At least so many steady inferences a cell.", least=1)] = 50

From that line come the option `--min-runs`, the key `min_runs` of a plan and of its overrides, the keyword `min_runs`
of `harness.run`, the entry in the record, and the error for a value out of range.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import cache
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from harness.errors import UsageError

MOST = 1e15
"""No number of a user's is larger; a record holds all up to this one exactly."""
_SHOWN = 40

Form = Literal["", "duration", "path", "percent", "size"]

WHAT = "What is measured"
HOW_LONG = "How long"
ACCURACY = "Accuracy"
PHONES = "Phones and boards"
FARM = "Farm of many hosts"
OUTPUT = "Run and output"
GROUPS = (WHAT, ACCURACY, HOW_LONG, PHONES, FARM, OUTPUT)
"""Headings of the help, in order."""


@dataclass(frozen=True)
class Option:
    """What is known of a field that a user may set, apart from its name, its type and its default.

    Attributes:
        help: Its line in the help of the command.
        spelling: On the command line; empty for `--` and its keyword.
        keyword: Its name where those of all tables stand side by side; empty for the field's.
        form: How its value is written on the command line, where the type does not say it.
        metavar: What stands for the value in the help; empty for the form's.
        least: The smallest value, of each where there are several; None for any.
        most: The largest value; None for any that a record can hold.
        pattern: What a text has to look like as a whole; empty for anything.
        example: A text that does, for the error.
        noun: What a number counts, for the error.
        switch_off: The help of the flag that sets what is true to false.
        override: Whether it may differ from cell to cell of a plan.
        group: The heading that it stands below in the help.
        default: What holds where nothing is given, in words, where the field's own value does not say it.
    """

    help: str
    spelling: str = ""
    keyword: str = ""
    form: Form = ""
    metavar: str = ""
    least: float | None = None
    most: float | None = None
    pattern: str = ""
    example: str = ""
    noun: str = ""
    switch_off: str = ""
    override: bool = True
    group: str = ""
    default: str = ""


@dataclass(frozen=True)
class DeclaredOption:
    """An option with the field that holds it.

    Attributes:
        name: The field's name.
        kind: The field's type.
        value: What it holds where nothing is given; None where that depends.
        option: What else is known.
    """

    name: str
    kind: Any
    value: Any
    option: Option

    @property
    def keyword(self) -> str:
        """Its name where those of all tables stand side by side."""
        return self.option.keyword or self.name

    @property
    def spelling(self) -> str:
        """Its long form on the command line."""
        flag = "no-" if self.option.switch_off else ""
        return (self.option.spelling or f"--{flag}{self.keyword.replace('_', '-')}").split()[-1]

    @property
    def scalar(self) -> Any:
        """Its type without None: that of the value where one is given."""
        kinds = [kind for kind in get_args(self.kind) if kind is not type(None)]
        return kinds[0] if get_origin(self.kind) in {Union, UnionType} else self.kind

    @property
    def many(self) -> Any:
        """The type of each of its values; None where it has a single one."""
        return get_args(self.kind)[0] if get_origin(self.kind) is tuple else None

    def check(self, value: Any) -> None:
        """Refuse a number that is too small, too large or none, and a text that does not look as it should.

        Raises:
            UsageError: Names the option, what was found and what is expected.
        """
        for one in value if isinstance(value, tuple) else (value,):
            if isinstance(one, (int, float)) and not isinstance(one, bool):
                self._check_number(one)
            elif isinstance(one, str) and not re.fullmatch(self.option.pattern or ".*", one, re.DOTALL):
                found = shortened(one)
                raise UsageError(f"{self.spelling}: found {found!r}, expected {self.option.example}")

    def _check_number(self, value: float) -> None:
        least = -MOST if self.option.least is None else self.option.least
        most = MOST if self.option.most is None else self.option.most
        if least <= value <= most:
            return
        found = f"{value:g}" if isinstance(value, float) else shortened(str(value))
        noun = f" {self.option.noun}" if self.option.noun else ""
        bounded = self.option.most is not None or self.option.least is None or MOST < value < float("inf")
        wanted = f"{least:g} to {most:g}" if bounded else f"at least {least:g}"
        raise UsageError(f"{self.spelling}: found {found}, expected {wanted}{noun}")


def shortened(text: str) -> str:
    """Return a text, or its beginning where it is long, for an error."""
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}… ({len(text):,} characters)"


@cache
def declared(holder: type) -> tuple[DeclaredOption, ...]:
    """Return the options that a class declares, in order; fields without one are no user's."""
    return tuple(_declared(holder))


def _declared(holder: type) -> Iterator[DeclaredOption]:
    values = _values(holder)
    for name, annotation in get_type_hints(holder, include_extras=True).items():
        if get_origin(annotation) is Annotated:
            kind, *notes = get_args(annotation)
            value = values.get(name)
            yield from (DeclaredOption(name, kind, value, note) for note in notes if isinstance(note, Option))


def _values(holder: type) -> dict[str, Any]:
    """Return what the fields of a table hold where nothing is given: of a dataclass or a struct of msgspec."""
    if is_dataclass(holder):
        return {field.name: field.default for field in fields(holder) if field.default is not MISSING}
    names, values = getattr(holder, "__struct_fields__", ()), getattr(holder, "__struct_defaults__", ())
    return dict(zip(names[len(names) - len(values) :], values, strict=True))
