"""The vendor's licence is accepted by the user, once, before any of its libraries is loaded.

A line in `vendor-licenses.toml` in the user's configuration folder says so: `qualcomm = "sha256 of the licence"`, or
`qualcomm = "any"` for whatever it says. `--accept-vendor-license` writes it. A licence that has changed is asked for
anew.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from harness import atomic, schema
from harness.errors import UsageError
from harness.hashing import hash_file
from harness.npu.vendor import LICENSE_FILE, QNN_PACKAGE, Vendor
from harness.paths import content_of, expand_user, is_file

KEY, ANY = "qualcomm", "any"
FILE = "vendor-licenses.toml"
OPTION = "--accept-vendor-license"


def license_file() -> Path:
    """Return where it is written down what was accepted."""
    folder = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return expand_user(folder) / "ondevice-harness" / FILE


def require_acceptance(vendor: Vendor, accepted: bool = False) -> None:
    """Go on only where the licence was accepted, and write down where it is accepted now.

    Args:
        vendor: What is to be used.
        accepted: The user says so now.

    Raises:
        UsageError: Names the licence's file and how to accept it.
        OutputError: It cannot be written down.
    """
    if is_accepted(vendor):
        return
    if not accepted:
        raise UsageError(
            f"{QNN_PACKAGE} {vendor.qnn_version} holds libraries of Qualcomm's under a licence of their own, whatever "
            f"its metadata says: read {vendor.license}. To accept it, give {OPTION} once, or write "
            f'{KEY} = "{_hash(vendor)}" into {license_file()}'
        )
    path = license_file()
    atomic.make_folder(path.parent)
    atomic.write_bytes(path, _with_line(path, _hash(vendor)).encode())


def is_accepted(vendor: Vendor) -> bool:
    """Whether the user accepted this licence."""
    path = license_file()
    told = schema.load_toml(path).get(KEY) if is_file(path) else None
    return told in (ANY, _hash(vendor))  # a list is equal to none of them, and no member of a set


def _hash(vendor: Vendor) -> str:
    """A package without the file is told by its version: something else covers it, or it was taken out."""
    return (
        hash_file(vendor.license) if is_file(vendor.license) else f"no {LICENSE_FILE} in {vendor.qnn_version}"
    )


def _with_line(path: Path, value: str) -> str:
    """Return the file's text with our line; lines of other makers stay.

    It comes first where there is a table: behind one, it would be a key of that.
    """
    before = content_of(path).decode("utf-8") if is_file(path) else ""
    lines = before.splitlines()
    at = next((at for at, line in enumerate(lines) if line.lstrip().startswith("[")), len(lines))
    kept = [line for line in lines[:at] if not re.match(rf"\s*{KEY}\s*=", line)]
    return "\n".join([*kept, f'{KEY} = "{value}"', *lines[at:], ""])
