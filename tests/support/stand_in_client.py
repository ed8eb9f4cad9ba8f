"""Lets a prepared process be the stand-in that this one was started as (`tests/support/prepared_stand_in.py`).

    python -I -S stand_in_client.py SOCKET PROGRAM [ARGUMENT…]

It loads next to nothing: it is started hundreds of times. Where nobody listens it becomes the program itself.
"""

import marshal
import os
import sys

# private: `socket` takes as long to load as all the rest
from _socket import AF_UNIX, SCM_RIGHTS, SOCK_STREAM, SOL_SOCKET, socket


def reach(address):
    """Return the line to the prepared process; None where it is gone."""
    line = socket(AF_UNIX, SOCK_STREAM)
    try:
        line.connect(address)
    except OSError:
        return None
    return line


def ask(line, program, arguments):
    """Hand over all that makes this process what it is, and wait for how the other ended."""
    request = (program, arguments, dict(os.environ), os.getcwd(), tuple(os.sched_getaffinity(0)))  # noqa: PTH109 - pathlib is long to load
    words = marshal.dumps(request)
    streams = b"".join(stream.to_bytes(4, sys.byteorder) for stream in range(3))
    line.sendmsg([len(words).to_bytes(4, "little")], [(SOL_SOCKET, SCM_RIGHTS, streams)])
    line.sendall(words)
    return line.recv(4)


def main():
    address, program, *arguments = sys.argv[1:]
    line = reach(address)
    if line is None:
        os.execv(sys.executable, [sys.executable, program, *arguments])
    told = ask(line, program, arguments)
    status = int.from_bytes(told, "little", signed=True) if told else 1
    if status < 0:
        os.kill(os.getpid(), -status)
    os._exit(status)  # private: the way to end at once


main()
