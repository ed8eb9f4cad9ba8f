"""`harness worker`: offer this computer's devices to a farm."""

from __future__ import annotations

import platform
import re
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from harness.cli.common import CONTEXT, PATH, examples
from harness.cli.printing import note, warn
from harness.cli.types import Place
from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.farm.host import Host

DEFAULT_ADDRESS = "127.0.0.1:8786"


@click.command(
    "worker",
    context_settings=CONTEXT,
    epilog=examples(
        "harness worker                                  join the scheduler on this computer",
        "harness worker --with-scheduler                 the same, and start it: a farm of one host",
        "harness worker rack1:8786 --name rack7          join a lab's scheduler",
        "harness worker rack1 --device pi-4              offer a device on the network, too",
        "harness worker tls://rack1 --tls-ca ca.pem --tls-cert rack7.pem --tls-key rack7.key",
    ),
)
@click.argument("address", default=DEFAULT_ADDRESS, metavar="[ADDRESS]")
@click.option("--name", metavar="NAME", help="What this host is called on the farm. [default: its host name]")
@click.option(
    "-d",
    "--device",
    "devices",
    multiple=True,
    metavar="DEVICE",
    help="Offer this device on the network, too: a profile, ssh://… or adb:HOST:PORT; may be repeated. "
    "[default: what is attached]",
)
@click.option("--with-scheduler", is_flag=True, help="Start the scheduler at ADDRESS, too.")
@click.option(
    "--dashboard",
    metavar="HOST:PORT",
    default="127.0.0.1:8787",
    show_default=True,
    help="Where that scheduler shows Dask's dashboard; '' for nowhere.",
)
@click.option(
    "--listen",
    metavar="HOST",
    help="This host's own address, where it is not found by itself. [default: found]",
)
@click.option("--folder", type=PATH, help="For files of runs. [default: in the cache]")
@click.option("--tls-ca", type=Place(), help="The authority that signed both sides (PEM). [default: no TLS]")
@click.option("--tls-cert", type=Place(), help="This side's certificate (PEM). [default: no TLS]")
@click.option("--tls-key", type=Place(), help="This side's key (PEM). [default: no TLS]")
@click.pass_context
def command(
    ctx: click.Context,
    address: str,
    name: str | None,
    devices: tuple[str, ...],
    with_scheduler: bool,
    dashboard: str,
    listen: str | None,
    folder: Path | None,
    tls_ca: str | None,
    tls_cert: str | None,
    tls_key: str | None,
) -> None:
    """Join the Dask scheduler at ADDRESS and offer the devices attached here, until Ctrl-C.

    This computer, phones on USB or of an adb server, and TPUs are offered by themselves; what is plugged in or out
    meanwhile is noticed. A lost scheduler is joined again. ADDRESS is HOST[:PORT] (default: 127.0.0.1:8786).
    """
    from harness.bench.request import Tls
    from harness.farm.security import check_installed, full_address, make_security, why_unsafe

    check_installed()
    from harness.farm.join import Membership, serve

    tls = Tls(ca=tls_ca, cert=tls_cert, key=tls_key)
    full = full_address(address, tls)
    make_security(tls)
    warning = why_unsafe(full, tls)
    if warning is not None:
        warn(warning)
    host = _host(ctx.obj, name or _host_name(), devices, folder)
    note(f"joining {full} as {host.name}; Ctrl-C ends it")
    serve(host, Membership(full, tls, listen, with_scheduler, dashboard), note)


def _host(workspace: str | None, name: str, devices: tuple[str, ...], folder: Path | None) -> Host:
    from harness.cards import cache_folder
    from harness.farm.attached import DriverDeviceFinder
    from harness.farm.host import Host
    from harness.workspace import find_workspace

    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise UsageError(f"--name: found {name!r}, expected letters, digits, '.', '_' and '-'")
    return Host(
        name, DriverDeviceFinder(name, find_workspace(workspace), devices), folder or cache_folder() / "farm"
    )


def _host_name() -> str:
    found = re.sub(r"[^A-Za-z0-9._-]+", "-", platform.node().partition(".")[0]).strip("-._")
    return found or "host"
