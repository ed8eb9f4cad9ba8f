"""Scripts of a device's shell, for drivers whose devices have one."""

from __future__ import annotations

from harness.drivers.base import Device
from harness.errors import DeviceError, DeviceTimeoutError


def output_of(device: Device, script: str, timeout_s: float) -> str:
    """Run a script of the device's shell and return its standard output.

    Raises:
        DeviceError: It did not end with 0 in time.
    """
    done = device.run(["sh", "-c", script], timeout_s=timeout_s)
    if done.timed_out:
        raise DeviceTimeoutError(device.name, f"a shell script took longer than {timeout_s:.0f} s", done.argv)
    if done.exit_code != 0:
        message = f"a shell script ended with {done.exit_code}"
        raise DeviceError(device.name, message, done.argv, done.exit_code, done.stdout, done.stderr)
    return done.stdout
