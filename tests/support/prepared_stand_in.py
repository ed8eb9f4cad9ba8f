"""A process that has loaded what the stand-ins for TFLite's tools load, and forks one for each that is started.

To load Python, NumPy and LiteRT costs such a stand-in six times what it does. A launcher starts a small client instead
(`tests/support/stand_in_client.py`), which hands over its words, environment, folder, processors and open files. The
client lives as long as the stand-in: it ends with its status or dies of its signal; and when the client is killed, so
is the stand-in. The process ends with the tests that started it, whose end it sees on its standard input.

    python -m tests.support.prepared_stand_in SOCKET
"""

import atexit
import contextlib
import functools
import gc
import importlib
import marshal
import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

from tests.support.paths import REPOSITORY

PATIENCE_S = 60.0
LOADED = ("ai_edge_litert.interpreter", "ai_edge_litert.model_runtime_info_pb2", "harness.worker.evidence")
PROGRAMS = ("benchmark_model", "eval_coco_object_detection")
STREAMS = 3


@functools.cache
def address() -> str | None:
    """Start the process once and return where it listens; None where this computer cannot pass open files on."""
    if sys.platform != "linux":
        return None
    folder = tempfile.mkdtemp(prefix="stand-in-", dir="/tmp")  # a socket's name is short
    path = str(Path(folder) / "socket")
    process = subprocess.Popen(
        [sys.executable, "-m", __name__, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "PYTHONSAFEPATH": "1"},
        start_new_session=True,
    )
    atexit.register(process.communicate)
    assert process.stdout.readline() == b"ready\n", "the prepared stand-in did not start"
    return path


class Server:
    """Forks stand-ins, tells their clients how they ended, and ends those whose clients are gone."""

    def __init__(self, path, programs):
        self._path, self._programs = path, programs
        self._clients: dict[int, socket.socket] = {}  # by the stand-in's process id
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(path)
        self._listener.listen(64)
        self._ended, self._wake = socket.socketpair()
        self._wake.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake.fileno())
        self._selector = selectors.DefaultSelector()
        for source, act in ((0, self._leave), (self._listener, self._accept), (self._ended, self._reap)):
            self._selector.register(source, selectors.EVENT_READ, act)

    def run(self):
        while True:
            for key, _ in self._selector.select():
                key.data()

    def _leave(self):
        for pid in self._clients:
            os.kill(pid, signal.SIGKILL)
        shutil.rmtree(Path(self._path).parent, ignore_errors=True)
        os._exit(0)  # private: the way to end at once

    def _accept(self):
        client, _ = self._listener.accept()
        client.settimeout(PATIENCE_S)
        try:
            request, streams = receive(client)
        except (OSError, EOFError, ValueError):  # killed before it had said what it wants
            client.close()
            return
        pid = os.fork()
        if pid == 0:
            self._become(request, streams)
        for stream in streams:
            os.close(stream)
        self._clients[pid] = client
        self._selector.register(client, selectors.EVENT_READ, functools.partial(self._kill, pid))

    def _kill(self, pid):
        if pid in self._clients:  # not where it has ended at the same time
            self._selector.unregister(self._clients[pid])
            os.kill(pid, signal.SIGKILL)

    def _reap(self):
        self._ended.recv(4096)
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                self._tell(ended[0], os.waitstatus_to_exitcode(ended[1]))

    def _tell(self, pid, status):
        client = self._clients.pop(pid)
        with contextlib.suppress(KeyError):  # those that were killed are unregistered
            self._selector.unregister(client)
        with contextlib.suppress(OSError):
            client.sendall(status.to_bytes(4, "little", signed=True))
        client.close()

    def _become(self, request, streams):
        """Be the stand-in, to the end of this process."""
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for mine in (self._listener, self._ended, self._wake, self._selector, *self._clients.values()):
                mine.close()
            status = play(self._programs, request, streams)
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
        except BaseException:
            traceback.print_exc()
        finally:
            for stream in (sys.stdout, sys.stderr):
                with contextlib.suppress(OSError):
                    stream.flush()
            os._exit(status)  # private: a fork does not end what its parent began


def receive(client):
    """Return what a client asks for and its three open files."""
    size, streams, _, _ = socket.recv_fds(client, 4, STREAMS)
    if len(size) < 4 or len(streams) < STREAMS:
        raise EOFError
    words, left = b"", int.from_bytes(size, "little")
    while len(words) < left:
        more = client.recv(left - len(words))
        if not more:
            raise EOFError
        words += more
    return marshal.loads(words), streams


def play(programs, request, streams):
    """Take over what the client has, and run the program that it names."""
    program, arguments, environment, folder, processors = request
    for at, stream in enumerate(streams):
        os.dup2(stream, at)
        os.close(stream)
    sys.stdout = os.fdopen(1, "w", 1 if os.isatty(1) else -1, closefd=False)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    os.sched_setaffinity(0, processors)
    sys.argv = [program, *arguments]
    programs[Path(program).stem].main()
    return 0


def main():
    for name in LOADED:
        importlib.import_module(name)
    programs = {name: importlib.import_module(f"tests.stand_in.{name}") for name in PROGRAMS}
    server = Server(sys.argv[1], programs)
    gc.collect()
    gc.freeze()
    print("ready", flush=True)
    server.run()


if __name__ == "__main__":
    main()
