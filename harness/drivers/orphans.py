"""Processes on a device that outlive whoever started them: their marks, the search for them, their end.

Everything started on a device carries a marker in its environment: which computer, which process of it, and which
run. So what a killed or disconnected harness left behind is found, and what a living one is measuring is not touched.
A command may also be watched: it ends by itself soon after the harness fell silent.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shlex
import uuid
from collections.abc import Iterable
from pathlib import Path

from harness.drivers.shell import MARKER

BEAT_S = 2.0
"""A watched command is sent a line this often."""
SILENCE_S = 8
"""A device that hears nothing for so long ends the command, where its shell can tell the time (`read -t`)."""


def new_marker() -> str:
    """Return a marker for one run: `COMPUTER:PID:RUN`."""
    return f"{_computer()}:{os.getpid()}:{uuid.uuid4().hex}"


def _computer() -> str:
    """Identify this computer since its last start, and the space that its process ids belong to."""
    parts = [platform.node()]
    for path in ("/proc/sys/kernel/random/boot_id", "/proc/self/ns/pid"):
        try:
            parts.append(str(Path(path).readlink()) if "ns" in path else Path(path).read_text())
        except OSError:
            parts.append("")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def is_orphan(marker: str) -> bool:
    """Return whether a marker belongs to a process of this computer that is no more."""
    computer, _, rest = marker.partition(":")
    pid = rest.partition(":")[0]
    if computer != _computer() or not pid.isdigit() or int(pid) == os.getpid():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


LIST_SCRIPT = f"cat /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n' | grep ^{MARKER}= | sort -u"
"""Prints the markers of everything that runs on the device."""


def parse_list(text: str) -> list[str]:
    """Read what `LIST_SCRIPT` printed."""
    return [line.partition("=")[2] for line in text.splitlines() if line.startswith(f"{MARKER}=")]


def kill_script(markers: Iterable[str], pids: Iterable[int] = ()) -> str:
    """Write a script that kills every process with one of the markers and the groups of `pids`.

    It looks again until nothing is found: a process may be forking at the moment it is looked for.
    """
    groups = "\n".join(f"kill -s KILL -- -{pid} 2>/dev/null || kill -9 -{pid} 2>/dev/null" for pid in pids)
    wanted = " ".join(f"-e {shlex.quote(f'{MARKER}={marker}')}" for marker in markers)
    return f"""{groups}
i=0
while [ $i -lt 8 ]; do
  p=
  for f in $(grep -lsF {wanted} /proc/[0-9]*/environ 2>/dev/null); do f=${{f#/proc/}}; p="$p ${{f%/environ}}"; done
  [ -z "$p" ] && break
  kill -9 $p 2>/dev/null
  i=$((i+1))
done
exit 0"""


def watched_script(script: str, marker: str) -> str:
    """Write a script that runs another one, and kills it and all it started when its own input ends or falls silent.

    The input ends with the connection. Over USB nothing says that the other side is gone, nor where a network breaks
    down: there the lines that the harness sends fail to come. mksh, bash and BusyBox can wait for a limited time; dash
    cannot, and takes the end of its input only.

    Args:
        script: What is run, with an empty input; it ends with the exit code that counts.
        marker: The run's marker, in the environment of everything that the script starts.
    """
    return f"""exec 3>&2 4<&0 2>/dev/null </dev/null
( trap '' HUP; exec >/dev/null 3>&-
if (read -t 1 x); [ $? -ne 2 ]; then while read -t {SILENCE_S} -r x <&4; do :; done
else while read -r x <&4; do :; done; fi
kill -9 $$
( {kill_script([marker])} )
kill -9 -$$ ) &
w=$!
( exec 2>&3 3>&- 4<&-
{script} )
c=$?
kill -9 $w
exit $c"""
