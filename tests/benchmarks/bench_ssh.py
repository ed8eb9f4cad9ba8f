"""Speed over SSH against one real sshd on loopback: pushes side by side with scp, round trips, and what cells cost.

Needs openssh-server: python -m tests.benchmarks.bench_ssh [--megabytes N] [--repeats N] [--deaths N]
Fails when a push is slower than 0.5 × scp's, or a warm cell takes more than three round trips. With --deaths the board
dies so many times at random instants of a push, a command or a pull, and nothing may hang, be half or live on.
"""

import argparse
import hashlib
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from harness.bench.engines.board_worker import BoardWorker
from harness.bench.plan import Cell
from harness.delegates import parse_delegate
from harness.errors import DeviceError
from harness.recognize.find import find_model
from harness.settings import Settings
from harness.tflite.model import describe
from harness.workspace import find_workspace
from tests.support import sshd as server
from tests.support.paths import REPOSITORY

LEAST_SHARE, MOST_TRIPS = 0.5, 3
CALLS = 50


def seconds(action):
    begin = time.perf_counter()
    action()
    return time.perf_counter() - begin


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--deaths", type=int, default=0)
    return parser.parse_args()


def main():
    asked = arguments()
    if server.why_not():
        sys.exit(server.why_not())
    with tempfile.TemporaryDirectory() as name:
        sshd = server.Sshd(Path(name) / "board")
        os.environ["HARNESS_SSH_CONFIG"] = str(sshd.config)
        sshd.offer_python()
        device = sshd.device()
        try:
            share = pushes(device, sshd, Path(name), asked)
            round_trips(device, sshd)
            warm = cells(device, Path(name))
            if asked.deaths:
                deaths(device, sshd, Path(name), asked.deaths)
        finally:
            device.close()
            sshd.kill()
    sys.exit(0 if share >= LEAST_SHARE and warm <= MOST_TRIPS else 1)


def pushes(device, sshd, folder, asked):
    """Side by side: what else the computer does hits all alike."""
    size = asked.megabytes * 1_000_000
    file, target = folder / "file.bin", folder / "target.bin"
    file.write_bytes(os.urandom(size))
    scp = ["scp", "-q", "-F", str(sshd.config), str(file), f"board:{target}"]
    times = {"scp": [], "send": [], "push": [], "pull": []}
    device.run(["true"], timeout_s=10)
    for n in range(asked.repeats):
        file.write_bytes(n.to_bytes(4, "big") + file.read_bytes()[4:])  # a push by content sends what is new
        times["scp"].append(seconds(lambda: subprocess.run(scp, check=True)))
        times["send"].append(seconds(lambda: device.send([(file, str(target))])))
        times["push"].append(seconds(lambda: device.push([file])))
        times["pull"].append(seconds(lambda: device.pull(str(target), folder / "back.bin")))
        assert digest(folder / "back.bin") == digest(file)
    speeds = {what: size / 1e6 / statistics.median(found) for what, found in times.items()}
    words = {
        "scp": "scp",
        "send": "driver",
        "push": "driver, by content (hashed here and there)",
        "pull": "driver, back",
    }
    for what, speed in speeds.items():
        print(f"{size / 1e6:.0f} MB, {words[what]}: {speed:,.0f} MB/s ({speed / speeds['scp']:.2f} × scp)")
    print(f"the same file again: {seconds(lambda: device.push([file])) * 1e3:.0f} ms")
    return speeds["send"] / speeds["scp"]


def digest(path):
    return hashlib.sha256(path.read_bytes()).digest()


def round_trips(device, sshd):
    ours = [seconds(lambda: device.run(["true"], timeout_s=5)) for _ in range(CALLS)]
    ssh = ["ssh", "-F", str(sshd.config), "board", "true"]
    theirs = [seconds(lambda: subprocess.run(ssh, check=True)) for _ in range(10)]
    connect = []
    for _ in range(10):
        device.close()
        connect.append(seconds(lambda: device.run(["true"], timeout_s=5)))
    medians = [statistics.median(found) * 1e3 for found in (ours, connect, theirs)]
    print(
        "shell round trip: {:.1f} ms; with a new connection {:.0f} ms; `ssh board true` {:.0f} ms".format(
            *medians
        )
    )


def cells(device, folder):
    """What a cold and a warm cell of the bundled example cost beside the measurement itself."""
    found = find_model("shapes-full-integer", find_workspace(REPOSITORY))
    settings = Settings(repetitions=1, min_runs=3, min_seconds=0.01)
    cell = Cell(1, found, describe(found.file), "board", parse_delegate("cpu:1"), settings, None)
    worker, costs = BoardWorker(device, 1), []
    for n in range(5):
        scratch = folder / "run" / f"cell-{n}"
        scratch.mkdir(parents=True)
        before = device.round_trips
        timed = []
        taken = seconds(lambda scratch=scratch, n=n, timed=timed: timed.append(worker.time(cell, n, scratch)))
        costs.append((device.round_trips - before, taken, timed[0].facts.duration_s))
    for what, (trips, taken, inside) in (("cold", costs[0]), ("warm", costs[-1])):
        print(
            f"{what} cell: {trips} round trips, {taken * 1e3:.0f} ms, of which the worker's process "
            f"{inside * 1e3:.0f} ms"
        )
    return costs[-1][0]


def deaths(device, sshd, folder, n_deaths):
    chance, path, finished, slowest = random.Random(1), folder / "small.bin", 0, 0.0
    for n in range(n_deaths):
        killed = []
        timer = threading.Timer(
            chance.uniform(0.0, 0.6), lambda killed=killed: (killed.append(time.monotonic()), sshd.kill())
        )
        timer.start()
        try:
            while True:
                path.write_bytes(n.to_bytes(4, "big") + os.urandom(400_000))
                (remote,) = device.push([path])
                done = device.run(["sh", "-c", 'wc -c <"$1"; sleep 0.02', "sh", remote], timeout_s=20)
                device.pull(remote, folder / "back.bin")
                assert done.stdout.split() == ["400004"] and digest(folder / "back.bin") == digest(path)
                finished += 1
        except DeviceError:
            slowest = max(slowest, time.monotonic() - killed[0] if killed else 0.0)
        timer.join()
        sshd.start()
    stored = list((sshd.home / ".cache" / "ondevice-harness").glob("[0-9a-f]*/*"))
    wrong = [p for p in stored if hashlib.sha256(p.read_bytes()).hexdigest()[:16] != p.parent.name]
    print(
        f"{n_deaths} deaths of the board: {finished} rounds finished between them, noticed within {slowest:.2f} s, "
        f"{len(wrong)} of {len(stored)} kept files damaged"
    )
    assert not wrong


if __name__ == "__main__":
    main()
