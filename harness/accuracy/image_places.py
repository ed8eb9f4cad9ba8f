"""The file of an image that annotations name: below the image folder, however the tool that wrote them names it.

Label Studio writes backslashes, and paths of the computer that it runs on; then the last part is the file's name.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath, PureWindowsPath

from harness.accuracy.annotations import GroundTruth, ImageRow
from harness.errors import DatasetError
from harness.paths import is_file

_LOCAL_FILE = "?d="
"""Label Studio: `/data/local-files/?d=FOLDER/FILE`."""
_ODD = frozenset("\\:\0")
"""What a path of Windows, or none at all, has."""


def locate(truth: GroundTruth, row: ImageRow, folder: Path) -> Path:
    """Return where an image is, or where it should be if it is not there.

    Args:
        truth: The annotations, for the error.
        row: The image.
        folder: Of the images; nothing outside it is ever named.

    Raises:
        DatasetError: The name is missing, or leads out of the folder and no file there has its last part.
    """
    if not row.file_name:
        raise DatasetError(f"{truth.path}: image {row.id}: the key 'file_name' is missing or empty")
    found = by_whole_name(row.file_name, folder) or by_last_part(row.file_name, folder)
    if found is not None:
        return found
    if stays_inside(row.file_name):
        return folder / _slashes(row.file_name)
    raise DatasetError(
        f"{truth.path}: image {row.id}: file_name {row.file_name!r} leads out of the image folder; "
        "expected a relative path without '..'"
    )


def by_whole_name(name: str, folder: Path) -> Path | None:
    """Return the file that a name says; None where there is none inside the folder."""
    if not stays_inside(name):
        return None
    names = dict.fromkeys((name, _slashes(name)))
    return next((path for path in (folder / each for each in names) if is_file(path)), None)


def by_last_part(name: str, folder: Path) -> Path | None:
    """Return the file in the folder itself that the last part of a name says; None where there is none."""
    last = PurePosixPath(_slashes(name.rpartition(_LOCAL_FILE)[2])).name
    if last in {"", ".", ".."} or "\0" in last:
        return None
    return folder / last if is_file(folder / last) else None


def _slashes(name: str) -> str:
    return name.replace("\\", "/")


def stays_inside(name: str) -> bool:
    """Whether a path leads nowhere but below the folder that it begins in, on any system."""
    if not _ODD.intersection(name) and name[:1] != "/" and ".." not in name:
        return True  # as nearly all: taking it apart for two systems takes longer than looking for the file
    posix, windows = PurePosixPath(name), PureWindowsPath(name)
    outside = posix.is_absolute() or windows.is_absolute() or windows.drive or windows.root
    return not outside and "\0" not in name and ".." not in (*posix.parts, *windows.parts)
