"""Downloads of models, never without a hash.

A card's `sha256` is what the file must have. Where a card has none, the hash of the first download is pinned
beside the file, and anything else at that address is refused from then on. A file reaches its place in the
cache whole and verified, or not at all. Addresses are http or https, and so are the redirects that they give.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from harness import atomic, cards
from harness.errors import FetchError, OutputError, UsageError
from harness.hashing import hash_file
from harness.paths import exists, is_file, size_of

if TYPE_CHECKING:
    from harness.download import OnProgress

_STALE_S = 86_400


class Pin(msgspec.Struct, frozen=True, kw_only=True):
    """What was found at an address when it was first fetched."""

    url: str
    member: str | None
    sha256: str
    size_bytes: int
    fetched_at: str


@dataclass(frozen=True)
class Fetched:
    """The outcome of one fetch.

    Attributes:
        model: The model.
        path: The verified file.
        sha256: Its hash.
        size_bytes: Its size.
        downloaded: False when the file was here already.
        pinned: True when this fetch recorded the hash for the first time or anew, because the card has none.
    """

    model: cards.Model
    path: Path
    sha256: str
    size_bytes: int
    downloaded: bool
    pinned: bool


def fetch(model: cards.Model, *, repin: bool = False, on_progress: OnProgress | None = None) -> Fetched:
    """Make a model's file available in the cache and return where it is.

    A file that is there and has the right hash is kept; nothing is downloaded then.

    Args:
        model: A model whose card has a URL.
        repin: Download again and accept what is there now, for a card without a hash.
        on_progress: Told about each chunk.

    Raises:
        FetchError: The download failed, or is not what the card or the pin says; both hashes are named.
        UsageError: The card has no URL.
        OutputError: The cache cannot be read or written.
    """
    return fetch_all([model], repin=repin, on_progress=on_progress)[0]


def fetch_all(
    models: Sequence[cards.Model], *, repin: bool = False, on_progress: OnProgress | None = None
) -> list[Fetched]:
    """Make several files of one address available, such as members of one archive, which is downloaded once at most.

    Raises:
        FetchError: As for `fetch`; the files before the one that fails are there.
        UsageError: As for `fetch`.
        OutputError: As for `fetch`.
    """
    targets = [_target(model) for model in models]
    with _cache_errors():
        found = [
            None if repin else _kept(model, target) for model, target in zip(models, targets, strict=True)
        ]
        if all(found):
            return [kept for kept in found if kept is not None]
        with _temporary_folder() as folder:
            body = _downloaded(models[0], folder, on_progress)
            return [
                kept or _install(model, _taken(model, body, folder), target, repin=repin)
                for model, target, kept in zip(models, targets, found, strict=True)
            ]


def _target(model: cards.Model) -> Path:
    if model.download is None:
        raise UsageError(f"{model.name}: nothing to fetch; its card names the local file {model.file}")
    return model.download


def verify(model: cards.Model) -> None:
    """Check a fetched file against its card's hash or its pin; a file without either passes.

    Raises:
        FetchError: The file is not what was fetched; both hashes are named.
    """
    path = model.download or model.file
    expected = _expected(model, path)
    if expected is None or not is_file(path):
        return
    found = hash_file(path)
    if found != expected:
        raise FetchError(
            f"{model.name}: {path} has sha256 {found}, expected {expected}; delete it and fetch it again"
        )


def pin_file(target: Path) -> Path:
    """Return where the pin of a fetched file is kept."""
    return target.with_name(target.name + ".pin.json")


def read_pin(model: cards.Model, target: Path) -> Pin | None:
    """Return the pin of a file, or None where there is none for the card's present address.

    Raises:
        FetchError: The pin cannot be read; a damaged pin never counts as no pin.
    """
    path = pin_file(target)
    try:
        pin = msgspec.json.decode(path.read_bytes(), type=Pin)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        hint = "correct or delete it"
        raise FetchError(f"{model.name}: the pin {path} cannot be read ({error}); {hint}") from error
    source = model.card.source
    return pin if (pin.url, pin.member) == (source.url, source.member) else None


def _expected(model: cards.Model, target: Path) -> str | None:
    """Return the hash that the file must have, or None when none is known yet."""
    if model.card.source.sha256 is not None:
        return model.card.source.sha256
    pin = read_pin(model, target)
    return pin.sha256 if pin else None


def _kept(model: cards.Model, target: Path) -> Fetched | None:
    """Return the file that is already there, if it is the right one, or one that a user put there by hand.

    That one has neither a hash nor a pin, and gets the pin that a download would have got.
    """
    if not is_file(target):
        return None
    expected, found = _expected(model, target), hash_file(target)
    pinned = expected is None and not exists(pin_file(target))
    if pinned:
        if model.card.source.format == "tflite":
            _check_is_model(model, target)
        _pin(model, _new_pin(model, found, target), target, replace=False)
    elif found != expected:
        return None
    return Fetched(model, target, found, size_of(target), downloaded=False, pinned=pinned)


@contextmanager
def _cache_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = f"{error.strerror or error}: {error.filename}" if error.filename else str(error)
        where = cards.cache_folder()
        raise OutputError(
            f"{where}: cannot be used ({reason}); set HARNESS_CACHE to another folder"
        ) from error


@contextmanager
def _temporary_folder() -> Iterator[Path]:
    """Give a folder on the cache's file system that is gone afterwards, whatever happens."""
    cache = cards.cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    _remove_stale(cache)
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=cache) as folder:
        yield Path(folder)


def _remove_stale(cache: Path) -> None:
    """Remove what a killed fetch left behind a day ago or earlier."""
    for folder in cache.glob(".fetch-*"):
        with contextlib.suppress(FileNotFoundError):  # another fetch may end and remove its own just now
            if time.time() - folder.lstat().st_mtime > _STALE_S and not folder.is_symlink():
                shutil.rmtree(folder, ignore_errors=True)


def _downloaded(model: cards.Model, folder: Path, on_progress: OnProgress | None) -> Path:
    from harness.download import download  # late: most models are here

    body = folder / "body"
    try:
        download(model.card.source.url or "", body, on_progress)
    except FetchError as error:
        raise FetchError(f"{model.name}: {model.card.source.url}: {error}; {_by_hand(model)}") from error
    return body


def _taken(model: cards.Model, body: Path, folder: Path) -> Path:
    """Take the file out of what was downloaded, where that is an archive."""
    source, file = model.card.source, body
    if source.member is not None:
        from harness.archive import extract_member
        from harness.download import MAX_BYTES

        file = folder / "file"
        try:
            extract_member(body, source.member, file, MAX_BYTES)
        except FetchError as error:
            raise FetchError(f"{model.name}: {source.url}: {error}; {_by_hand(model)}") from error
    if source.format == "tflite":
        _check_is_model(model, file)
    return file


def _by_hand(model: cards.Model) -> str:
    """Say where a file that was got in another way belongs."""
    what = model.card.source.member or "it"
    return f"or get {what} in another way and put it at {model.download}"


def _check_is_model(model: cards.Model, file: Path) -> None:
    """Refuse an error page or a pointer to a file before its hash is taken for the model's."""
    with file.open("rb") as stream:
        head = stream.read(64)
    if head[4:8] != b"TFL3":
        raise FetchError(
            f"{model.name}: {model.card.source.url}: not a TFLite model; it begins with {head[:32]!r}"
        )


def _install(model: cards.Model, got: Path, target: Path, *, repin: bool) -> Fetched:
    """Compare the hash, record it, and put the file into its place."""
    sha256, size = hash_file(got), size_of(got)
    expected = model.card.source.sha256
    if expected is not None and sha256 != expected:
        raise FetchError(_mismatch(model, sha256, expected, f"the card {model.origin}", "correct the card"))
    pin = _new_pin(model, sha256, got)
    pinned = _pin(model, pin, target, replace=repin or expected is not None) and expected is None
    with got.open("rb") as file:
        os.fsync(file.fileno())
    got.replace(target)
    return Fetched(model, target, sha256, size, downloaded=True, pinned=pinned)


def _new_pin(model: cards.Model, sha256: str, file: Path) -> Pin:
    source = model.card.source
    now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    return Pin(
        url=source.url or "", member=source.member, sha256=sha256, size_bytes=size_of(file), fetched_at=now
    )


def _pin(model: cards.Model, pin: Pin, target: Path, *, replace: bool) -> bool:
    """Record a hash; return whether it is new. Of two fetches at once, the first to record decides.

    Raises:
        FetchError: Another hash is recorded for this address.
    """
    path = pin_file(target)
    data = msgspec.json.format(msgspec.json.encode(pin), indent=2) + b"\n"
    known = None if replace else read_pin(model, target)
    if known is None and not replace and not exists(path):
        if _create(path, data):
            return True
        known = read_pin(model, target)  # another fetch was first
    if known is None:
        atomic.write_bytes(path, data)
        return True
    if known.sha256 != pin.sha256:
        remedy = f"run `harness models fetch --repin {model.name}`"
        raise FetchError(_mismatch(model, pin.sha256, known.sha256, f"the pin of {known.fetched_at}", remedy))
    return False


def _create(path: Path, data: bytes) -> bool:
    """Write a file that must not exist yet; return False when it does."""
    temporary = atomic.beside(path)
    atomic.write_bytes(temporary, data)
    try:
        path.hardlink_to(temporary)
    except FileExistsError:
        return False
    except OSError:  # a file system without links: here two fetches at once are not told apart
        atomic.write_bytes(path, data)
    finally:
        temporary.unlink()
    return True


def _mismatch(model: cards.Model, found: str, expected: str, origin: str, remedy: str) -> str:
    return (
        f"{model.name}: {model.card.source.url} has sha256 {found}, but {origin} says {expected}; nothing "
        f"was kept. If the change is meant to be, {remedy}"
    )
