"""The options of the commands that reach a farm."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from harness.bench.request import FarmChoice, Tls
from harness.cli.options import options_of

F = TypeVar("F", bound=Callable[..., Any])


def farm_options(function: F) -> F:
    """Add `--scheduler`, `--tls-ca`, `--tls-cert` and `--tls-key`."""
    return options_of(FarmChoice, until="scheduler")(options_of(Tls)(function))
