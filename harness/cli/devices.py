"""`harness devices`: what can be measured on."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict
from typing import Any

import rich_click as click

from harness import units
from harness.bench.request import FarmChoice, with_farm
from harness.cli.common import CONTEXT, examples, format_option
from harness.cli.farm_options import farm_options
from harness.cli.printing import Loudness, loudness, note, show
from harness.drivers.base import DeviceInfo
from harness.errors import UsageError
from harness.report.content import Content, Form
from harness.workspace import Workspace, find_workspace

COLUMNS = ("name", "kind", "address", "state", "model", "soc", "os", "abi", "delegates", "reason")
CLEAN_COLUMNS = ("name", "freed_bytes")
FARM_COLUMNS = (*COLUMNS, "host", "kinds")
"""A device of a farm has a host, and kinds for `any:KIND`."""


@click.command(
    "devices",
    context_settings=CONTEXT,
    epilog=examples(
        "harness devices                 what there is, and why something is not ready",
        "harness devices --format json   the same for a script",
        "harness devices --scheduler rack1:8786   the devices of a farm, with their hosts",
        "harness devices --clean SERIAL  remove what the harness keeps and left on a phone or board",
    ),
)
@click.option(
    "--clean",
    metavar="DEVICE",
    help="Remove what the harness keeps and left on a phone or board. [default: remove nothing]",
)
@click.option("--yes", is_flag=True, help="With --clean: do not ask.")
@farm_options
@format_option()
@click.pass_context
def command(ctx: click.Context, /, format_: str, clean: str | None, yes: bool, **farm: str | None) -> None:
    """List the devices that can be reached, and why others cannot.

    Every profile in devices/ is tried; a device that does not answer is listed with the reason. With --scheduler, the
    devices of a farm: `host` is where each is attached, `kinds` what `any:KIND` finds it by.
    """
    if clean is not None:
        _clean(clean, find_workspace(ctx.obj), yes=yes, format_=format_)
        return
    if farm["scheduler"] is not None:
        from harness.farm.session import list_farm

        rows = list_farm(with_farm(FarmChoice(), farm))
        _emit(rows, FARM_COLUMNS, format_)
        return
    from harness.drivers.registry import list_devices

    workspace = find_workspace(ctx.obj)
    found = list_devices(workspace)
    _emit([{name: asdict(device)[name] for name in COLUMNS} for device in found], COLUMNS, format_)
    if format_ == "table":
        _say_what_is_absent(found, workspace)


def _say_what_is_absent(found: Sequence[DeviceInfo], workspace: Workspace) -> None:
    """Say on stderr what kinds of devices are not there, and with --verbose each profile that nothing answered for."""
    from harness.drivers.absent import absences, silent_profiles

    for text in absences(found):
        note(text)
    silent = list(silent_profiles(found, workspace))
    if loudness() is Loudness.VERBOSE:
        for text in silent:
            note(text)
    elif silent:
        note(f"{len(silent)} profiles of devices that are not there; --verbose names each")


def _clean(text: str, workspace: Workspace, *, yes: bool, format_: str) -> None:
    """Remove what the harness keeps on a device, after asking, and say what that freed."""
    from harness.drivers.registry import find_device

    _, device = find_device(text, workspace)
    with closing(device):
        clean = getattr(device, "clean", None)
        if clean is None:
            raise UsageError(f"device {text!r}: nothing is kept on it; --clean is for phones and boards")
        if not yes and not _agreed(device.name):
            raise UsageError("nothing was removed: --clean asks first, and --yes answers it")
        freed = clean()
    rows = [{"name": device.name, "freed_bytes": freed}]
    note(f"{device.name}: freed {units.size(freed)}")
    if format_ != "table":
        _emit(rows, CLEAN_COLUMNS, format_)


def _agreed(name: str) -> bool:
    question = f"Remove the models, tools and folders of runs that the harness keeps on {name}?"
    return sys.stdin.isatty() and click.confirm(question, err=True)


def _emit(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], format_: str) -> None:
    """Print devices; a terminal gets the reasons as sentences below the table."""

    def table() -> Form:
        from harness.report.device_table import device_table

        return device_table(rows)

    show(Content(rows, columns, own={"table": table}), format_)
