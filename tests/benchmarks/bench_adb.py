"""Push throughput and shell round trips, side by side with the adb tool, and what a cell costs, on one real adbd.

Run as root on Debian with `adbd` and `adb` installed: python -m tests.benchmarks.bench_adb [--cells]
Fails when a push is slower than 0.2 × adb's, a round trip takes longer than 5 ms, a process of a warm cell takes more
than 2 round trips or 25 ms of our own CPU, or the first process of a cold one more than 5 round trips.
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

from harness.bench.observer import Silent
from harness.bench.request import Request
from harness.records.records import load_records
from harness.session import carry_out, prepare
from harness.settings import Settings
from tests.support import adbd
from tests.support.launcher import make_launcher
from tests.support.paths import REPOSITORY

SIZE = 100_000_000
REPEATS = 5
CALLS = 50
LEAST_SHARE, MOST_MS = 0.2, 5.0
TOOL_SIZE = 7_000_000
"""Of a real benchmark_model for Android, which the stand-in is filled up to."""
PROCESSES = 12
MOST_WARM, MOST_COLD, MOST_CPU_MS = 2, 5, 25.0


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
            cells = measure_cells(daemon, Path(folder))
            sys.exit(cells or ("--cells" not in sys.argv and measure(daemon, Path(folder))))
        finally:
            subprocess.run(["adb", "kill-server"], capture_output=True, check=False)
            daemon.kill()


class Costs(Silent):
    """Own CPU time (all threads) and round trips whenever a process of the run is over."""

    def __init__(self, device):
        self.device, self.marks = device, []

    def task(self, task):
        if not self.marks:
            self.mark()

    def done(self, task, record):
        self.mark()

    def mark(self):
        self.marks.append((1e3 * time.process_time(), self.device.round_trips))


def measure_cells(daemon, folder):
    """Measure a cell as `harness run` does, record and all, and print what its processes cost beside the tool."""
    tool = make_launcher(folder)
    tool.write_bytes(tool.read_bytes() + b"\n" + os.urandom(TOOL_SIZE))
    workspace = folder / "workspace"
    (workspace / "devices").mkdir(parents=True)
    (workspace / "models").symlink_to(REPOSITORY / "models")
    connection = f'kind = "adb"\nhost = "127.0.0.1"\nport = {daemon.port}\nroot = "{daemon.root}"'
    (workspace / "devices" / "phone.toml").write_text(f'name = "phone"\n[connection]\n{connection}\n')
    time.sleep(2.5)  # a file that was written just now is hashed anew whenever it is pushed
    settings = Settings(min_runs=PROCESSES, min_seconds=0.01, accuracy=False)
    given = {"models": ("shapes-float32",), "devices": ("phone",), "delegates": ("cpu:1",)}
    places = {"workspace": str(workspace), "output": str(folder / "results"), "benchmark_binary": str(tool)}
    prepared = prepare(Request(**given, **places, settings=settings, repetitions=PROCESSES))
    costs = Costs(prepared.stations[0].device)
    (record,) = [one.record for one in load_records(carry_out(prepared, costs).folder)]
    assert record.status == "ok", record.reasons
    spent = [[b - a for a, b in pairwise(one)] for one in zip(*costs.marks, strict=True)]
    cold, warm = spent[1][0] + 1, max(spent[1][1:])  # the list of what runs there came before
    cpu_ms = statistics.median(spent[0][1:])
    print(f"a cell: {cold} round trips cold, {warm} warm; own CPU of a warm process {cpu_ms:.1f} ms", end=" ")
    print(
        f"({min(spent[0][1:]):.1f}–{max(spent[0][1:]):.1f} of {PROCESSES - 1}; first one {spent[0][0]:.1f})"
    )
    return 0 if cold <= MOST_COLD and warm <= MOST_WARM and cpu_ms <= MOST_CPU_MS else 1


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
