"""One member out of a zip or tar archive that nobody has reason to trust.

Only the named member is read, and its bytes go to a path that the caller chose: names inside the archive
never become paths. Links, devices, folders and members larger than a stated bound are refused.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, TypeVar

from harness.errors import FetchError, near_misses

_T = TypeVar("_T")
_CHUNK = 1 << 20
_SKIP_FACTOR = 4
"""How many times the bound may be unpacked before the member is reached."""

MAX_HEADER_BYTES = 4 << 20
"""Of all members of a tar together: 8,192 of them, with short names."""

_BROKEN = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,  # a compression method that zipfile does not know
    RuntimeError,  # a password is needed
    ValueError,
    OverflowError,
)


def extract_member(archive: Path, member: str, target: Path, max_bytes: int) -> None:
    """Copy one member of `archive` to `target`.

    Args:
        archive: A zip file or a tar file, compressed or not; told by its content.
        member: The member's exact name; a leading `./` in the archive is ignored.
        target: The file to write.
        max_bytes: The largest size of the member that is accepted.

    Raises:
        FetchError: No such member, not a plain file, too large, or the archive is damaged.
        OSError: `target` cannot be written.
    """
    try:
        if zipfile.is_zipfile(archive):
            _from_zip(archive, member, target, max_bytes)
        else:
            _from_tar(archive, member, target, max_bytes)
    except _BROKEN as error:
        raise FetchError(f"{archive.name}: not a readable zip or tar archive ({error})") from error
    except OSError as error:
        if error.errno is None:  # gzip reports damage as a bare OSError
            raise FetchError(f"{archive.name}: not a readable zip or tar archive ({error})") from error
        raise


def _from_zip(archive: Path, member: str, target: Path, max_bytes: int) -> None:
    with zipfile.ZipFile(archive) as file:
        found = [info for info in file.infolist() if _plain(info.filename) == _plain(member)]
        info = _only(found, archive, member, lambda: [info.filename for info in file.infolist()])
        kind = stat.S_IFMT(info.external_attr >> 16)
        if info.is_dir() or kind not in {0, stat.S_IFREG}:
            raise _not_plain(archive, member)
        with file.open(info) as source:
            _copy(source, target, max_bytes, f"{archive.name}: member {member!r}")


def _from_tar(archive: Path, member: str, target: Path, max_bytes: int) -> None:
    with _decompressed(archive) as stream, tarfile.open(fileobj=stream, mode="r:") as file:
        found: list[tarfile.TarInfo] = []
        names: list[str] = []
        for info in file:
            names.append(info.name)
            if _plain(info.name) == _plain(member):
                found.append(info)
            if info.offset_data + info.size > _SKIP_FACTOR * max_bytes:
                raise FetchError(f"{archive.name}: larger unpacked than {_SKIP_FACTOR * max_bytes:,} bytes")
        info = _only(found, archive, member, lambda: names)
        source = file.extractfile(info) if info.isreg() else None
        if source is None:
            raise _not_plain(archive, member)
        with source, stream.lifted():
            _copy(source, target, max_bytes, f"{archive.name}: member {member!r}")


class Headers(io.RawIOBase):
    """An unpacked tar, of whose headers only so much is read.

    `tarfile` reads a long name or a pax header whole, however long it says that it is, and a map of holes to its end.

    Attributes:
        left: How many bytes may still be read; None for any number.
    """

    def __init__(self, stream: IO[bytes], name: str) -> None:
        self._stream, self._name = stream, name
        self.left: int | None = MAX_HEADER_BYTES

    @contextmanager
    def lifted(self) -> Iterator[None]:
        """Let a block read the content of a member, which counts for nothing here."""
        kept, self.left = self.left, None
        try:
            yield
        finally:
            self.left = kept

    def read(self, size: int = -1) -> bytes:
        """Read, as far as the budget goes."""
        if self.left is not None:
            if not 0 <= size <= self.left:
                raise FetchError(
                    f"{self._name}: the headers of its members are longer than {MAX_HEADER_BYTES:,} bytes; refused"
                )
            self.left -= size
        return self._stream.read(size)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place; what is passed over is not read."""
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        """Return the place."""
        return self._stream.tell()

    def seekable(self) -> bool:
        """Every file can be gone about in."""
        return True

    def readable(self) -> bool:
        """Return True."""
        return True


@contextmanager
def _decompressed(archive: Path) -> Iterator[Headers]:
    """Open a tar, compressed or not; told by its first bytes."""
    with archive.open("rb") as file:
        head = file.read(6)
    openers: dict[bytes, Callable[[Path], Any]] = {
        b"\x1f\x8b": gzip.open,
        b"BZh": bz2.open,
        b"\xfd7zXZ\x00": lzma.open,
    }
    opener = next((way for magic, way in openers.items() if head.startswith(magic)), None)
    with opener(archive) if opener else archive.open("rb") as stream:
        yield Headers(stream, archive.name)


def _plain(name: str) -> str:
    return name.removeprefix("./")


def _only(found: list[_T], archive: Path, member: str, names: Callable[[], Iterable[str]]) -> _T:
    """Return the one member found."""
    if len(found) == 1:
        return found[0]
    if found:
        raise FetchError(f"{archive.name}: {len(found)} members are called {member!r}, expected one")
    near = near_misses(member, names())
    hint = f"; there is {' and '.join(map(repr, near))}" if near else ""
    raise FetchError(f"{archive.name}: no member {member!r}{hint}")


def _not_plain(archive: Path, member: str) -> FetchError:
    return FetchError(
        f"{archive.name}: member {member!r} is not a plain file (a link, device or folder); refused"
    )


def _copy(source: IO[bytes], target: Path, max_bytes: int, what: str) -> None:
    """Copy at most `max_bytes`, counting what really comes, not what the archive's directory claims."""
    done = 0
    with target.open("wb") as out:
        while chunk := source.read(_CHUNK):
            done += len(chunk)
            if done > max_bytes:
                raise FetchError(f"{what} is larger than {max_bytes:,} bytes; refused")
            out.write(chunk)
