"""Let a device cool down before each measurement.

Practice is to start at 37 °C or less (battery temperature, which every phone reports); a board has no battery, and the
hottest of its thermal zones is read. What follows a pause begins cold, so each process warms up anew and its warm-up
samples are marked, as after any start.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace as with_facts

if TYPE_CHECKING:
    from harness.bench.engines.base import (
        DatasetInference,
        Engine,
        OnProgress,
        ProfiledOperators,
        TimedProcess,
    )
    from harness.bench.plan import Cell
    from harness.drivers.base import Device
    from harness.worker.results import OutputCheck

TEMPERATURES = ("battery_temperature_c", "hottest_c")
"""The first of these facts that a device has is its temperature."""
POLL_S = 10.0
PATIENCE_S = 900.0


@dataclass(frozen=True)
class CoolEngine:
    """An engine that waits until the device is cool enough, and says in the record how long that took.

    Attributes:
        engine: What measures.
        device: Whose temperature is read.
        limit_c: Start at this temperature or below.
        sleep: Waits for so many seconds; replaced in tests.
    """

    engine: Engine
    device: Device
    limit_c: float
    sleep: Callable[[float], None] = field(default=time.sleep)

    def time(self, cell: Cell, repetition: int, scratch: Path) -> TimedProcess:
        """Wait, then time; what belongs to a sustained load follows at once."""
        # late, as all that is imported for types alone: a plan asks for the names above
        from harness.bench.engines.base import TimedProcess

        if repetition and cell.settings.sustained is not None:
            return self.engine.time(cell, repetition, scratch)
        waited_s, celsius = self._wait()
        timed = self.engine.time(cell, repetition, scratch)
        telemetry = with_facts(timed.facts.telemetry, start_celsius=celsius, cooled_s=waited_s)
        reasons = timed.facts.reasons
        if celsius is not None and celsius > self.limit_c:
            reasons = (
                *reasons,
                f"it was still at {celsius:g} °C after {waited_s:.0f} s of waiting for {self.limit_c:g} °C",
            )
        return TimedProcess(with_facts(timed.facts, telemetry=telemetry, reasons=reasons), timed.samples)

    def infer(self, cell: Cell, scratch: Path, on_progress: OnProgress) -> DatasetInference:
        """Run over the dataset; accuracy does not depend on the temperature."""
        return self.engine.infer(cell, scratch, on_progress)

    def operators(self, cell: Cell, scratch: Path) -> ProfiledOperators:
        """Record operators at any temperature: a profiler's times are no latency."""
        return self.engine.operators(cell, scratch)

    def check(self, cell: Cell, scratch: Path) -> OutputCheck:
        """Check outputs at any temperature: they do not depend on it."""
        return self.engine.check(cell, scratch)

    def _wait(self) -> tuple[float, float | None]:
        """Wait until the device is cool, or until patience ends; (seconds waited, temperature at the end)."""
        waited = 0.0
        while True:
            celsius = _celsius(self.device.describe().facts)
            if celsius is None or celsius <= self.limit_c or waited >= PATIENCE_S:
                return waited, celsius
            self.sleep(POLL_S)
            waited += POLL_S


def _celsius(facts: Mapping[str, str | int | float]) -> float | None:
    values = (facts.get(name) for name in TEMPERATURES)
    return next((float(value) for value in values if isinstance(value, (int, float))), None)
