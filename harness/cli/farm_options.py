"""The options of the commands that reach a farm."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import rich_click as click

if TYPE_CHECKING:
    from harness.bench.request import FarmChoice

F = TypeVar("F", bound=Callable[..., Any])


def farm_options(function: F) -> F:
    """Add `--scheduler`, `--tls-ca`, `--tls-cert` and `--tls-key`."""
    for option in reversed(
        (
            click.option("--scheduler", metavar="ADDRESS", help="A farm's Dask scheduler (extra `cluster`)."),
            click.option(
                "--tls-ca", type=click.Path(), help="Farm: the authority that signed both sides (PEM)."
            ),
            click.option("--tls-cert", type=click.Path(), help="Farm: this side's certificate (PEM)."),
            click.option("--tls-key", type=click.Path(), help="Farm: this side's key (PEM)."),
        )
    ):
        function = option(function)
    return function


def farm_choice(
    scheduler: str | None,
    wait_s: float | None,
    tls: Mapping[str, str | None],
    planned: FarmChoice | None = None,
) -> FarmChoice:
    """Return the farm that a command shall use: the plan's, with what the options say on top.

    Args:
        scheduler: `--scheduler`.
        wait_s: `--farm-wait`, in seconds.
        tls: `tls_ca`, `tls_cert` and `tls_key` as they were given; kept with absolute paths.
        planned: What the plan says.
    """
    from msgspec.structs import replace

    from harness.bench.request import FarmChoice, Tls

    farm = planned or FarmChoice()
    given = {
        name: str(Path(path).expanduser().absolute())
        for name in ("ca", "cert", "key")
        if (path := tls.get(f"tls_{name}"))
    }
    changes: dict[str, Any] = {}
    if scheduler is not None:
        changes["scheduler"] = scheduler
    if wait_s is not None:
        changes["wait_s"] = wait_s
    if given:
        changes["tls"] = replace(farm.tls, **given) if farm.tls else Tls(**given)
    return replace(farm, **changes)
