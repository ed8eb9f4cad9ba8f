"""Facts about a Linux board: one script, and what is read from its output.

A board adds to what every Linux has its device tree, the flags of the Raspberry Pi's firmware, and the Python with its
TFLite runtime.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.delegates import BUSES, CPU, CPU_REFERENCE, EDGETPU
from harness.drivers import linux_facts
from harness.drivers.base import DeviceInfo
from harness.drivers.device_python import PROBE, DevicePython, parse_python
from harness.drivers.linux_facts import LinuxFacts, core_facts, known_only
from harness.firmware import READ_FLAGS, describe_flags, parse_flags
from harness.text import clean

_EDGETPU = r"""s edgetpu; for d in /sys/bus/usb/devices/*; do
  [ -r $d/idVendor ] && read v <$d/idVendor && read p <$d/idProduct && case $v:$p in
  1a6e:089a|18d1:9302) echo usb;; esac; done 2>/dev/null
for d in /sys/bus/pci/devices/*; do
  [ -r $d/vendor ] && read v <$d/vendor && read p <$d/device && case $v:$p in
  0x1ac1:0x089a) echo pci;; esac; done 2>/dev/null"""


def script(root: str, python: str) -> str:
    """Write the script; it prints sections that begin with a line `@@NAME`.

    Args:
        root: The folder whose file system is looked at for room.
        python: The Python to ask.
    """
    where, interpreter = shlex.quote(root), shlex.quote(python)
    return f"""{linux_facts.SCRIPT}
s tree; tr '\\0' '\\n' </proc/device-tree/model 2>/dev/null; echo
s compatible; tr '\\0' '\\n' </proc/device-tree/compatible 2>/dev/null; echo
s bits; getconf LONG_BIT 2>/dev/null
s celsius; cat /sys/class/thermal/thermal_zone*/temp 2>/dev/null
s firmware; {READ_FLAGS}
{_EDGETPU}
s room; d={where}; while [ ! -d "$d" ] && [ "$d" != / ]; do d=$(dirname "$d"); done; stat -f -c '%a %S' "$d" 2>/dev/null
s python; {interpreter} -c {shlex.quote(PROBE)} 2>/dev/null
s end
exit 0"""


@dataclass(frozen=True)
class BoardFacts:
    """Facts about a board. Unknown is None.

    Attributes:
        linux: Those that every Linux has.
        tree: Its name in its device tree.
        compatible: What the device tree says it is compatible with, the board first and its processor last.
        bits: Word size of its programs: a 64-bit kernel may carry a 32-bit system.
        hottest_c: The hottest thermal zone, degrees Celsius.
        flags: The bits of the Raspberry Pi's firmware (`harness.firmware`).
        edgetpus: `usb` or `pci` for each Coral Edge TPU that is plugged in.
        free_mb: Room for what is pushed.
        python: Its Python.
    """

    linux: LinuxFacts
    tree: str | None = None
    compatible: tuple[str, ...] = ()
    bits: int | None = None
    hottest_c: float | None = None
    flags: int | None = None
    edgetpus: tuple[str, ...] = ()
    free_mb: int | None = None
    python: DevicePython = field(default_factory=DevicePython)

    @property
    def abi(self) -> str | None:
        """ABI of its programs."""
        if self.linux.abi == "aarch64" and self.bits == 32:
            return "armv7l"
        return self.linux.abi

    @property
    def soc(self) -> str | None:
        """Its processor: `brcm,bcm2712` of the device tree, or what /proc/cpuinfo calls it."""
        return (self.compatible[-1] if self.compatible else None) or self.linux.soc


def parse(text: str) -> BoardFacts:
    """Read what the script printed."""
    part = linux_facts.sections(text)
    tree = part.get("tree", "").strip()
    bits = part.get("bits", "").strip()
    return BoardFacts(
        linux=linux_facts.parse(text),
        tree=clean(tree).strip() or None,
        compatible=tuple(
            clean(line).strip() for line in part.get("compatible", "").split("\n") if line.strip()
        ),
        bits=int(bits) if bits in {"32", "64"} else None,
        hottest_c=_hottest(part.get("celsius", "")),
        flags=parse_flags(part.get("firmware", "")),
        edgetpus=tuple(word for word in part.get(EDGETPU, "").split() if word in BUSES),
        free_mb=linux_facts.free_mb(part.get("room", "")),
        python=parse_python(part.get("python", "")),
    )


def _hottest(text: str) -> float | None:
    """Return the hottest zone: they count in thousandths of a degree, a few in degrees, and 0 or nonsense when off."""
    found = [int(word) for word in re.findall(r"^\d{1,7}$", text, re.MULTILINE)]
    celsius = [t / 1000 if t >= 1000 else float(t) for t in found if 0 < t < 150_000]
    return max(celsius, default=None)


def describe_board(name: str, address: str, facts: BoardFacts) -> DeviceInfo:
    """Describe a board by its facts."""
    problem = facts.python.why_unusable()
    reason = "" if problem is None else f"measured with benchmark_model: {problem}"
    return DeviceInfo(
        name=name,
        kind="ssh",
        address=address,
        model=facts.tree,
        soc=facts.soc,
        os=facts.linux.system or facts.linux.kernel,
        abi=facts.abi,
        delegates=(CPU, CPU_REFERENCE, *((EDGETPU,) if facts.edgetpus else ())),
        reason=reason,
        facts=known_only(_facts(facts)),
        python=facts.python,
    )


def _facts(facts: BoardFacts) -> Mapping[str, str | int | float | None]:
    version = facts.python.version
    return {
        **core_facts(facts.linux),
        "memory_mb": facts.linux.memory_mb,
        "free_mb": facts.free_mb,
        "tools": " ".join(facts.linux.tools) or None,
        "hottest_c": facts.hottest_c,
        "governor": facts.linux.governor,
        "firmware_flags": None if facts.flags is None else f"{facts.flags:#x}",
        "firmware_says": None if not facts.flags else "; ".join(describe_flags(facts.flags)),
        "edgetpus": " ".join(facts.edgetpus) or None,
        "python": None if version is None else ".".join(map(str, version)),
        "python_runtime": facts.python.runtime,
        "python_packages": ", ".join(f"{k} {v}" for k, v in facts.python.packages.items()) or None,
    }
