"""What a phone tells of itself: one script, and the facts read from what it prints.

Every tool may be missing, refuse to answer or answer in a vendor's own way: what is not understood is unknown, never
an error and never a guess.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

_BEGIN = 's() { echo "@@$1"; }'
_CPU = r"""s cpu; for c in /sys/devices/system/cpu/cpu[0-9]*; do
  f=$c/cpufreq; m=-; n=-; g=-
  [ -r $f/cpuinfo_max_freq ] && read m <$f/cpuinfo_max_freq
  [ -r $f/scaling_cur_freq ] && read n <$f/scaling_cur_freq
  [ -r $f/scaling_governor ] && read g <$f/scaling_governor
  echo "${c##*/cpu} $m $n $g"; done"""
_BATTERY = "s battery; dumpsys battery 2>/dev/null"
_THERMAL = "s thermal; dumpsys thermalservice 2>/dev/null"
_POWER = "s power; dumpsys power 2>/dev/null | grep -E 'mWakefulness=|Display Power|mScreenOn='"
_PROPERTIES = "s getprop; getprop 2>/dev/null"
_LINUX = r"""s uname; uname -srm 2>/dev/null
s release; cat /etc/os-release 2>/dev/null
s memory; cat /proc/meminfo 2>/dev/null
s cpuinfo; grep -iE '^(hardware|model name)' /proc/cpuinfo 2>/dev/null | sort -u
s tools; for t in taskset sha256sum md5sum setsid; do command -v $t >/dev/null 2>&1 && echo $t; done"""
_ANDROID = r"""s gpu; dumpsys SurfaceFlinger 2>/dev/null | grep -m1 GLES
cat /sys/class/kgsl/kgsl-3d0/gpu_model 2>/dev/null
s root; command -v su 2>/dev/null; id -u
s space; stat -f -c '%a %S' /data/local/tmp 2>/dev/null || stat -f -c '%a %S' /tmp 2>/dev/null"""
HEALTH_SCRIPT = "\n".join([_BEGIN, _CPU, _BATTERY, _THERMAL, _POWER, "s end"])
"""What changes while things run; prints sections that begin with a line `@@NAME`."""
SCRIPT = "\n".join([_BEGIN, _PROPERTIES, _LINUX, _ANDROID, _CPU, _BATTERY, _THERMAL, _POWER, "s end"])
"""Everything."""
LINUX_SCRIPT = "\n".join([_BEGIN, _LINUX, _CPU])
"""What every Linux can tell; sections may follow."""

THERMAL = ("none", "light", "moderate", "severe", "critical", "emergency", "shutdown")
"""android.os.PowerManager.THERMAL_STATUS_*"""
CHARGING = {"2": "yes", "3": "no", "4": "no", "5": "full"}
"""android.os.BatteryManager.BATTERY_STATUS_*"""


@dataclass(frozen=True)
class Core:
    """One CPU core. Unknown is None."""

    index: int
    max_khz: int | None
    now_khz: int | None = None
    governor: str | None = None


@dataclass(frozen=True)
class Health:
    """What changes while things run. Unknown is None.

    Attributes:
        battery_percent: State of charge.
        battery_temperature_c: Temperature of the battery, degrees Celsius.
        charging: `yes`, `no` or `full`.
        thermal_status: One of `THERMAL`.
        hottest_c: The hottest of the sensors that the thermal service reports (skin, CPU, GPU …).
        screen_on: Whether the screen is on.
        governor: The governor of the fastest cores.
        now_mhz: Frequency of each core now.
    """

    battery_percent: int | None = None
    battery_temperature_c: float | None = None
    charging: str | None = None
    thermal_status: str | None = None
    hottest_c: float | None = None
    screen_on: bool | None = None
    governor: str | None = None
    now_mhz: tuple[int, ...] = ()


@dataclass(frozen=True)
class PhoneFacts:
    """What a phone tells of itself. Unknown is None."""

    serial: str | None = None
    manufacturer: str | None = None
    model: str | None = None
    soc: str | None = None
    android: str | None = None
    api_level: int | None = None
    abi: str | None = None
    build: str | None = None
    system: str | None = None
    kernel: str | None = None
    cores: tuple[Core, ...] = ()
    gpu: str | None = None
    memory_mb: int | None = None
    free_mb: int | None = None
    root: str | None = None
    tools: tuple[str, ...] = ()
    health: Health = Health()

    @property
    def is_android(self) -> bool:
        """Whether it said so itself."""
        return self.api_level is not None


def sections(text: str) -> dict[str, str]:
    """Cut the output of a script at its `@@NAME` lines."""
    parts = re.split(r"^@@(\w+)\r?\n", text.replace("\r\n", "\n"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=False))


def parse(text: str) -> PhoneFacts:
    """Read what `SCRIPT` printed."""
    part = sections(text)
    props = dict(re.findall(r"^\[([^\]]+)\]: \[(.*)\]$", part.get("getprop", ""), re.MULTILINE))
    release = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', part.get("release", ""), re.MULTILINE))
    uname = part.get("uname", "").split()
    return PhoneFacts(
        serial=_first(props, "ro.serialno", "ro.boot.serialno"),
        manufacturer=_first(props, "ro.product.manufacturer", "ro.product.vendor.manufacturer"),
        model=_first(props, "ro.product.model", "ro.product.vendor.model"),
        soc=_soc(props) or _hardware(part.get("cpuinfo", "")),
        android=_first(props, "ro.build.version.release"),
        api_level=_whole(props.get("ro.build.version.sdk")),
        abi=_first(props, "ro.product.cpu.abi") or (uname[-1] if uname else None),
        build=_first(props, "ro.build.fingerprint"),
        system=release.get("PRETTY_NAME"),
        kernel=" ".join(uname[:2]) or None,
        cores=parse_cores(part.get("cpu", "")),
        gpu=_gpu(part.get("gpu", "")),
        memory_mb=_memory_mb(part.get("memory", "")),
        free_mb=free_mb(part.get("space", "")),
        root=_root(part.get("root", "")),
        tools=tuple(part.get("tools", "").split()),
        health=parse_health(text),
    )


def parse_health(text: str) -> Health:
    """Read what `SCRIPT` or `HEALTH_SCRIPT` printed."""
    part = sections(text)
    battery = dict(re.findall(r"^\s*([\w ]+): (\S+)\s*$", part.get("battery", ""), re.MULTILINE))
    tenths = _whole(battery.get("temperature"))
    level, scale = _whole(battery.get("level")), _whole(battery.get("scale")) or 100
    cores = parse_cores(part.get("cpu", ""))
    fastest = max(cores, key=lambda core: core.max_khz or 0, default=None)
    return Health(
        battery_percent=None if level is None else round(100 * level / scale),
        battery_temperature_c=None if tenths is None else tenths / 10,
        charging=CHARGING.get(battery.get("status", "")),
        thermal_status=_thermal(part.get("thermal", "")),
        hottest_c=_hottest(part.get("thermal", "")),
        screen_on=_screen_on(part.get("power", "")),
        governor=fastest.governor if fastest else None,
        now_mhz=tuple(round(core.now_khz / 1000) for core in cores if core.now_khz is not None),
    )


def parse_cores(text: str) -> tuple[Core, ...]:
    """Read lines `INDEX MAX_KHZ NOW_KHZ GOVERNOR` with `-` for unknown."""
    found = re.findall(r"^(\d+) (\S+) (\S+) (\S+)$", text, re.MULTILINE)
    cores = [Core(int(i), _whole(most), _whole(now), None if g == "-" else g) for i, most, now, g in found]
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


def mask(cores: tuple[int, ...]) -> str | None:
    """Return the mask of some cores as `taskset` takes it: hexadecimal, the lowest bit is core 0."""
    return f"{sum(1 << core for core in cores):x}" if cores else None


def _first(props: Mapping[str, str], *names: str) -> str | None:
    return next((props[name].strip() for name in names if props.get(name, "").strip()), None)


def _soc(props: Mapping[str, str]) -> str | None:
    model = _first(props, "ro.soc.model")
    if model:
        return " ".join(filter(None, [_first(props, "ro.soc.manufacturer"), model]))
    return _first(props, "ro.board.platform", "ro.hardware.chipname", "ro.hardware")


def _hardware(text: str) -> str | None:
    lines = sorted(text.splitlines(), key=lambda line: not line.lower().startswith("hardware"))
    return lines[0].partition(":")[2].strip() or None if lines else None


def _whole(text: str | None) -> int | None:
    return int(text) if text is not None and re.fullmatch(r"-?\d{1,15}", text.strip()) else None


def _gpu(text: str) -> str | None:
    lines = text.strip().splitlines()
    if not lines:
        return None
    gles = re.match(r"\s*GLES: *([^,]*), *([^,]*)", lines[0])
    return (gles[2].strip() if gles else lines[0].strip()) or None


def _memory_mb(text: str) -> int | None:
    total = re.search(r"^MemTotal:\s+(\d+) kB", text, re.MULTILINE)
    return round(int(total[1]) * 1024 / 1e6) if total else None


def free_mb(text: str) -> int | None:
    """Return the room in MB from `BLOCKS BYTES` as `stat -f -c '%a %S'` prints it."""
    blocks = [_whole(word) for word in text.split()]
    if len(blocks) != 2 or blocks[0] is None or blocks[1] is None:
        return None
    return blocks[0] * blocks[1] // 1_000_000


def _root(text: str) -> str | None:
    lines = text.split()
    if not lines:
        return None
    return "adbd runs as root" if lines[-1] == "0" else ("su is there" if len(lines) > 1 else "no")


def _thermal(text: str) -> str | None:
    status = re.search(r"^Thermal Status: (\d)$", text, re.MULTILINE)
    return THERMAL[int(status[1])] if status and int(status[1]) < len(THERMAL) else None


def _hottest(text: str) -> float | None:
    """The largest current temperature of the HAL (`Temperature{mValue=36.1, mType=3, mName=skin, …}`)."""
    current = text.partition("Current temperatures from HAL:")[2].partition("Current cooling")[0]
    values = _floats(re.findall(r"mValue=(-?[\d.]+)", current), lambda value: -40 < value < 150)
    return max(values, default=None)


def _floats(texts: list[str], keep: Callable[[float], bool]) -> list[float]:
    values = []
    for text in texts:
        try:
            value = float(text)
        except ValueError:
            continue
        if keep(value):
            values.append(value)
    return values


def _screen_on(text: str) -> bool | None:
    state = re.search(r"Display Power: state=(\w+)|mWakefulness=(\w+)|mScreenOn=(\w+)", text)
    if not state:
        return None
    return state[0].rpartition("=")[2].upper() in {"ON", "AWAKE", "TRUE"}
