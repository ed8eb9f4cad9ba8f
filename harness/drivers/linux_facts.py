"""Facts that every Linux has, on phones and boards: a part of a shell script, and what is read from its output.

Every tool may be missing, refuse to answer or answer in a vendor's own way: what is not understood is unknown, never
an error and never a guess.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

SCRIPT = r"""s() { echo "@@$1"; }
s uname; uname -srm 2>/dev/null
s release; cat /etc/os-release 2>/dev/null
s memory; cat /proc/meminfo 2>/dev/null
s cpuinfo; grep -iE '^(hardware|model name)' /proc/cpuinfo 2>/dev/null | sort -u
s tools; for t in taskset sha256sum md5sum setsid; do command -v $t >/dev/null 2>&1 && echo $t; done
s cpu; for c in /sys/devices/system/cpu/cpu[0-9]*; do
  f=$c/cpufreq; m=-; n=-; g=-
  [ -r $f/cpuinfo_max_freq ] && read m <$f/cpuinfo_max_freq
  [ -r $f/scaling_cur_freq ] && read n <$f/scaling_cur_freq
  [ -r $f/scaling_governor ] && read g <$f/scaling_governor
  echo "${c##*/cpu} $m $n $g"; done"""
"""Prints sections that begin with a line `@@NAME`; further ones may follow, begun with `s NAME`."""


@dataclass(frozen=True)
class Core:
    """One CPU core. Unknown is None."""

    index: int
    max_khz: int | None
    now_khz: int | None = None
    governor: str | None = None


@dataclass(frozen=True)
class LinuxFacts:
    """Facts that every Linux has. Unknown is None.

    Attributes:
        kernel: Its name and version.
        system: Name and version of the distribution.
        abi: The kernel's ABI.
        soc: Its processor.
        cores: The CPU cores.
        memory_mb: All of the memory.
        tools: Those of the tools that are there which a driver can make use of.
    """

    kernel: str | None = None
    system: str | None = None
    abi: str | None = None
    soc: str | None = None
    cores: tuple[Core, ...] = ()
    memory_mb: int | None = None
    tools: tuple[str, ...] = ()

    @property
    def governor(self) -> str | None:
        """The governor of the fastest cores."""
        fastest = max(self.cores, key=lambda core: core.max_khz or 0, default=None)
        return fastest.governor if fastest else None


def sections(text: str) -> dict[str, str]:
    """Cut the output of a script at its `@@NAME` lines."""
    parts = re.split(r"^@@(\w+)\r?\n", text.replace("\r\n", "\n"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=False))


def parse(text: str) -> LinuxFacts:
    """Read what `SCRIPT` printed."""
    part = sections(text)
    release = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', part.get("release", ""), re.MULTILINE))
    uname = part.get("uname", "").split()
    return LinuxFacts(
        kernel=" ".join(uname[:2]) or None,
        system=release.get("PRETTY_NAME"),
        abi=uname[-1] if uname else None,
        soc=_processor(part.get("cpuinfo", "")),
        cores=parse_cores(part.get("cpu", "")),
        memory_mb=_memory_mb(part.get("memory", "")),
        tools=tuple(part.get("tools", "").split()),
    )


def parse_cores(text: str) -> tuple[Core, ...]:
    """Read lines `INDEX MAX_KHZ NOW_KHZ GOVERNOR` with `-` for unknown."""
    found = re.findall(r"^(\d+) (\S+) (\S+) (\S+)$", text, re.MULTILINE)
    cores = [
        Core(int(i), parse_whole(most), parse_whole(now), None if g == "-" else g)
        for i, most, now, g in found
    ]
    return tuple(sorted(cores, key=lambda core: core.index))


def clusters(cores: tuple[Core, ...]) -> str | None:
    """Name the clusters by their fastest frequency, slowest first: `4x1766 MHz + 3x2419 MHz + 1x2841 MHz`."""
    speeds = [core.max_khz for core in cores if core.max_khz]
    if not speeds or len(speeds) < len(cores):
        return None
    return " + ".join(f"{speeds.count(khz)}x{round(khz / 1000)} MHz" for khz in sorted(set(speeds)))


def big_cores(cores: tuple[Core, ...]) -> tuple[int, ...]:
    """Return the cores of every cluster but the slowest; all of them where there is only one; () if unknown."""
    speeds = {core.index: core.max_khz for core in cores if core.max_khz}
    if not speeds or len(speeds) < len(cores):
        return ()
    slowest = min(speeds.values())
    return tuple(i for i, khz in speeds.items() if khz > slowest) or tuple(speeds)


def taskset_mask(cores: tuple[int, ...]) -> str | None:
    """Return the mask of some cores as `taskset` takes it: hexadecimal, the lowest bit is core 0."""
    return f"{sum(1 << core for core in cores):x}" if cores else None


def core_facts(facts: LinuxFacts) -> dict[str, str | int | float | None]:
    """Return the kernel and the CPU cores as a device's description names them."""
    big = big_cores(facts.cores)
    return {
        "kernel": facts.kernel,
        "cores": len(facts.cores) or None,
        "cpu_clusters": clusters(facts.cores),
        "big_cores": len(big) or None,
        "big_core_mask": taskset_mask(big),
    }


def known_only(facts: Mapping[str, str | int | float | None]) -> dict[str, str | int | float]:
    """Return the facts that are known: an absent key is an unknown fact."""
    return {key: value for key, value in facts.items() if value is not None}


def parse_whole(text: str | None) -> int | None:
    """Read a whole number; None for anything else."""
    return int(text) if text is not None and re.fullmatch(r"-?\d{1,15}", text.strip()) else None


def free_mb(text: str) -> int | None:
    """Return the room in MB from `BLOCKS BYTES` as `stat -f -c '%a %S'` prints it."""
    blocks = [parse_whole(word) for word in text.split()]
    if len(blocks) != 2 or blocks[0] is None or blocks[1] is None:
        return None
    return blocks[0] * blocks[1] // 1_000_000


def _processor(text: str) -> str | None:
    lines = sorted(text.splitlines(), key=lambda line: not line.lower().startswith("hardware"))
    return lines[0].partition(":")[2].strip() or None if lines else None


def _memory_mb(text: str) -> int | None:
    total = re.search(r"^MemTotal:\s+(\d+) kB", text, re.MULTILINE)
    return round(int(total[1]) * 1024 / 1e6) if total else None
