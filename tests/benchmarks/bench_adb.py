"""Push throughput and shell round trips, side by side with the adb tool, against one real adbd.

Run as root on Debian with `adbd` and `adb` installed: python -m tests.benchmarks.bench_adb
Fails when a push is slower than 0.2 × adb's or a round trip takes longer than 5 ms.
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.support import adbd

SIZE = 100_000_000
REPEATS = 5
CALLS = 50
LEAST_SHARE, MOST_MS = 0.2, 5.0


def seconds(action):
    begin = time.perf_counter()
    action()
    return time.perf_counter() - begin


def main():
    if os.geteuid() != 0 or shutil.which("adb") is None:
        sys.exit("needs root, adbd and adb (.ci/adb installs them)")
    with tempfile.TemporaryDirectory() as folder, adbd.Network().entered():
        os.environ["HOME"] = folder
        daemon = adbd.Adbd(15555, Path(folder))
        try:
            sys.exit(measure(daemon, Path(folder)))
        finally:
            subprocess.run(["adb", "kill-server"], capture_output=True, check=False)
            daemon.kill()


def measure(daemon, folder):
    serial = f"127.0.0.1:{daemon.port}"
    subprocess.run(["adb", "connect", serial], check=True, capture_output=True)
    subprocess.run(["adb", "-s", serial, "wait-for-device"], check=True)
    device, held = daemon.device(), daemon.device("held", host="", serial=serial)
    file, target = folder / "file.bin", folder / "target.bin"
    file.write_bytes(os.urandom(SIZE))
    times = {"adb tool": [], "driver": [], "driver through the server": []}
    push = ["adb", "-s", serial, "push", str(file), str(target)]
    for _ in range(REPEATS):  # side by side: what else the computer does hits all alike
        times["adb tool"].append(seconds(lambda: subprocess.run(push, check=True, capture_output=True)))
        times["driver"].append(seconds(lambda: device.send([(file, str(target))])))
        times["driver through the server"].append(seconds(lambda: held.send([(file, str(target))])))
    speeds = {name: SIZE / 1e6 / statistics.median(found) for name, found in times.items()}
    for name, speed in speeds.items():
        print(
            f"push of {SIZE / 1e6:.0f} MB, {name}: {speed:,.0f} MB/s ({speed / speeds['adb tool']:.2f} × the tool)"
        )
    trip = round_trip_ms(device)
    tool = statistics.median(
        seconds(lambda: subprocess.run(["adb", "-s", serial, "shell", "true"], check=True)) for _ in range(30)
    )
    print(f"shell round trip: driver {trip:.2f} ms, adb tool {tool * 1e3:.2f} ms")
    print_pushes(device, file)
    device.close()
    fair = speeds["driver"] >= LEAST_SHARE * speeds["adb tool"]
    return 0 if fair and trip <= MOST_MS else 1


def round_trip_ms(device):
    device.run(["true"], timeout_s=5)

    def median():
        return statistics.median(seconds(lambda: device.run(["true"], timeout_s=5)) for _ in range(CALLS))

    return 1e3 * min(median() for _ in range(REPEATS))  # the least disturbed of the series


def print_pushes(device, file):
    """What a cell pays: a model of 5 MB that is new, and one that is known."""
    model = file.with_name("model.tflite")
    model.write_bytes(file.read_bytes()[:5_000_000])
    for state in ("new", "known"):
        before = device.round_trips
        taken = seconds(lambda: device.push([model]))
        print(
            f"push by content of 5 MB, {state}: {taken * 1e3:.0f} ms, {device.round_trips - before} round trips"
        )


if __name__ == "__main__":
    main()
