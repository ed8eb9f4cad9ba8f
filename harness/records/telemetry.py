"""The machine around one process that measured, as it stands in a record. What is unknown is None and not written.

Version 0.1 wrote the same keys from free dictionaries, so its records are read here too; keys that nobody knows are
passed over, as everywhere in a record.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

Whole = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""A whole number that tables and arrays can hold; a record with a larger one is damaged."""


class Sparse(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of what is written without its unknown fields."""


class Battery(Sparse, frozen=True, kw_only=True, omit_defaults=True):
    """A phone's battery in the words of Linux: tenths of a degree, percent, and whether it is charged."""

    temp: str | None = None
    capacity: str | None = None
    status: str | None = None


class PowerSample(Sparse, frozen=True, kw_only=True, omit_defaults=True):
    """What a phone's fuel gauge says at one moment of its uptime; `discharging` where nothing gives it power."""

    at_s: float
    discharging: bool = False
    charge_uah: Whole | None = None
    current_ua: Whole | None = None
    voltage_uv: Whole | None = None


class MachineState(Sparse, frozen=True, kw_only=True, omit_defaults=True):
    """The machine at one moment.

    Attributes:
        probe_ns: What a fixed piece of arithmetic took, so that a clock that was turned down shows.
        mhz: The fastest clock of its cores.
        celsius: Its hottest thermal zone.
        firmware_flags: What the firmware of a Raspberry Pi says of its clock (`harness.firmware`).
        battery: A phone's.
    """

    probe_ns: Whole | None = None
    mhz: float | None = None
    celsius: float | None = None
    firmware_flags: Whole | None = None
    battery: Battery | None = None


_UNKNOWN = MachineState()


class AfterOtherModel(msgspec.Struct, frozen=True, kw_only=True):
    """Inferences right after one of another model, which is named."""

    model: str
    durations_ns: tuple[Whole, ...]


class Telemetry(Sparse, frozen=True, kw_only=True, omit_defaults=True):
    """The machine around one process.

    Attributes:
        before: Before the first inference.
        other_load: CPU cores that other programs used meanwhile.
        after: After the last inference.
        governor: Of the first CPU.
        on_battery: Whether the machine ran on its battery; None where it has none.
        after_other_model: What switching models costs, where that was asked for.
        start_celsius: The temperature that it started at, where it was to be cool; None without a thermometer, unset
            where it was not looked at.
        cooled_s: How long was waited for that.
        fastest_probe_ns: The shortest probe of the device in this run so far.
        power: The battery's gauge meanwhile, where a phone was watched.
    """

    before: MachineState | None = None
    other_load: float | None = None
    after: MachineState | None = None
    governor: str | None = None
    on_battery: bool | None = None
    after_other_model: AfterOtherModel | None = None
    start_celsius: float | UnsetType | None = UNSET
    cooled_s: float | None = None
    fastest_probe_ns: Whole | None = None
    power: tuple[PowerSample, ...] = ()

    @property
    def states(self) -> tuple[MachineState, MachineState]:
        """Before and after; of what was not looked at everything is unknown."""
        return self.before or _UNKNOWN, self.after or _UNKNOWN
