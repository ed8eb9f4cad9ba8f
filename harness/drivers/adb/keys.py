"""The RSA keys that a phone knows this computer by: the same files as the adb tool's."""

from __future__ import annotations

import base64
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, overload

from harness.errors import OutputError, UsageError, cannot_write
from harness.paths import expand_user, found_in, is_file, is_folder


def key_paths() -> list[Path]:
    """Return the private keys to try: `ADB_VENDOR_KEYS`, then the user's own, which is made if it is missing."""
    vendor = [expand_user(text) for text in os.environ.get("ADB_VENDOR_KEYS", "").split(os.pathsep) if text]
    found = [key for path in vendor for key in (found_in(path, "*.adb_key") if is_folder(path) else [path])]
    return [*(path for path in found if is_file(path)), user_key()]


def user_key() -> Path:
    """Return the user's private key; make one, readable by nobody else, if there is none.

    Raises:
        OutputError: It cannot be written.
    """
    folder = expand_user(os.environ.get("ANDROID_USER_HOME") or "~/.android")
    path = folder / "adbkey"
    if not is_file(path):
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            make_key(path)
        except OSError as error:
            raise OutputError(cannot_write(path, error, "the key for phones")) from error
    return path


def make_key(path: Path) -> None:
    """Make a key pair; the private half is 0600 from the first byte on, and never half there.

    adb-shell writes it readable for everybody, so it writes into a private folder first.
    """
    from adb_shell.auth.keygen import keygen

    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".adbkey-") as folder:
        temporary = Path(folder) / "key"
        keygen(str(temporary))
        temporary.chmod(0o600)
        with suppress(FileExistsError):  # another process was faster; its key is as good
            os.link(temporary, path)
            temporary.with_name("key.pub").replace(path.with_name(f"{path.name}.pub"))


def signer(path: Path) -> Any:
    """Read a private key.

    Raises:
        UsageError: It is not an RSA key in PEM.
    """
    from adb_shell.auth.sign_pythonrsa import PythonRSASigner

    try:
        return PythonRSASigner(_public_half(path), path.read_text(encoding="utf-8"))
    except (OSError, ValueError, IndexError) as error:
        raise UsageError(f"{path}: not a private key of adb ({error})") from error


def _public_half(path: Path) -> str:
    public = path.with_name(f"{path.name}.pub")
    if is_file(public):
        return public.read_text(encoding="utf-8")
    from adb_shell.auth.keygen import encode_pubkey, get_user_info

    return base64.b64encode(encode_pubkey(str(path))).decode() + str(get_user_info())


class Keys(Sequence[Any]):
    """The signers, read or made only when a device asks for them."""

    def __init__(self, paths: Sequence[Path] | None = None) -> None:
        self._paths = paths
        self._signers: list[Any] | None = None

    def _loaded(self) -> list[Any]:
        if self._signers is None:
            self._signers = [signer(path) for path in (self._paths or key_paths())]
        return self._signers

    def __len__(self) -> int:
        return len(self._loaded())

    def __iter__(self) -> Iterator[Any]:
        return iter(self._loaded())

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Any]: ...
    def __getitem__(self, index: int | slice) -> Any:
        return self._loaded()[index]
