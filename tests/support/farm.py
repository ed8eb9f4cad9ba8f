"""Real farms on this computer: a Dask scheduler and workers, each a process of its own, on loopback."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

from harness.bench.request import FarmChoice, Request
from harness.farm.link import Link
from harness.session import carry_out
from harness.settings import Settings
from tests.support.paths import REPOSITORY
from tests.support.ports import free_port

FAKES = ("fake-1", "fake-2")
LONG = {"min_seconds": 2.0}
"""A step of two seconds, in the middle of which something is lost."""


class RealFarm:
    """A scheduler and workers that can be killed and started again."""

    def __init__(self, folder: Path, fakes=FAKES):
        self.folder, self.port = folder, free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.processes: dict[str, subprocess.Popen] = {}
        self.workspace = folder / "workspace"
        self.cache = folder / "cache"
        (self.workspace / "models").mkdir(parents=True)
        (self.workspace / "devices").mkdir()
        self.offer("local", kind="local")
        for name in fakes:
            self.offer(name)

    def offer(self, name, kind="fake"):
        """Write a profile; workers that look for it find the device."""
        text = f'name = "{name}"\ndelegates = ["cpu:1"]\n[connection]\nkind = "{kind}"\n'
        (self.workspace / "devices" / f"{name}.toml").write_text(text)

    def withdraw(self, name):
        (self.workspace / "devices" / f"{name}.toml").unlink()

    def environment(self, **more):
        return {**os.environ, "HARNESS_CACHE": str(self.cache), "PYTHONSAFEPATH": "1", **more}

    def start_scheduler(self):
        argv = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1"]
        self._start(
            "scheduler", [*argv, "--port", str(self.port), "--no-dashboard", "--dashboard-address", ":0"]
        )
        self.wait_for_scheduler("scheduler")

    def wait_for_scheduler(self, name):
        """Wait until the process listens whose scheduler it is; its clients wait for seconds only."""
        wait_until(self._listens, lambda: self.log(name), 120.0)

    def _listens(self):
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        return False

    def start_worker(self, name, *options, prefix=()):
        argv = [sys.executable, "-m", "harness", "--workspace", str(self.workspace), "worker", self.address]
        folder = str(self.folder / f"host-{name}")
        self._start(name, [*prefix, *argv, "--name", name, "--folder", folder, *options])

    def _start(self, name, argv):
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.environment(),
                cwd=self.folder,
                start_new_session=True,
            )

    def log(self, name):
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def kill(self, name):
        """As a power cut ends a host: everything of it at once."""
        process = self.processes.pop(name)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def is_measuring(self, name):
        """Whether a process that measures a model runs on a host: its prepared process measures nothing."""
        return any(_measures(pid, parent) for pid, parent in _below(self.processes[name].pid))

    def wait_for_work(self, *names):
        """Wait until all of these hosts measure, however busy this computer is."""
        wait_until(
            lambda: all(map(self.is_measuring, names)), lambda: [self.log(name) for name in names], 120.0
        )

    def close(self):
        for name in list(self.processes):
            self.kill(name)

    def link(self, wait_s=20.0, n_hosts=None):
        link = Link(f"tcp://{self.address}", wait_s=wait_s)
        if n_hosts is not None:
            wait_until(
                lambda: len([h for h in link.describe_hosts() if h.description.offers]) == n_hosts,
                link.describe_hosts,
            )
        return link

    def wait_for_hosts(self, n_hosts):
        self.link(n_hosts=n_hosts).close()

    def request(self, output, *devices, wait_s=20.0, **changes):
        """A request whose cells take a second."""
        settings = {"repetitions": 1, "min_runs": 2, "min_seconds": 0.02, "accuracy": False}
        return Request(
            **{
                "models": ("shapes-float32",),
                "devices": devices,
                "delegates": ("cpu:1",),
                "workspace": str(REPOSITORY),
                "output": str(output),
                "settings": Settings(**{**settings, **changes.pop("settings", {})}),
                "repetitions": changes.pop("repetitions", 1),
                "farm": FarmChoice(scheduler=self.address, wait_s=wait_s),
                **changes,
            }
        )


def _below(pid):
    """Yield the processes that a process started, each with its parent, and those that they started."""
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in map(int, file.read_text().split()):
                yield child, pid
                yield from _below(child)


def _measures(pid, parent):
    """Whether a process is a worker: started anew, or forked and in a session of its own, as branches are not."""
    if "harness.worker.prepared" not in _command(pid):
        return "harness.worker" in _command(pid)
    with contextlib.suppress(OSError):
        return "harness.worker.prepared" in _command(parent) and os.getsid(pid) == pid
    return False


def _command(pid):
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
    return ""


def wait_until(what, why=lambda: "", timeout_s=120.0):
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if what():
            return
        time.sleep(0.05)
    raise AssertionError(f"it never came true: {why()}")


def in_background(prepared, observer):
    """Carry a run out in a thread; its outcome is in the list when the thread has ended."""
    outcomes = []
    thread = threading.Thread(target=lambda: outcomes.append(carry_out(prepared, observer)), daemon=True)
    thread.start()
    return thread, outcomes


def ended(thread, outcomes, timeout_s=120.0):
    """Wait for a run in the background and return its outcome."""
    thread.join(timeout_s)
    assert outcomes, "the run did not end"
    return outcomes[0]
