"""The shell around the worker on a device: a folder of its own, and the machine before and after.

The folder holds links, since LiteRT looks for accelerators in the folder of its library and files are kept by content
in folders of their own. It names the shell that made it, so that the next run removes what a shell left that is no
more, and never what one still works in, however long that takes. What is told of the machine comes with the worker's
standard error, in lines that are marked, so a warm cell takes no further round trip.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from harness.bench.engines.native.scripts import GAUGE_S, STATE_FUNCTIONS, read_report
from harness.native.protocol import OWN
from harness.records.telemetry import MachineState, Telemetry

AROUND = (
    r"""
w=$1 token=$2 n=$3; shift 3
trap 'cd /; rm -rf "$w"' EXIT
trap 'exit 129' HUP INT TERM
mkdir -p "$w/lib" && cd "$w" && echo $$ > pid || exit 97
for d in "${w%/*}"/*; do
  if read -r p < "$d/pid"; then [ -d "/proc/$p" ] || rm -rf "$d"
  elif [ -n "$(find "$d" -maxdepth 0 -mmin +720)" ]; then rm -rf "$d"; fi
done 2>/dev/null
"""
    + STATE_FUNCTIONS
    + r"""
mark() { while IFS= read -r line; do echo "__OWN__$line"; done >&2; }
[ "$n" -eq 0 ] || export LD_LIBRARY_PATH="$w/lib"
libraries=$n; link "$@"; shift "$libraries"
export TMPDIR="$w"
[ -z "$token" ] || state before | mark
if [ -n "${HARNESS_GAUGE_S:-}" ]; then : > watching; watch "$HARNESS_GAUGE_S" </dev/null >/dev/null 2>&1 & fi
"$@"
code=$?
[ -z "$token" ] || state after | mark
if [ -e watching ]; then rm -f watching; { say gauge; cat battery.txt 2>/dev/null; } | mark; fi
exit "$code"
""".replace("__OWN__", OWN)
)
"""Takes a folder, a token (empty where nothing is told of the machine), how many libraries there are, and these; then
the command. A folder without a pid is one that is being made, unless it is old."""


def around(folder: str, token: str, libraries: Sequence[str], command: Sequence[str]) -> list[str]:
    """Return the command line of a command in a folder of its own.

    Args:
        folder: It is made, and removed however the command ends.
        token: Marks what is told of the machine; empty for nothing.
        libraries: They are linked into `lib` there, where the loader looks.
        command: What is run.
    """
    return ["sh", "-c", AROUND, "sh", folder, token, str(len(libraries)), *libraries, *command]


def gauge(seconds: float | None) -> dict[str, str]:
    """Have a phone's battery watched, every second, while a sustained load of so many seconds runs."""
    return {} if seconds is None else {GAUGE_S: "1"}


def with_machine(told: Telemetry, log: str, token: str) -> Telemetry:
    """Add what the shell told of the machine to what the worker told itself, which is nearer to the inferences."""
    lines = (line[len(OWN) :] for line in log.splitlines() if line.startswith(OWN))
    shell = read_report("\n".join(lines), token).telemetry
    return replace(
        told,
        before=_joined(told.before, shell.before),
        after=_joined(told.after, shell.after),
        governor=shell.governor,
        power=shell.power,
    )


def _joined(own: MachineState | None, shell: MachineState | None) -> MachineState | None:
    if own is None or shell is None:
        return own or shell
    return replace(
        own,
        mhz=shell.mhz if own.mhz is None else own.mhz,
        celsius=shell.celsius if own.celsius is None else own.celsius,
        firmware_flags=shell.firmware_flags,
        battery=shell.battery,
    )
