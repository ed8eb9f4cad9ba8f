"""A device that went away in the middle of a task, waited for: the task is carried out once more when it is back.

What goes away and comes back is a phone whose adbd starts anew, whose USB port is enumerated again, whose Wi-Fi breaks
down, or a board that reboots. What was measured before is on disk, and only the task that was cut short is repeated.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from harness.bench.observer import Observer
from harness.bench.plan import Task
from harness.drivers.base import Device, DeviceInfo
from harness.errors import DeviceLostError, DeviceTimeoutError, HarnessError

T = TypeVar("T")
POLL_S = 1.0
SERIAL = "serial"
"""The fact that tells one phone from another at the same address."""


@dataclass
class DeviceWait:
    """Waits for one device.

    Attributes:
        device: Is waited for.
        info: How it described itself at the start; another device at its address is not the one.
        seconds: How long it is waited for; 0 not to wait.
        stop: Ends the waiting when it is set.
    """

    device: Device
    info: DeviceInfo
    seconds: float
    stop: threading.Event = field(default_factory=threading.Event)
    _given_up: bool = False

    def attempt(self, task: Task, measure: Callable[[], T], observer: Observer) -> tuple[T, str]:
        """Carry out a task, and once more where the device went away meanwhile and came back in time.

        After it was waited for in vain, it is not waited for again until it has answered.

        Args:
            task: What is carried out.
            measure: Carries it out.
            observer: Is told how long the device has been waited for.

        Returns:
            What `measure` returned, and a remark where that was the second time.

        Raises:
            DeviceError: The device did not come back, or went away again.
        """
        try:
            found = measure()
        except (DeviceLostError, DeviceTimeoutError) as error:
            waited_s = self._wait(task, observer)
            if waited_s is None:
                raise
            remark = f"{error}; it was back after {waited_s:.0f} s, and this is of a new attempt"
            return measure(), remark
        self._given_up = False
        return found, ""

    def _wait(self, task: Task, observer: Observer) -> float | None:
        """Wait for the device; return the seconds that took, None where it is not back."""
        if self._given_up or self.info.always_attached or self.seconds <= 0:
            return None
        found, over, begin = threading.Event(), threading.Event(), time.monotonic()
        # it looks in a thread of its own: one look at a device that is gone may take many seconds
        threading.Thread(target=self._look, args=(found, over), daemon=True).start()
        try:
            while not self.stop.is_set() and (waited_s := time.monotonic() - begin) < self.seconds:
                observer.waiting(task, waited_s, self.seconds)
                if found.wait(min(POLL_S, self.seconds - waited_s)):
                    observer.task(task)
                    return time.monotonic() - begin
        finally:
            over.set()
        self._given_up = not found.is_set()
        return None

    def _look(self, found: threading.Event, over: threading.Event) -> None:
        while not over.is_set():
            try:
                if self._is_the_same(self.device.describe()):
                    found.set()
                    return
            except HarnessError:
                pass  # not back yet
            over.wait(POLL_S)

    def _is_the_same(self, info: DeviceInfo) -> bool:
        before, after = self.info.facts.get(SERIAL), info.facts.get(SERIAL)
        return None in {before, after} or before == after
