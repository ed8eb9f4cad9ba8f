"""Every error that the harness raises on purpose.

    HarnessError                    what failed, on what, found against expected, what to do next
    ├── UsageError                  wrong use or bad input                                  exit status 2
    │   ├── UnknownNameError        a card, device, delegate, column … that does not exist (lists near misses)
    │   ├── WorkspaceError          devices/ and models/ not found
    │   ├── SchemaError             a TOML file with a key or value that does not fit
    │   ├── ModelError              a .tflite that is missing, not a model, or cannot be used as asked
    │   ├── DatasetError            annotations or images that cannot be used
    │   ├── OutputError             a place that cannot be written
    │   ├── HostFaultError          this computer fails under a run (no space, a disk that is gone …), which can go on
    │   ├── RecordError             a stored run that cannot be read
    │   ├── RunInUseError           a run that another process is measuring
    │   ├── IncomparableError       two records whose key differs; names the key and both values
    │   └── MissingExtraError       an optional dependency; says what to install
    └── JobError                    a job that was rightly asked for and failed             exit status 1
        ├── FetchError              a download that failed or was not what was pinned
        ├── FarmError               a farm that cannot be reached, or a host of it that cannot be used
        ├── DeviceError             a command on a device; carries device, command, output and exit code
        │   ├── DeviceFullError     no space is left on the device
        │   ├── DeviceLostError     the device went away
        │   └── DeviceTimeoutError  the device did not answer in time
        └── MeasurementError        one cell could not be measured; becomes that cell's status

Lower libraries' errors are mapped to these where the library is called, with `raise … from`. The command line
prints them without a traceback.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from harness.install import install_extra
from harness.vocabulary import Status


class HarnessError(Exception):
    """Base of all errors raised on purpose. `exit_status` is what the command line ends with."""

    exit_status = 1

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle by message and attributes, so that an error survives the way back from another process."""
        return _restore, (type(self), self.args, self.__dict__)


def _restore(kind: type[HarnessError], args: tuple[object, ...], attributes: dict[str, Any]) -> HarnessError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(attributes)
    return error


class UsageError(HarnessError):
    """Wrong use or bad input."""

    exit_status = 2


class UnknownNameError(UsageError):
    """A name that is not known: lists near misses, or all names when there are few."""

    def __init__(self, kind: str, name: str, known: Iterable[str], hint: str = "") -> None:
        self.kind, self.name, self.known = kind, name, tuple(sorted(known))
        near = near_misses(name, self.known)
        if near:
            more = f" Did you mean {' or '.join(near)}?"
        elif 0 < len(self.known) <= 12:
            more = f" Known: {', '.join(self.known)}."
        else:
            more = ""
        super().__init__(f"unknown {kind} {name!r}.{more}{' ' + hint if hint else ''}")


class WorkspaceError(UsageError):
    """No folder with devices/ and models/ was found."""


class SchemaError(UsageError):
    """A TOML file with an unknown key, a missing key or a value of the wrong type."""


class ModelError(UsageError):
    """A model file that is missing, not a TFLite model, or cannot be used as asked."""


class DatasetError(UsageError):
    """Annotations or images that cannot be used."""


class OutputError(UsageError):
    """A place that cannot be written to."""


class HostFaultError(UsageError):
    """This computer fails under a run: no verdict on a model. The run ends, and goes on once that is put right."""


class RecordError(UsageError):
    """A stored run or record that cannot be read."""


class RunInUseError(UsageError):
    """A run that a living process is measuring."""


class IncomparableError(UsageError):
    """Two records that must not be merged or compared; the message names the key and both values."""

    def __init__(self, key: str, first: object, second: object, what: str = "records") -> None:
        self.key, self.first, self.second = key, first, second
        values = f"{key} is {first!r} in one and {second!r} in the other"
        super().__init__(f"these {what} cannot be put together: {values}")


class MissingExtraError(UsageError):
    """An optional dependency is not installed."""

    def __init__(self, what: str, extra: str) -> None:
        self.extra = extra
        super().__init__(f"{what} needs the optional extra {extra!r}: {install_extra(extra)}")


class JobError(HarnessError):
    """A job that was rightly asked for and failed."""


class FetchError(JobError):
    """A download that failed or is not what was pinned."""


class FarmError(JobError):
    """A farm that cannot be reached, or a host of it that cannot be used."""


class DeviceError(JobError):
    """A command on a device failed.

    Args:
        device: Name of the device; stands first in the message.
        message: What failed and what to do next.
        argv: The command, if there was one.
        exit_code: Its exit code; None when it is unknown.
        stdout: What it printed.
        stderr: What it printed as errors; the last lines are part of the message.
    """

    def __init__(
        self,
        device: str,
        message: str,
        argv: Sequence[str] = (),
        exit_code: int | None = None,
        stdout: str = "",
        stderr: str = "",
    ) -> None:
        self.device, self.argv, self.exit_code = device, tuple(argv), exit_code
        self.stdout, self.stderr = stdout, stderr
        tail = "; ".join(line.strip() for line in stderr.strip().splitlines()[-3:])
        super().__init__(f"{device}: {message}{': ' + tail if tail else ''}")


class DeviceFullError(DeviceError):
    """No space is left on the device; says what is needed and what there is."""


class DeviceLostError(DeviceError):
    """The device went away in the middle of something."""


class DeviceTimeoutError(DeviceError):
    """The device did not answer in time."""


class MeasurementError(JobError):
    """One cell could not be measured.

    Attributes:
        status: The cell's status (`failed`, `timeout`, …).
        may_pass: Whether it says nothing of the cell, which a resumed run then measures again.
    """

    def __init__(self, message: str, status: Status = Status.FAILED, may_pass: bool = False) -> None:
        self.status, self.may_pass = status, may_pass
        super().__init__(message)


def near_misses(name: str, known: Iterable[str]) -> list[str]:
    """Return up to three known names that look like `name`, best first, compared without case."""
    import difflib  # late: nothing else needs it

    lower = {k.lower(): k for k in known}
    close = difflib.get_close_matches(name.lower(), lower, n=3, cutoff=0.6)
    return [lower[k] for k in close]


HOST_FAULTS = frozenset(
    getattr(errno, name)
    for name in (
        *("ENOSPC", "EDQUOT", "EFBIG"),  # no room
        *(
            "EIO",
            "ENXIO",
            "ENODEV",
            "ESTALE",
            "ENOTCONN",
            "EROFS",
            "ESHUTDOWN",
        ),  # a disk or mount that is gone
        *("EACCES", "EPERM"),  # a right that was lost
        *("EMFILE", "ENFILE", "ENOMEM", "ENOLCK"),  # nothing left to open, start or lock with
    )
    if hasattr(errno, name)
)
"""Errors of the system that say something of this computer, and nothing of a model or an image."""


def is_host_fault(error: BaseException) -> bool:
    """Whether an error says that this computer fails."""
    of_system = isinstance(error, OSError) and error.errno in HOST_FAULTS
    return of_system or isinstance(error, (OutputError, HostFaultError))


@contextmanager
def blamed_on_model(words: str) -> Iterator[None]:
    """Map whatever lower libraries raise over an odd model to a ModelError, which begins with these words.

    Raises:
        ModelError: Any error but ours and those that say something of this computer.
    """
    try:
        yield
    except HarnessError:
        raise
    except Exception as error:
        if is_host_fault(error):
            raise
        said = " ".join(str(error).split()) or "no further word"
        raise ModelError(f"{words} ({type(error).__name__}: {said})") from error


def cannot_read(path: object, error: OSError, what: str = "") -> str:
    """Say that a file, or what it holds (`the detections`), cannot be read, in the system's words."""
    return f"{path}: {what}{' ' if what else ''}cannot be read ({error.strerror or error})"


def cannot_write(path: object, error: OSError, what: str = "") -> str:
    """Say that a file, or what it shall hold, cannot be written, in the system's words."""
    return f"{path}: {what}{' ' if what else ''}cannot be written ({error.strerror or error})"
