"""What Qualcomm's compiler needs on this computer: LiteRT's plugin and the user's own `onnxruntime-qnn`.

LiteRT's wheel ships a compiler plugin and a program that applies it, and no library of Qualcomm's. PyPI's
`onnxruntime-qnn` ships those libraries under a licence of Qualcomm's own, which lies beside them; see `license`.
Neither is imported here.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from harness.errors import UsageError
from harness.paths import found_in, is_file, is_folder, is_link

QNN_PACKAGE, QNN_MODULE = "onnxruntime-qnn", "onnxruntime_qnn"
LITERT_PACKAGE, LITERT_MODULE = "ai-edge-litert", "ai_edge_litert"
MAKER = "Qualcomm"
PROGRAM = "tools/apply_plugin_main"
PLUGINS = "vendors/qualcomm/compiler"
NEEDED = ("libQnnHtp.so", "libQnnSystem.so")
LACKING = "libQnnLpai.so"
"""The plugin is linked against it and the package lacks it; for the HTP backend nothing in it is called, so any library
of that name will do (`findings/` shows it)."""
LICENSE_FILE = "Qualcomm_LICENSE.pdf"


@dataclass(frozen=True)
class Vendor:
    """Qualcomm's libraries and LiteRT's compiler, where they lie.

    Attributes:
        qnn: Folder of the package onnxruntime-qnn.
        qnn_version: Of that package.
        litert: Folder of the package ai-edge-litert.
        litert_version: Of that package.
    """

    qnn: Path
    qnn_version: str
    litert: Path
    litert_version: str

    @property
    def license(self) -> Path:
        """Qualcomm's licence of the libraries, beside them."""
        return self.qnn / LICENSE_FILE

    @property
    def program(self) -> Path:
        """LiteRT's program that applies a compiler plugin."""
        return self.litert / PROGRAM

    @property
    def plugins(self) -> Path:
        """Folder of LiteRT's plugin for Qualcomm."""
        return self.litert / PLUGINS

    @cached_property
    def libraries(self) -> tuple[Path, ...]:
        """Qualcomm's shared libraries, and those that they need."""
        beside = self.qnn.with_name(f"{QNN_MODULE}.libs")
        return tuple(sorted([*found_in(self.qnn, "lib*.so"), *found_in(beside, "lib*.so*")]))

    def __str__(self) -> str:
        """Name both, with versions."""
        return f"{LITERT_PACKAGE} {self.litert_version} with {QNN_PACKAGE} {self.qnn_version}"

    @contextmanager
    def environment(self) -> Iterator[dict[str, str]]:
        """Give the environment in which the loader finds everything: a folder of links, which goes with the block."""
        with tempfile.TemporaryDirectory(prefix="harness-qnn-") as folder:
            for library in self.libraries:
                Path(folder, library.name).symlink_to(library)
            stub = Path(folder, LACKING)
            if not is_link(stub):
                stub.symlink_to(self.qnn / NEEDED[1])
            before = os.environ.get("LD_LIBRARY_PATH", "")
            paths = [folder, str(self.litert), *filter(None, before.split(os.pathsep))]
            yield {"LD_LIBRARY_PATH": os.pathsep.join(paths)}


def find_vendor() -> Vendor:
    """Find what is needed.

    Raises:
        UsageError: Says what is missing, and who may install it.
    """
    missing = why_missing()
    if missing is not None:
        raise UsageError(missing)
    qnn, litert = _folder(QNN_MODULE), _folder(LITERT_MODULE)
    assert qnn is not None
    assert litert is not None
    return Vendor(qnn, _version(QNN_PACKAGE), litert, _version(LITERT_PACKAGE))


def why_missing() -> str | None:
    """Say what is missing on this computer; None where nothing is."""
    if not sys.platform.startswith("linux") or platform.machine() != "x86_64":
        return f"Qualcomm's compiler and emulator run on x86-64 Linux, and this is {platform.machine()} {sys.platform}"
    litert = _folder(LITERT_MODULE)
    if litert is None or not is_file(litert / PROGRAM) or not is_folder(litert / PLUGINS):
        return (
            f"Qualcomm's compiler plugin is a part of {LITERT_PACKAGE} 2.3 or later, which is not installed"
        )
    qnn = _folder(QNN_MODULE)
    if qnn is None:
        return (
            f"Qualcomm's libraries are not here. They come with the PyPI package {QNN_PACKAGE}, which is yours to "
            f"install beside this program: its metadata names MIT only, but {LICENSE_FILE} inside it covers the "
            "libraries (to develop your own applications and to benchmark; revocable; no redistribution). Read it first"
        )
    lacking = [name for name in NEEDED if not is_file(qnn / name)]
    return f"{qnn} lacks {', '.join(lacking)}: another package of this name?" if lacking else None


def _folder(module: str) -> Path | None:
    """Return where a package lies, without importing it."""
    found = importlib.util.find_spec(module)
    return None if found is None or found.origin is None else Path(found.origin).parent


def _version(package: str) -> str:
    from importlib import metadata  # late: with all it loads, it takes longer than all else here

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "of an unknown version"
