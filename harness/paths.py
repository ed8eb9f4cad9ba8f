"""What stands at a path that came from outside: a user, a card, annotations, a plan.

Such a name may be anything: longer than the system takes, with a NUL in it, below a folder that may not be looked
into, relative to a folder that is gone, or of a user that nobody knows. Python's own predicates raise half a dozen
kinds of errors then, other ones from version to version. Here a name that cannot be is one that is not there, and what
must not be looked at is a `UsageError` that says so.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from harness.errors import UsageError, cannot_read

AnyPath = str | Path
_ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL})
"""What the system says of a name that nothing has, or can have."""
_GONE = "the current folder does not exist any more: change to another one"


def status(path: AnyPath) -> os.stat_result | None:
    """Return what the system knows of the file, folder or device behind all links; None where nothing is there.

    Raises:
        UsageError: It may not be looked at.
    """
    try:
        return os.stat(path)  # noqa: PTH116 - half the time of Path.stat, and a data set has 100,000 images
    except ValueError:  # a NUL in it, or what no encoding of this system can write
        return None
    except OSError as error:
        if error.errno in _ABSENT:
            return None
        raise UsageError(cannot_read(path, error)) from error


def exists(path: AnyPath) -> bool:
    """Whether anything is there."""
    return status(path) is not None


def is_file(path: AnyPath) -> bool:
    """Whether a regular file is there."""
    found = status(path)
    return found is not None and stat.S_ISREG(found.st_mode)


def is_folder(path: AnyPath) -> bool:
    """Whether a folder is there."""
    found = status(path)
    return found is not None and stat.S_ISDIR(found.st_mode)


def is_link(path: AnyPath) -> bool:
    """Whether a symbolic link is there, wherever it leads."""
    return os.path.islink(path)  # noqa: PTH114 - it takes every name


def size_of(path: AnyPath) -> int:
    """Return the size of a file in bytes.

    Raises:
        UsageError: There is none, or it may not be looked at.
    """
    found = status(path)
    if found is None:
        raise UsageError(f"{path}: no such file")
    return found.st_size


def content_of(path: AnyPath) -> bytes:
    """Return the bytes of a file.

    Raises:
        OSError: It cannot be read, or no file can have that name.
    """
    with opened(path) as file:
        return file.read()


def opened(path: AnyPath) -> BinaryIO:
    """Open a file to read.

    Raises:
        OSError: It cannot be read, or no file can have that name.
    """
    try:
        return Path(path).open("rb")
    except ValueError as error:
        raise OSError(errno.ENOENT, os.strerror(errno.ENOENT), os.fspath(path)) from error


def same_file(one: AnyPath, other: AnyPath) -> bool:
    """Whether two names are those of one thing that is there."""
    first, second = status(one), status(other)
    return first is not None and second is not None and os.path.samestat(first, second)


def working_folder() -> Path:
    """Return the current folder.

    Raises:
        UsageError: It was deleted.
    """
    try:
        return Path.cwd()
    except OSError as error:
        raise UsageError(_GONE) from error


def absolute(path: AnyPath) -> Path:
    """Return a path that does not depend on the current folder.

    Raises:
        UsageError: The current folder was deleted.
    """
    given = Path(path)
    return given if given.is_absolute() else working_folder() / given


def resolved(path: AnyPath) -> Path:
    """Return the absolute path behind all links; as it is from where nothing is there.

    Raises:
        UsageError: Its links go in a circle, it may not be looked at, or the current folder was deleted.
    """
    whole = absolute(path)
    try:
        found = whole.resolve()
    except ValueError:
        return whole
    except (OSError, RuntimeError) as error:  # a circle is a RuntimeError before Python 3.13 …
        raise UsageError(f"{path}: cannot be followed ({error})") from error
    if is_link(found):  # … and left as it is since
        raise UsageError(f"{path}: cannot be followed (its links go in a circle)")
    return found


def expand_user(path: AnyPath) -> Path:
    """Expand a leading `~`; a path whose user is not known stays as it is."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def home() -> Path:
    """Return the user's own folder; the current one where the system knows of none."""
    found = expand_user("~")
    return found if found.is_absolute() else Path()


def found_in(folder: AnyPath, pattern: str = "*") -> list[Path]:
    """Return what matches in a folder, sorted; nothing where there is no such folder.

    Raises:
        UsageError: The folder may not be looked into.
    """
    if not is_folder(folder):
        return []
    try:
        os.scandir(folder).close()  # `glob` passes over what it may not look into
    except OSError as error:
        _refuse(error)
    return sorted(Path(folder).glob(pattern))


def files_below(folder: AnyPath) -> Iterator[Path]:
    """Return the files in a folder and in those below it, sorted by folder.

    Raises:
        UsageError: A folder may not be looked into.
    """
    for place, folders, names in os.walk(folder, onerror=_refuse) if is_folder(folder) else ():
        folders.sort()
        yield from (path for path in (Path(place, name) for name in sorted(names)) if is_file(path))


def _refuse(error: OSError) -> None:
    if error.errno not in _ABSENT:
        raise UsageError(cannot_read(error.filename, error)) from error
