"""Facts about a phone: one script, and what is read from its output."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from harness.drivers import linux_facts
from harness.drivers.linux_facts import LinuxFacts, free_mb, parse_whole, sections

_ANDROID = r"""s getprop; getprop 2>/dev/null
s gpu; dumpsys SurfaceFlinger 2>/dev/null | grep -m1 GLES
cat /sys/class/kgsl/kgsl-3d0/gpu_model 2>/dev/null
s root; command -v su 2>/dev/null; id -u
s space; stat -f -c '%a %S' /data/local/tmp 2>/dev/null || stat -f -c '%a %S' /tmp 2>/dev/null
s battery; dumpsys battery 2>/dev/null
s thermal; dumpsys thermalservice 2>/dev/null
s power; dumpsys power 2>/dev/null | grep -E 'mWakefulness=|Display Power|mScreenOn='
s end"""
SCRIPT = f"{linux_facts.SCRIPT}\n{_ANDROID}"
"""Prints sections that begin with a line `@@NAME`."""

THERMAL = ("none", "light", "moderate", "severe", "critical", "emergency", "shutdown")
"""android.os.PowerManager.THERMAL_STATUS_*"""
CHARGING = {"2": "yes", "3": "no", "4": "no", "5": "full"}
"""android.os.BatteryManager.BATTERY_STATUS_*"""

MAKERS = {
    # maker: how it or its chips' numbers are written in properties, in /proc/cpuinfo and by its GPU's driver
    "Qualcomm": r"qualcomm|\bqcom\b|\bqti\b|snapdragon|adreno|\bmsm|\b(?:apq|sdm|sm|qcs|qcm|sxr|sda)\d",
    "MediaTek": r"mediatek|\bmt\d{4}",
    "Samsung": r"samsung|exynos|\bs5e\d{4}|xclipse",
    "Google": r"\bgoogle\b|\btensor\b|\bgs[12]01\b|\bzuma",
    "HiSilicon": r"hisilicon|kirin|\bhi\d{4}",
    "Unisoc": r"unisoc|spreadtrum|\b(?:ums|sc|sp)\d{4}",
    "NVIDIA": r"nvidia|tegra",
    "Rockchip": r"rockchip|\brk\d{4}",
    "Intel": r"\bintel\b",
}
"""Words that tell who made a processor. ARM and Imagination make GPUs for several, so those tell nothing."""


@dataclass(frozen=True)
class Health:
    """The state of a phone that changes while things run. Unknown is None.

    Attributes:
        battery_percent: State of charge.
        battery_temperature_c: Temperature of the battery, degrees Celsius.
        charging: `yes`, `no` or `full`.
        thermal_status: One of `THERMAL`.
        hottest_c: The hottest of the sensors that the thermal service reports (skin, CPU, GPU …).
        screen_on: Whether the screen is on.
    """

    battery_percent: int | None = None
    battery_temperature_c: float | None = None
    charging: str | None = None
    thermal_status: str | None = None
    hottest_c: float | None = None
    screen_on: bool | None = None


@dataclass(frozen=True)
class PhoneFacts(LinuxFacts):
    """Facts about a phone. Unknown is None.

    `soc_maker` is what the phone itself shows of who made its processor (see `_soc_maker`).
    """

    serial: str | None = None
    manufacturer: str | None = None
    model: str | None = None
    android: str | None = None
    api_level: int | None = None
    build: str | None = None
    gpu: str | None = None
    gpu_maker: str | None = None
    soc_maker: str | None = None
    free_mb: int | None = None
    root: str | None = None
    health: Health = Health()

    @property
    def is_android(self) -> bool:
        """Whether it said so itself."""
        return self.api_level is not None


def parse(text: str) -> PhoneFacts:
    """Read what `SCRIPT` printed."""
    part, linux = sections(text), linux_facts.parse(text)
    props = dict(re.findall(r"^\[([^\]]+)\]: \[(.*)\]$", part.get("getprop", ""), re.MULTILINE))
    return PhoneFacts(
        kernel=linux.kernel,
        system=linux.system,
        abi=_first(props, "ro.product.cpu.abi") or linux.abi,
        soc=_soc(props) or linux.soc,
        cores=linux.cores,
        memory_mb=linux.memory_mb,
        tools=linux.tools,
        serial=_first(props, "ro.serialno", "ro.boot.serialno"),
        manufacturer=_first(props, "ro.product.manufacturer", "ro.product.vendor.manufacturer"),
        model=_first(props, "ro.product.model", "ro.product.vendor.model"),
        android=_first(props, "ro.build.version.release"),
        api_level=parse_whole(props.get("ro.build.version.sdk")),
        build=_first(props, "ro.build.fingerprint"),
        gpu=_gpu(part.get("gpu", "")),
        gpu_maker=_gpu_maker(part.get("gpu", "")),
        soc_maker=_soc_maker(props, part.get("cpuinfo", ""), part.get("gpu", "")),
        free_mb=free_mb(part.get("space", "")),
        root=_root(part.get("root", "")),
        health=parse_health(part),
    )


def parse_health(part: Mapping[str, str]) -> Health:
    """Read the sections of the battery, the heat and the screen."""
    text = part.get("battery", "")
    # the first of a name counts: what makers add below may use it anew
    battery = dict(reversed(re.findall(r"^\s*([\w ]+): (\S+)\s*$", text, re.MULTILINE)))
    tenths = parse_whole(battery.get("temperature"))
    if (
        battery.get("present") == "false" or "UPDATES STOPPED" in text
    ):  # or set by hand (`dumpsys battery set`)
        battery, tenths = {}, None
    if tenths == 0 and parse_whole(battery.get("voltage")) == 0:
        tenths = None  # an emulator's zeros
    level, scale = parse_whole(battery.get("level")), parse_whole(battery.get("scale")) or 100
    return Health(
        battery_percent=None if level is None else round(100 * level / scale),
        battery_temperature_c=None if tenths is None else tenths / 10,
        charging=CHARGING.get(battery.get("status", "")),
        thermal_status=_thermal(part.get("thermal", "")),
        hottest_c=_hottest(part.get("thermal", "")),
        screen_on=_screen_on(part.get("power", "")),
    )


def _first(props: Mapping[str, str], *names: str) -> str | None:
    return next((props[name].strip() for name in names if props.get(name, "").strip()), None)


def _soc(props: Mapping[str, str]) -> str | None:
    model = _first(props, "ro.soc.model")
    if model:
        return " ".join(filter(None, [_first(props, "ro.soc.manufacturer"), model]))
    return _first(props, "ro.board.platform", "ro.hardware.chipname", "ro.hardware")


def _gpu(text: str) -> str | None:
    lines = text.strip().splitlines()
    if not lines:
        return None
    gles = re.match(r"\s*GLES: *([^,]*), *([^,]*)", lines[0])
    return (gles[2].strip() if gles else lines[0].strip()) or None


def _gpu_maker(text: str) -> str | None:
    gles = re.search(r"^\s*GLES: *([^,]+),", text, re.MULTILINE)
    return gles[1].strip() if gles else None


def _soc_maker(props: Mapping[str, str], cpuinfo: str, gpu: str) -> str | None:
    """Return who made the processor, by the first evidence that names one; None where none does.

    A code name of a board says nothing by itself: there are hundreds, and new ones each year.
    """
    hardware = re.search(r"^Hardware\s*: *(.+)$", cpuinfo, re.MULTILINE)
    evidence = (
        _first(props, "ro.soc.manufacturer"),
        _first(props, "ro.soc.model"),
        _first(props, "ro.hardware"),
        hardware[1] if hardware else None,
        _first(props, "ro.hardware.chipname"),
        _first(props, "ro.board.platform"),
        "" if (_gpu_maker(gpu) or "").startswith("Google") else gpu,  # an emulator's translator
    )
    return next((maker for text in evidence if text and (maker := _maker_in(text))), None)


def _maker_in(text: str) -> str | None:
    return next((maker for maker, pattern in MAKERS.items() if re.search(pattern, text, re.IGNORECASE)), None)


def _root(text: str) -> str | None:
    lines = text.split()
    if not lines:
        return None
    return "adbd runs as root" if lines[-1] == "0" else ("su is there" if len(lines) > 1 else "no")


def _thermal(text: str) -> str | None:
    """Return the status; None without a thermal HAL or under an override, where the number is no measurement."""
    if re.search(r"^\s*(?:HAL Ready: false|IsStatusOverride: true)\s*$", text, re.MULTILINE):
        return None
    status = re.search(r"^Thermal Status: (\d)$", text, re.MULTILINE)
    return THERMAL[int(status[1])] if status and int(status[1]) < len(THERMAL) else None


def _hottest(text: str) -> float | None:
    """Return the largest current temperature of the HAL (`Temperature{mValue=36.1, mType=3, mName=skin, …}`)."""
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
