"""Files on their way to and from a board: tar streams, which every Linux can unpack."""

from __future__ import annotations

import os
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from shutil import copyfileobj
from typing import IO

from harness.archive import Headers
from harness.drivers.local_file import replaced
from harness.errors import DeviceError, FetchError, cannot_read

COPY_BYTES = 1 << 20
PACK_SCRIPT = r"""
cd "$1" || exit 1
shift
for name do shift; if [ -f "$name" ]; then set -- "$@" "$name"; fi; done
[ $# -gt 0 ] || { echo "nothing of it is there" >&2; exit 1; }
tar -cf - -- "$@" || exit 1
here=$(pwd); cd / && rm -rf "$here"
"""
"""Packs those of some files that are there, and removes their folder."""


def write_tar(stream: IO[bytes], files: Sequence[tuple[Path, str]], device: str) -> None:
    """Write files as a tar stream.

    Args:
        stream: Where to.
        files: Files here and their absolute paths there.
        device: The device's name, for errors.

    Raises:
        DeviceError: A file here cannot be read.
    """
    try:
        with tarfile.open(fileobj=stream, mode="w|", format=tarfile.GNU_FORMAT, bufsize=COPY_BYTES) as tar:
            for path, there in files:
                with path.open("rb") as file:
                    member = tarfile.TarInfo(there.lstrip("/"))
                    member.size, member.mode = os.fstat(file.fileno()).st_size, 0o755
                    tar.addfile(member, file)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise DeviceError(device, cannot_read(path, error)) from error


def reason(said: str) -> str:
    """Return why tar or dd gave up: the first complaint, which the later ones follow from."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return (
        lines[0].removeprefix("tar: ").removeprefix("dd: ")
        if lines
        else "the files could not be written there"
    )


WRITE_TEST_SCRIPT = 'dd if=/dev/zero of="$1" bs=65536 count=16; code=$?; rm -f "$1"; exit $code'
"""Writes a megabyte: a tar that could write only a part does not say why, the next writer does."""


@contextmanager
def unpacked(device: str, local: Path, names: Sequence[str]) -> Iterator[IO[bytes]]:
    """Give a temporary file for a tar archive, and unpack from it the named files, and nothing else.

    Raises:
        DeviceError: It is no archive, its headers are longer than such ones are, or a file cannot be written.
    """
    with tempfile.TemporaryFile(dir=local) as archive:
        yield archive
        size = archive.seek(0, os.SEEK_END)
        archive.seek(0)
        stream = Headers(archive, "its tar")
        try:
            with tarfile.open(fileobj=stream, mode="r:") as tar:
                for member in tar:
                    if member.name in names and member.isfile():
                        _refuse_holes(member, size)
                        with replaced(device, local / member.name) as file, stream.lifted():
                            copyfileobj(_content(tar, member), file, COPY_BYTES)
        except (tarfile.TarError, FetchError, ValueError, OverflowError) as error:
            raise DeviceError(device, f"what came from the device is no archive ({error})") from error


def _refuse_holes(member: tarfile.TarInfo, most: int) -> None:
    """Refuse a file that says that it is larger than its archive: one of holes, which would fill this disk."""
    if member.size > most:
        raise tarfile.TarError(f"{member.name} is {member.size:,} bytes long there, of {most:,} in all")


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    content = tar.extractfile(member)
    assert content is not None  # it is a file
    return content
