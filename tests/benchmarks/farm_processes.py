"""The processes of a farm on this computer, and what a run on it is asked for."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace

from tests.support.observers import Quiet
from tests.support.paths import REPOSITORY

CELLS_A_DEVICE = 10


class Processes:
    """The scheduler and the workers, which end with the benchmark."""

    def __init__(self, folder):
        self.folder, self.all = folder, {}
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{s.getsockname()[1]}"
        port = self.address.partition(":")[2]
        self.start("scheduler", ["-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", port,
                                 "--no-dashboard", "--dashboard-address", ":0"])  # fmt: skip

    def start(self, name, arguments, prefix=()):
        with (self.folder / f"{name}.log").open("ab") as log:
            self.all[name] = subprocess.Popen(
                [*prefix, sys.executable, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={**os.environ, "HARNESS_CACHE": str(self.folder / "cache")},
            )

    def kill(self, name):
        os.killpg(self.all[name].pid, signal.SIGKILL)
        self.all.pop(name).wait()

    def cpu_seconds(self):
        import psutil

        used = {}
        for name, process in self.all.items():
            times = psutil.Process(process.pid).cpu_times()
            kind = "scheduler" if name == "scheduler" else "workers"
            used[kind] = used.get(kind, 0.0) + times.user + times.system
        return used

    def close(self):
        for name in list(self.all):
            self.kill(name)


class Counting(Quiet):
    """Counts the cells that were finished and keeps no record: what the client needs is measured."""

    def __init__(self):
        super().__init__()
        self.done_count, self._lock = 0, threading.Lock()

    def done(self, task, record):
        with self._lock:
            self.done_count += 1


def request_for(address, output, devices, **changes):
    from harness.bench.request import FarmChoice, Request
    from harness.settings import Settings

    settings = Settings(repetitions=1, accuracy=False)
    base = Request(
        models=("shapes-float32",),
        devices=devices,
        delegates=tuple(f"cpu:{n + 1}" for n in range(CELLS_A_DEVICE)),
        workspace=str(REPOSITORY),
        output=str(output),
        settings=settings,
        repetitions=1,
        farm=FarmChoice(scheduler=address, wait_s=60.0),
    )
    return replace(base, **changes)


def wait_for_hosts(address, n):
    from harness.farm.link import Link

    link = Link(f"tcp://{address}")
    deadline = time.monotonic() + 300
    while len([h for h in link.describe_hosts() if h.description.offers]) < n:
        assert time.monotonic() < deadline, "the workers did not join"
        time.sleep(1)
    names = [offer.name for host in link.describe_hosts() for offer in host.description.offers]
    link.close()
    return names
