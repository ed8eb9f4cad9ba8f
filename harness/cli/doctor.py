"""`harness doctor`: is everything there that a run needs, and what to do if not."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from harness.cli.common import CONTEXT, examples, format_option
from harness.cli.printing import show
from harness.report.content import Content

if TYPE_CHECKING:
    from harness.drivers.checkup.check import Check

COLUMNS = ("name", "check", "state", "found", "reason")
ALL_COLUMNS = (
    "name",
    "check",
    "state",
    "found",
    "reason",
    "kind",
    "address",
    "model",
    "soc",
    "os",
    "abi",
    "delegates",
)
"""What `harness devices` says of the device stands beside each check where there is room for it."""


@click.command(
    "doctor",
    context_settings=CONTEXT,
    epilog=examples(
        "harness doctor                       this computer and every phone that is attached",
        "harness doctor --device 0A1B2C3D     one phone",
        "harness doctor --device ssh://pi@raspberrypi.local    a board on the network",
        "harness doctor --format json         the same for a script",
    ),
)
@click.option(
    "--device",
    "-d",
    "devices",
    multiple=True,
    metavar="DEVICE",
    help="A profile, a serial, adb:HOST:PORT, ssh://USER@HOST or all-android. [default: every phone that is attached]",
)
@click.option(
    "--output",
    metavar="DIR",
    help="The folder that the results shall go to. [default: where `harness run` puts them]",
)
@format_option()
@click.pass_context
def command(ctx: click.Context, devices: tuple[str, ...], output: str | None, format_: str) -> None:
    """Check everything that a run needs, and say what to do about what is missing.

    Exit status 1 when something failed that a run cannot do without; a warning does not count.
    """
    checks = _checks(ctx.obj, devices, Path(output) if output else None)
    show(Content([_row(check) for check in checks], ALL_COLUMNS, in_table=COLUMNS), format_)
    from harness.drivers.checkup.check import State

    if any(check.state == State.FAILED for check in checks):
        ctx.exit(1)


def _checks(workspace: str | None, devices: tuple[str, ...], output: Path | None) -> list[Check]:
    from harness.drivers.checkup.checkup import check_device, check_phones
    from harness.drivers.checkup.host import check_host
    from harness.errors import WorkspaceError
    from harness.workspace import find_workspace

    checks = list(check_host(lambda: find_workspace(workspace), output))
    try:
        place = find_workspace(workspace)
    except WorkspaceError:
        return checks
    if not devices:
        return [*checks, *check_phones(place)]
    return [*checks, *(check for text in devices for check in check_device(text, place))]


def _row(check: Check) -> dict[str, Any]:
    told = asdict(check.info) if check.info else {}
    return {
        **{name: told.get(name) for name in ALL_COLUMNS},
        "name": check.device,
        "check": check.check,
        "state": str(check.state),
        "found": check.found,
        "reason": check.reason,
    }
