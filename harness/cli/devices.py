"""`harness devices`: what can be measured on."""

from __future__ import annotations

from dataclasses import asdict

import rich_click as click

from harness.cli.common import CONTEXT, emit, examples, format_option

COLUMNS = ("name", "kind", "address", "state", "model", "soc", "os", "abi", "delegates", "reason")


@click.command(
    "devices",
    context_settings=CONTEXT,
    epilog=examples(
        "harness devices                 what there is, and why something is not ready",
        "harness devices --format json   the same for a script",
    ),
)
@format_option()
@click.pass_context
def command(ctx: click.Context, format_: str) -> None:
    """List the devices that can be reached, and why others cannot.

    Every profile in devices/ is tried; a device that does not answer is listed with the reason.
    """
    from harness.drivers.registry import list_devices
    from harness.workspace import find_workspace

    found = list_devices(find_workspace(ctx.obj))
    emit([{name: asdict(device)[name] for name in COLUMNS} for device in found], COLUMNS, format_)
