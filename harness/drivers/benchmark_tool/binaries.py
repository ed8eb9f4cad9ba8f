"""Where benchmark_model comes from: a file of the user's, or a fetch that is pinned.

The addresses are those that the projects publish (tflite/tools/benchmark/README.md, the releases of LiteRT). No hashes
are published, so the first fetch pins what it finds and a later change is refused until it is accepted
(`harness.fetch`). Whatever is used, its hash stands in every row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from harness import cards, fetch
from harness.delegates import KINDS, QNN, Delegate
from harness.drivers.benchmark_tool.facts import Flavour
from harness.drivers.benchmark_tool.flags import LIBRARIES, QNN_BACKENDS
from harness.errors import FetchError, UsageError
from harness.hashing import hash_file
from harness.paths import found_in, is_file, resolved

_NIGHTLY = "https://storage.googleapis.com/tensorflow-nightly-public/prod/tensorflow/release/lite/tools/nightly/latest"
_RELEASES = "https://storage.googleapis.com/litert/binaries"
_LITERT = f"{_RELEASES}/latest"

TOOLS: dict[tuple[Flavour, str], str] = {
    # flavour    ABI         address
    ("tflite", "arm64-v8a"): f"{_NIGHTLY}/android_aarch64_benchmark_model",
    ("tflite", "armeabi-v7a"): f"{_NIGHTLY}/android_arm_benchmark_model",
    ("tflite", "x86_64"): f"{_NIGHTLY}/linux_x86-64_benchmark_model",
    ("tflite", "aarch64"): f"{_NIGHTLY}/linux_aarch64_benchmark_model",
    ("tflite", "armv7l"): f"{_NIGHTLY}/linux_arm_benchmark_model",
    ("litert", "arm64-v8a"): f"{_LITERT}/android_arm64/benchmark_model",
}

LITERT_LIBRARIES: dict[tuple[str, str], str] = {
    # system   ABI           address
    ("android", "arm64-v8a"): f"{_RELEASES}/2.3.0/android_arm64/libLiteRt.so",
    ("android", "x86_64"): f"{_RELEASES}/2.3.0/android_x86_64/libLiteRt.so",
}
"""LiteRT's library, which each release is published with: of the version whose interface our worker knows."""


@dataclass(frozen=True)
class Tool:
    """A benchmark_model on this computer.

    Attributes:
        file: The program.
        sha256: Its hash.
        flavour: Which of the two it is; None to ask the program itself on the device.
        libraries: Files that a delegate needs beside it, by the delegate's kind.
    """

    file: Path
    sha256: str
    flavour: Flavour | None = None
    libraries: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)

    def describe(self, flavour: Flavour) -> str:
        """Return what stands in the column `runtime`."""
        return f"benchmark_model {flavour} sha256:{self.sha256[:16]}"


def tool_from_file(
    file: Path, flavour: Flavour | None = None, libraries: Mapping[str, tuple[Path, ...]] | None = None
) -> Tool:
    """Use a program that the user has (`--benchmark-binary PATH`).

    Args:
        file: The program. Libraries that lie beside it are used where a delegate needs them.
        flavour: None to ask the program itself.
        libraries: Further libraries, by the delegate's kind.

    Raises:
        UsageError: There is no such file.
    """
    if not is_file(file):
        raise UsageError(f"--benchmark-binary: {file} is not a file")
    file = resolved(file)
    beside = {kind: found for kind in LIBRARIES if (found := _beside(file.parent, kind))}
    return Tool(file, hash_file(file), flavour, {**beside, **(libraries or {})})


_WORDS: Mapping[Flavour, tuple[bytes, ...]] = {
    "litert": (b"dispatch_library_path",),
    "tflite": (b"use_xnnpack", b"external_delegate_path", b"Signature to run"),
}
"""Names of flags and words of the log that stand in a program's file, those of the rarer first."""


@cache
def flavour_in(file: Path) -> Flavour | None:
    """Tell from its file which of the two a program is; None where it is not told, or cannot be read."""
    try:
        data = file.read_bytes()
    except OSError:
        return None
    return next((flavour for flavour, words in _WORDS.items() if all(word in data for word in words)), None)


def comes_with_libraries(tool: Tool, delegate: Delegate) -> bool:
    """Whether a delegate needs libraries that are linked into a folder of the run."""
    return (
        delegate.kind in LIBRARIES or delegate.kind in tool.libraries or delegate.option("path") is not None
    )


def _beside(folder: Path, kind: str) -> tuple[Path, ...]:
    """Find a delegate's libraries in a folder: the ones it must have and all that belong to them."""
    return tuple(found_in(folder, LIBRARIES[kind].pattern))


def missing_libraries(tool: Tool, kind: str) -> tuple[str, ...]:
    """Return the libraries that a delegate needs and the tool comes without."""
    if kind not in LIBRARIES or KINDS[kind].library:
        return ()  # where the tool comes without it, the system's loader may find it
    there = {path.name for path in tool.libraries.get(kind, ())}
    return tuple(name for name in LIBRARIES[kind].names if name not in there)


def main_library(kind: str, names: Sequence[str]) -> str:
    """Return the one of a delegate's libraries that the tool is given; nothing where there is none."""
    if kind in LIBRARIES and LIBRARIES[kind].names[0] in names:
        return LIBRARIES[kind].names[0]
    return next((name for name in names if not name.startswith(("libQnnHtp", "libQnnGpu"))), "")


def qnn_backend(tool: Tool, backend: str | None) -> str:
    """Return the name of the backend's library where it is there, else nothing."""
    wanted = QNN_BACKENDS.get(backend or "htp", "")
    return wanted if any(path.name == wanted for path in tool.libraries.get(QNN, ())) else ""


def fetch_tool(abi: str, flavour: Flavour = "tflite", *, repin: bool = False) -> Tool:
    """Fetch the tool for a kind of device, or take it from the cache; its hash is pinned.

    Raises:
        UsageError: There is none for this ABI; says for which there are.
        FetchError: The download failed, or is not what was fetched before.
    """
    address = TOOLS.get((flavour, abi))
    if address is None:
        known = ", ".join(a for f, a in TOOLS if f == flavour)
        raise UsageError(
            f"there is no benchmark_model of the flavour {flavour} to fetch for {abi}, only for {known}; "
            "build one and give it with --benchmark-binary"
        )
    found = fetch.fetch(_pinned(address, f"benchmark_model-{flavour}-{abi}"), repin=repin)
    return Tool(found.path, found.sha256, flavour)


def fetch_library(system: str, abi: str, *, repin: bool = False) -> Path:
    """Fetch LiteRT's library for a kind of device, or take it from the cache; its hash is pinned.

    Raises:
        UsageError: There is none for this ABI; says for which there are.
        FetchError: The download failed, or is not what was fetched before.
    """
    address = LITERT_LIBRARIES.get((system, abi))
    if address is None:
        known = ", ".join(" on ".join(key) for key in LITERT_LIBRARIES)
        raise UsageError(
            f"there is no libLiteRt.so to fetch for {system} on {abi}, only for {known}; give one with --litert-library"
        )
    try:
        return fetch.fetch(_pinned(address, f"libLiteRt-{system}-{abi}"), repin=repin).path
    except FetchError as error:
        raise FetchError(
            f"{error}; Google's AAR of LiteRT 2.3 (com.google.ai.edge.litert:litert) holds it too, and "
            "--litert-library PATH takes it from anywhere"
        ) from error


def library_place(system: str, abi: str) -> Path | None:
    """Return where LiteRT's library for a kind of device is once it was fetched; None where there is none to fetch."""
    address = LITERT_LIBRARIES.get((system, abi))
    return None if address is None else _pinned(address, f"libLiteRt-{system}-{abi}").download


def _pinned(address: str, name: str) -> cards.Model:
    """Return any file that is to be fetched and pinned the way models are."""
    card = cards.ModelCard(
        name=name,
        source=cards.Source(url=address, format="frozen-graph"),
        input=cards.InputSpec(width=1, height=1),
        decoder=cards.DecoderSpec(name="none"),
    )
    return cards.Model(card, cards.cache_folder() / "tools" / name / "tool")
