"""Say how to install what is missing, for the Python that runs and from where this package came."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent


def pip_install(*requirements: str) -> str:
    """Return the command that installs something beside this package.

    >>> pip_install("libusb1>=3").endswith(" -m pip install 'libusb1>=3'")
    True
    """
    return f"{shlex.quote(sys.executable or 'python3')} -m pip install {shlex.join(requirements)}"


def install_extra(extra: str, checkout: Path = CHECKOUT) -> str:
    """Return the command that installs an extra: from the checkout, or the packages that it stands for.

    No package index has to know this package.
    """
    if (checkout / "pyproject.toml").is_file():
        return pip_install("-e", f"{checkout}[{extra}]")
    return pip_install(*(_packages(extra) or [f"ondevice-harness[{extra}]"]))


def _packages(extra: str) -> list[str]:
    """Return the requirements of an extra, as they stand in the metadata of the installed package."""
    from importlib import metadata  # late: it is a fifth of the time that `harness --help` takes

    try:
        lines = metadata.requires("ondevice-harness") or []
    except metadata.PackageNotFoundError:
        return []
    ends = re.compile(rf";\s*extra == ['\"]{re.escape(extra)}['\"]$")
    return [ends.sub("", line).strip() for line in lines if ends.search(line)]
