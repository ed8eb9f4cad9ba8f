"""`harness devices`: what can be measured on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import rich_click as click

from harness.bench.request import FarmChoice, with_farm
from harness.cli.common import CONTEXT, examples, format_option
from harness.cli.farm_options import farm_options
from harness.cli.printing import show
from harness.report.content import Content, Form

COLUMNS = ("name", "kind", "address", "state", "model", "soc", "os", "abi", "delegates", "reason")
FARM_COLUMNS = (*COLUMNS, "host", "kinds")
"""A device of a farm has a host, and kinds for `any:KIND`."""


@click.command(
    "devices",
    context_settings=CONTEXT,
    epilog=examples(
        "harness devices                 what there is, and why something is not ready",
        "harness devices --format json   the same for a script",
        "harness devices --scheduler rack1:8786   the devices of a farm, with their hosts",
    ),
)
@farm_options
@format_option()
@click.pass_context
def command(ctx: click.Context, /, format_: str, **farm: str | None) -> None:
    """List the devices that can be reached, and why others cannot.

    Every profile in devices/ is tried; a device that does not answer is listed with the reason. With --scheduler, the
    devices of a farm: `host` is where each is attached, `kinds` what `any:KIND` finds it by.
    """
    if farm["scheduler"] is not None:
        from harness.farm.session import list_farm

        rows = list_farm(with_farm(FarmChoice(), farm))
        _emit(rows, FARM_COLUMNS, format_)
        return
    from harness.drivers.registry import list_devices
    from harness.workspace import find_workspace

    found = list_devices(find_workspace(ctx.obj))
    _emit([{name: asdict(device)[name] for name in COLUMNS} for device in found], COLUMNS, format_)


def _emit(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], format_: str) -> None:
    """Print devices; a terminal gets the reasons as sentences below the table."""

    def table() -> Form:
        from harness.report.device_table import device_table

        return device_table(rows)

    show(Content(rows, columns, own={"table": table}), format_)
