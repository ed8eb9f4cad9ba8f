"""A process that has loaded what every worker needs, and forks one for each job it is sent.

Starting Python and loading NumPy and the runtime takes longer than measuring a small model. Here this is done once.
Nothing of a model, an interpreter or a delegate is loaded before the fork, and no thread runs: a worker that crashes,
hangs or hits its memory limit is a process of its own, as if it had been started anew.

What a new process would draw afresh, the places of its memory and of its stack, is drawn by each fork as well
(`_scatter`): processes that shared them would agree with each other more than with those of the next run.

Jobs of a kind that needs more than all others do are forked by a branch: a fork of this process that has loaded that as
well. A worker that times has nothing in its memory that only other jobs need.

`python -m harness.worker.prepared FD`: the socket FD takes three kinds of messages, of JSON: {"job": number, "kind": …,
"path": …, "folder": …, "variables": …} with three descriptors (standard output, standard error, and where its fate is
told), {"end": number}, and {"load": kind} with one that is closed when jobs of the kind can be forked. The fate is two
lines: the number of the process, and its exit status as `subprocess` has it. When the socket closes, every worker is
killed.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import gc
import json
import mmap
import os
import random
import selectors
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

from harness.worker.__main__ import carry_out
from harness.worker.parent import PARENT, end_with_parent
from harness.worker.resident import Ranges, fill_holes, map_pages, own_heap, resident_file_pages

MOST_BYTES = 1 << 18
"""Of one message: a path, a folder and the variables of the environment."""
READ_AT_START = ("LD_", "PYTHON", "GLIBC_", "MALLOC_", "OPENBLAS_", "OMP_", "MKL_", "GOTO_", "NPY_", "TF_")
"""Beginnings of variables that the loader, Python and libraries read once: a job with others needs a new process."""
_N_DESCRIPTORS = 3
_MOST_PAGES = 1 << 14
"""Of the gap above what a worker maps: 64 MiB where a page has 4 KiB."""
_MOST_FRAMES = 64
_TRUNK = ("harness.worker.latency",)
"""What a latency job imports before it reads its peak of memory, and no more: the peak is a figure."""
_BRANCHES = {
    "accuracy": (
        "harness.worker.accuracy",
        "harness.detectors.registry",
        "PIL.JpegImagePlugin",
        "PIL.PngImagePlugin",
    ),
    "preparations": ("harness.worker.preparations", "PIL.JpegImagePlugin", "PIL.PngImagePlugin"),
}
"""What is imported beyond that before jobs of a kind are forked."""


def main() -> int:
    """Load what workers need, then fork one for each job until the socket closes."""
    requests = socket.socket(fileno=int(sys.argv[1]))
    from harness.runtime import load_runtime

    load_runtime()
    _serve(requests, "", _TRUNK, [])
    return 0


def _serve(requests: socket.socket, kind: str, modules: Sequence[str], mapped: Ranges) -> None:
    """Import, then fork a worker for each job of a kind; the empty one is any that has no branch.

    Args:
        requests: Where messages come.
        kind: Of the jobs.
        modules: What is imported.
        mapped: Pages of files that the parent had mapped before it forked this process.
    """
    for module in modules:
        import_module(module)
    gc.collect()
    gc.freeze()
    pages = [*mapped, *resident_file_pages()]
    map_pages(pages)  # where the system cannot, nothing is prepared
    _Nursery(requests, pages, kind).serve()


class _Nursery:
    """The workers that live, and the loop that starts, ends and buries them."""

    def __init__(self, requests: socket.socket, pages: Ranges, kind: str) -> None:
        self._requests, self._pages, self._kind = requests, pages, kind
        self._workers: dict[int, tuple[int, int]] = {}
        """Process by job, and the descriptor where its fate is told."""
        self._branches: dict[str, tuple[int, socket.socket]] = {}
        """Process by kind of job, and where it is sent messages."""
        self._woken, self._waker = socket.socketpair()
        self._waker.setblocking(False)
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)

    def serve(self) -> None:
        """Answer messages until there is nobody to send any."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._requests, selectors.EVENT_READ)
            selector.register(self._woken, selectors.EVENT_READ)
            try:
                while True:
                    for key, _ in selector.select():
                        if key.fileobj is self._woken:
                            self._woken.recv(4096)
                        elif not self._answer():
                            return
                    self._bury()
            finally:
                for process, _ in self._workers.values():
                    _kill(process)
                for kind in list(self._branches):
                    self._end_branch(kind)

    def _answer(self) -> bool:
        """Read one message; False when the socket is closed."""
        try:
            message, descriptors, _, _ = socket.recv_fds(self._requests, MOST_BYTES, _N_DESCRIPTORS)
        except ConnectionError:
            return False
        if not message:
            return False
        request: dict[str, Any] = json.loads(message)
        if "end" in request:
            self._end(request["end"], message)
            return True
        kind = request.get("load", request.get("kind"))
        if kind in _BRANCHES and kind != self._kind:
            self._pass_on(kind, message, descriptors)
        elif "load" in request:
            _close(descriptors)
        else:
            self._fork(request, *descriptors)
        return True

    def _end(self, job: int, message: bytes) -> None:
        if job in self._workers:
            _kill(self._workers[job][0])
            return
        for _, requests in self._branches.values():
            with contextlib.suppress(OSError):  # it has died, and its workers with it
                requests.send(message)

    def _pass_on(self, kind: str, message: bytes, descriptors: Sequence[int]) -> None:
        """Send a job to the branch of its kind; where it has died, nobody tells a fate, and the next has another."""
        if kind not in self._branches:
            self._branches[kind] = self._branch(kind)
        try:
            socket.send_fds(self._branches[kind][1], [message], descriptors)
        except OSError:
            self._end_branch(kind)
        _close(descriptors)

    def _branch(self, kind: str) -> tuple[int, socket.socket]:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        process = os.fork()
        if process == 0:
            self._become_branch(kind, theirs)
        theirs.close()
        return process, ours

    def _become_branch(self, kind: str, requests: socket.socket) -> NoReturn:
        """Serve jobs of one kind in the child, and end without going back: what is open is the parent's."""
        status = 1
        try:
            close_descriptors(requests.fileno())
            _serve(requests, kind, _BRANCHES[kind], self._pages)
            status = 0
        finally:
            os._exit(status)

    def _end_branch(self, kind: str) -> None:
        """Let a branch end, and its workers with it, and wait for that."""
        process, requests = self._branches.pop(kind)
        requests.close()
        os.waitpid(process, 0)

    def _fork(self, request: dict[str, Any], out: int, err: int, fate: int) -> None:
        here = os.getpid()
        process = os.fork()
        if process == 0:
            self._become_worker(request, here, out, err)
        _close((out, err))
        _tell(fate, process)
        self._workers[request["job"]] = process, fate

    def _become_worker(self, request: dict[str, Any], parent: int, out: int, err: int) -> NoReturn:
        """Do the job in the child, and end without going back."""
        status = 1
        try:
            os.setsid()
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.dup2(out, 1)
            os.dup2(err, 2)
            close_descriptors()
            os.environ.clear()
            os.environ.update({**request["variables"], PARENT: str(parent)})
            end_with_parent()
            os.chdir(request["folder"])
            map_pages(self._pages)
            own_heap()
            status = _scatter(lambda: carry_out(Path(request["path"])))
        except BaseException:  # as the interpreter does with what nobody caught
            sys.excepthook(*sys.exc_info())
        finally:
            _leave(status)

    def _bury(self) -> None:
        """Tell the fate of the workers that ended; whatever they left running ends first."""
        for job, (process, fate) in list(self._workers.items()):
            if os.waitid(os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                continue
            _kill(process)
            _, status = os.waitpid(process, 0)
            _tell(fate, os.waitstatus_to_exitcode(status))
            os.close(fate)
            del self._workers[job]


def close_descriptors(kept: int | None = None) -> None:
    """Close all descriptors but the standard ones and one more.

    Those that are open are listed: a container may allow a billion, and Python that was built for an older glibc tries
    each number of a range, which takes minutes.
    """
    for number in map(int, os.listdir("/proc/self/fd")):  # noqa: PTH208 (whole before the first is closed)
        if number > 2 and number != kept:
            os.closerange(number, number + 1)  # the list's own is closed already, which this does not mind


def _scatter(work: Callable[[], int]) -> int:
    """Run the job at a random depth of the stack and a random distance in memory, as a new process has them.

    What is mapped goes into the highest hole that takes it: holes between libraries lie where the parent's lie, and
    nearly half of all models went into the same one. So these are filled before the gap is drawn.
    """
    draw = random.SystemRandom()
    fill_holes()
    gap = mmap.mmap(-1, draw.randint(1, _MOST_PAGES) * mmap.PAGESIZE, flags=mmap.MAP_PRIVATE, prot=0)
    status = _deeper(draw.randrange(_MOST_FRAMES), work)
    del gap
    return status


def _deeper(frames: int, work: Callable[[], int]) -> int:
    """Call through C code, `max`, which takes stack; calls of Python by Python take none (since 3.11)."""
    return int(work()) if frames == 0 else max(_deeper(frames - 1, work) for _ in (0,))


def _leave(status: int) -> NoReturn:
    """End as a process does: Python's and the C libraries' exit functions run, and what was printed is written."""
    with contextlib.suppress(BaseException):
        atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    ctypes.CDLL(None).exit(status)
    os._exit(status)


def _tell(fate: int, number: int) -> None:
    with contextlib.suppress(OSError):  # nobody listens any more
        os.write(fate, b"%d\n" % number)


def _close(descriptors: Sequence[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def _kill(process: int) -> None:
    """Kill a worker and what it started; it is not buried yet, so that its number is nobody else's."""
    for kill in (os.killpg, os.kill):  # one that was just forked leads no group yet
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(process, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
