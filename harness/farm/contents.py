"""Keep files on a host by content: `ROOT/files/<2 digits>/<sha256>/<name>`.

A file is sent once to a host, however many workers, runs and cells use it. It is hashed on arrival and renamed only
when the hash is the announced one, so that a file that is there is whole. Workers of one host may share the folder.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterable
from pathlib import Path

from harness import atomic
from harness.errors import DeviceError, OutputError, cannot_write
from harness.farm.wire import File
from harness.hashing import hash_file
from harness.names import safe_file_name

LIMIT_BYTES = 50_000_000_000
"""The files of a host may take so much room; beyond it, those unused for longest are removed."""
IN_USE_S = 24 * 3600.0
"""A file used within the last day is not removed: a run may still need it."""
MARK_S = 3600.0
"""How often at most the time of a file's last use is written."""
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Contents:
    """Files in one folder of a host, by content."""

    def __init__(self, root: Path, limit_bytes: int = LIMIT_BYTES) -> None:
        self.root, self._limit = root, limit_bytes
        self._marked: dict[str, float] = {}
        self._folders: dict[str, Path] = {}
        try:
            for folder in (self._files, self._incoming):
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{root}: cannot be used for files ({error.strerror or error})") from error

    @property
    def _files(self) -> Path:
        return self.root / "files"

    @property
    def _incoming(self) -> Path:
        return self.root / "incoming"

    @property
    def identity(self) -> str:
        """The folder's identity among all hosts, so that workers that share it are sent each file once."""
        status = self.root.stat()
        return f"{_machine()}:{status.st_dev}:{status.st_ino}"

    def missing(self, files: Iterable[File]) -> tuple[str, ...]:
        """Return the hashes of the files that are not here, and mark the others as used now."""
        return tuple(dict.fromkeys(file.sha256 for file in files if not self._has(file)))

    def _has(self, file: File) -> bool:
        """Whether a file's content is here, under its name or another."""
        folder = self._folder(file.sha256)
        found = os.path.isfile(f"{folder}/{safe_file_name(file.name)}") or self._content(file) is not None  # noqa: PTH113
        if found and time.monotonic() - self._marked.get(file.sha256, float("-inf")) > MARK_S:
            self._marked[file.sha256] = time.monotonic()
            with contextlib.suppress(OSError):
                os.utime(folder)
        return found

    def place(self, file: File) -> Path:
        """Return the path of a file under its name.

        Raises:
            DeviceError: It is not here (any more).
        """
        path = self._folder(file.sha256) / safe_file_name(file.name)
        if path.is_file():
            return path
        content = self._content(file)
        if content is None:
            raise DeviceError("farm", f"{file.name} (sha256 {file.sha256}) is not on the host any more")
        with atomic.replacing(path) as temporary:
            _link(content, temporary)
        return path

    def bundle(self, files: Iterable[File]) -> Path:
        """Put files into one folder and return the first, so that a program finds its libraries beside it."""
        listed = tuple(files)
        listing = "\n".join(f"{file.sha256} {safe_file_name(file.name)}" for file in listed)
        folder = self.root / "bundles" / hashlib.sha256(listing.encode()).hexdigest()
        if not folder.is_dir():
            temporary = folder.with_name(secrets.token_hex(8))
            temporary.mkdir(parents=True)
            for file in listed:
                _link(self.place(file), temporary / safe_file_name(file.name))
                (temporary / safe_file_name(file.name)).chmod(0o755)
            try:
                temporary.replace(folder)
            except OSError:  # another worker was first
                shutil.rmtree(temporary, ignore_errors=True)
        return folder / safe_file_name(listed[0].name)

    def write(self, file: File, offset: int, data: bytes) -> None:
        """Write a part of a file; with the last part the file becomes available.

        Parts of one file must come in order, from one sender at a time.

        Raises:
            OutputError: It cannot be written.
            DeviceError: What arrived is not what was announced.
        """
        part = self._incoming / _checked(file.sha256)
        try:
            with part.open("r+b" if offset else "wb") as stream:
                stream.seek(offset)
                stream.write(data)
            if offset + len(data) == file.size:
                self._install(part, file)
        except OSError as error:
            raise OutputError(cannot_write(part, error)) from error

    def _install(self, part: Path, file: File) -> None:
        found = hash_file(part)
        if found != file.sha256:
            part.unlink()
            raise DeviceError(
                "farm", f"{file.name}: arrived damaged (sha256 is {found} there, {file.sha256} here)"
            )
        folder = self._folder(file.sha256)
        folder.mkdir(parents=True, exist_ok=True)
        part.replace(folder / safe_file_name(file.name))

    def make_room(self) -> None:
        """Remove the files unused for longest until the rest fits; called when a worker starts."""
        stored = sorted((_used(folder), folder) for folder in self._files.glob("*/*"))
        total = sum(size for (_, size), _ in stored)
        for (used, size), folder in stored:
            if total <= self._limit or used > time.time() - IN_USE_S:
                break
            shutil.rmtree(folder, ignore_errors=True)
            total -= size
        for old in (self.root / "bundles").glob("*"):
            if old.stat().st_mtime < time.time() - IN_USE_S and total > self._limit:
                shutil.rmtree(old, ignore_errors=True)

    def _folder(self, sha256: str) -> Path:
        if sha256 not in self._folders:
            self._folders[sha256] = self._files / _checked(sha256)[:2] / sha256
        return self._folders[sha256]

    def _content(self, file: File) -> Path | None:
        """Return the path of a content under whatever name; None where it is not here."""
        folder = self._folder(file.sha256)
        try:
            return next((path for path in folder.iterdir() if not path.name.startswith(".")), None)
        except OSError:
            return None


def _checked(sha256: str) -> str:
    """Return a hash that is safe in a path: it comes from outside."""
    if not _SHA256.fullmatch(sha256):
        raise DeviceError("farm", f"found {sha256!r}, expected a sha256 of 64 hexadecimal digits")
    return sha256


def _used(folder: Path) -> tuple[float, int]:
    """Return when a content was used last, and its size."""
    return folder.stat().st_mtime, max((path.stat().st_size for path in folder.iterdir()), default=0)


def _link(source: Path, target: Path) -> None:
    """Give a file a second name; copy it where the file system has no hard links."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _machine() -> str:
    """Return this computer's identity: the id of its boot where there is one, else its name."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        import platform

        return platform.node()
