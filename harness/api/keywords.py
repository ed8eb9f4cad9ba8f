"""Functions whose keywords come from a class: what type checkers see, what is refused, and what help says."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from textwrap import fill
from typing import Any, ParamSpec, TypeVar, get_type_hints

import msgspec

from harness.errors import UnknownNameError, UsageError
from harness.option import DeclaredOption, declared

P = ParamSpec("P")
T = TypeVar("T")
HELP_WIDTH = 110
_INDENT = " " * 8


def takes(
    keywords: Callable[P, object], *tables: type
) -> Callable[[Callable[[Mapping[str, Any]], T]], Callable[P, T]]:
    """Give a function the signature of a class; it is handed what its caller gave, and nothing else.

    Args:
        keywords: The class, whose constructor has the signature.
        tables: The tables that declare its keywords as options; their help stands in the function's docstring, and
            a value that does not fit the option's type is refused.
    """
    options = {one.keyword: one for table in tables for one in declared(table)}

    def decorate(function: Callable[[Mapping[str, Any]], T]) -> Callable[P, T]:
        signature = _signature(keywords, options, function.__annotations__.get("return"))

        @functools.wraps(function)
        def call(*args: P.args, **given: P.kwargs) -> T:
            for name in given:
                if name not in signature.parameters:
                    raise UnknownNameError("keyword", name, signature.parameters)
            bound = signature.bind(*args, **given).arguments
            return function({name: _plain(options.get(name), value) for name, value in bound.items()})

        vars(call)["__signature__"] = signature
        call.__doc__ = _with_keywords(function.__doc__ or "", signature.parameters, options)
        return call

    return decorate


def _signature(keywords: Callable[..., object], options: Iterable[str], returns: Any) -> inspect.Signature:
    """Return the signature of a class with plain types: what has a place comes first, then the order of the tables."""
    hints, order = get_type_hints(keywords), list(options)
    found = inspect.signature(keywords).parameters.values()
    parameters = [one.replace(annotation=hints[one.name]) for one in found]
    parameters.sort(key=lambda one: (one.kind, order.index(one.name) if one.name in order else len(order)))
    return inspect.Signature(parameters, return_annotation=returns)


def _plain(one: DeclaredOption | None, value: Any) -> Any:
    """Return a value as its option has it: one of several as a tuple, a path as text.

    Raises:
        UsageError: It is of another type; says what was found and what is expected.
    """
    if one is None or value is None:
        return value
    value = value.item() if hasattr(value, "item") else value
    if one.many is not None:
        items = value.items() if isinstance(value, Mapping) else [value] if _is_single(value) else value
        value = tuple(str(item) if isinstance(item, Path) else item for item in items)
    elif isinstance(value, Path):
        value = str(value)
    try:
        return msgspec.convert(value, one.kind)
    except msgspec.ValidationError as error:
        text = str(error).partition(" - at ")[0]
        raise UsageError(f"{one.keyword}: found {value!r}, {text[0].lower()}{text[1:]}") from error


def _is_single(value: Any) -> bool:
    return isinstance(value, (str, Path)) or not isinstance(value, Iterable)


def _with_keywords(text: str, names: Iterable[str], options: Mapping[str, DeclaredOption]) -> str:
    """Put the help of the options at the end of the section `Args` of a docstring."""
    lines = [
        fill(
            f"{name}: {options[name].option.help}",
            HELP_WIDTH,
            initial_indent=_INDENT,
            subsequent_indent=_INDENT + " " * 4,
        )
        for name in names
        if name in options
    ]
    head, args, rest = text.partition("    Args:\n")
    own, blank, tail = rest.partition("\n\n")
    return "".join((head, args, own, "\n", "\n".join(lines), blank, tail)) if args else text
