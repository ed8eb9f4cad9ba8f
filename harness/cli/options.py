"""The options of a command, made from the tables that declare them (`harness.option`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeVar, get_args, get_origin

import rich_click as click

from harness.cli import completion
from harness.cli.types import Duration, KeyValue, Numbers, Percent, Place, Size
from harness.option import DeclaredOption, declared

F = TypeVar("F", bound=Callable[..., Any])

_FORMS: dict[str, Callable[[], Any]] = {"duration": Duration, "path": Place, "percent": Percent, "size": Size}
_COMPLETION = {"device": completion.devices}


def options_of(holder: type, *, after: str | None = None, until: str | None = None) -> Callable[[F], F]:
    """Add the options that a table declares, in its order; each is passed by its keyword.

    Args:
        holder: The table.
        after: Only those behind this field.
        until: Only those up to this field, with it.
    """
    names = [one.name for one in declared(holder)]
    begin = 0 if after is None else names.index(after) + 1
    end = len(names) if until is None else names.index(until) + 1

    def add(function: F) -> F:
        for one in reversed(declared(holder)[begin:end]):
            function = _option(one)(function)
        return function

    return add


def given_of(options: Mapping[str, Any], *holders: type) -> dict[str, Any]:
    """Return what was given of the options of some tables, by keyword; a flag that was not set was not given."""
    given = {}
    for one in (one for holder in holders for one in declared(holder)):
        value = options[one.keyword]
        if one.kind is bool:
            value = not one.option.switch_off if value else None
        if value is not None and value not in ((), ""):
            given[one.keyword] = value
    return given


def _option(one: DeclaredOption) -> Callable[[F], F]:
    spellings = (*one.option.spelling.split()[:-1], one.spelling)
    return click.option(
        *spellings, one.keyword, help=_help(one), panel=one.option.group or None, **_kind(one)
    )


def _help(one: DeclaredOption) -> str:
    """Return the line of the help: what it does, which values there are, and what holds where nothing is given."""
    default = "" if one.kind is bool else one.option.default or shown(one)
    choices = ", ".join(get_args(one.many or one.scalar)) if one.option.metavar and _has_choices(one) else ""
    notes = (f"One of {choices}." if choices else "", f"[default: {default}]" if default else "")
    return " ".join((one.option.switch_off or one.option.help, *filter(None, notes)))


def shown(one: DeclaredOption) -> str:
    """Return the value that a field holds where nothing is given, as it is written on the command line."""
    value = one.value
    if value in (None, ()):
        return ""
    if one.option.form == "duration":
        return f"{value / 60:g}m" if value % 60 == 0 and value > 60 else f"{value:g}s"
    if isinstance(value, float):
        return f"{value:g}"
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _has_choices(one: DeclaredOption) -> bool:
    return get_origin(one.many or one.scalar) is Literal


def _kind(one: DeclaredOption) -> dict[str, Any]:
    """What click is told of an option's values."""
    if one.kind is bool:
        return {"is_flag": True}
    told: dict[str, Any] = {"type": _type(one)}
    if one.many not in (None, int, float):
        told["multiple"] = True
    if one.option.metavar:
        told["metavar"] = one.option.metavar
    if one.keyword in _COMPLETION:
        told["shell_complete"] = _COMPLETION[one.keyword]
    return told


def _type(one: DeclaredOption) -> Any:
    kind = one.many or one.scalar
    if one.option.form:
        return _FORMS[one.option.form]()
    if _has_choices(one):
        return click.Choice(list(get_args(kind)))
    if get_origin(kind) is tuple:
        return KeyValue()
    if one.many in (int, float):
        return Numbers(kind)
    return kind
