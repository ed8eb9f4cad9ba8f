"""Logs of benchmark_model and its evaluation tools, as they are collected."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Log:
    """A log of the collection: the first line is the command, the last line `exit=N`."""

    command: str
    stdout: str
    stderr: str
    exit_code: int


def split_log(text: str) -> Log:
    command, _, rest = text.partition("\n")
    body, _, code = rest.rstrip("\n").rpartition("exit=")
    out, _, err = body.removeprefix("##### stdout\n").partition("##### stderr\n")
    return Log(command, out, err, int(code))
