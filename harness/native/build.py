"""Build the native worker for Android and Linux, on 64-bit Arm and x86: `python -m harness.native.build [FOLDER]`.

The compiler is Zig's (`ziglang` on PyPI), which compiles for all four from any computer; the same source gives the same
bytes. For Android nothing of its NDK is needed: the C library is linked by its name alone, against libraries of empty
functions that are made here from `source/android_symbols.txt`, and a program begins where bionic wants it to.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness import atomic
from harness.errors import HarnessError, JobError, UsageError
from harness.hashing import hash_file
from harness.native.programs import LIST, PROGRAMS, SOURCE, ZIG, how_to_build, source_hash

ANDROID, LINUX = "android", "linux"
START = "android_start.c"
SYMBOLS = "android_symbols.txt"
FLAGS = ("-std=c11", "-Os", "-g0", "-s", "-fPIE", "-pie", "-Wall", "-Wextra", "-Werror")
LINKER_FLAGS = ("-Wl,-z,max-page-size=16384", "-Wl,-z,now")
"""Pages of 16 KiB: Android 15 and the Raspberry Pi 5 have them."""
ANDROID_FLAGS = ("-nostdlib", "-Wl,--dynamic-linker=/system/bin/linker64", "-Wl,--hash-style=both")
GLIBC = "2.27"
"""The oldest that LiteRT's wheels run on."""


@dataclass(frozen=True)
class Target:
    """What a program is built for: the system, the worker's word for the processor, and the compiler's."""

    system: str
    abi: str
    machine: str

    @property
    def name(self) -> str:
        """What the program's file is told by."""
        return f"{self.system}-{self.abi}"

    @property
    def triple(self) -> str:
        """The compiler's name for it."""
        return f"{self.machine}-linux-{'android' if self.system == ANDROID else f'gnu.{GLIBC}'}"


TARGETS = (
    Target(ANDROID, "arm64", "aarch64"),
    Target(ANDROID, "x86_64", "x86_64"),
    Target(LINUX, "arm64", "aarch64"),
    Target(LINUX, "x86_64", "x86_64"),
)


def build_all(folder: Path = PROGRAMS, targets: Sequence[Target] = TARGETS) -> dict[str, int]:
    """Build the programs and write their list.

    Returns:
        Bytes of each.

    Raises:
        UsageError: The compiler is not installed.
        JobError: It refuses the source.
    """
    atomic.make_folder(folder)
    for target in targets:
        build(target, folder / f"harness-worker-{target.name}")
    hashes = {target.name: hash_file(folder / f"harness-worker-{target.name}") for target in targets}
    listed = {"build": source_hash(), "compiler": ZIG, "programs": hashes}
    atomic.write_bytes(folder / LIST, json.dumps(listed, indent=1, sort_keys=True).encode() + b"\n")
    return {target.name: (folder / f"harness-worker-{target.name}").stat().st_size for target in targets}


def build(target: Target, program: Path, source: Path = SOURCE, flags: Sequence[str] = ()) -> None:
    """Build one program.

    Args:
        target: What for.
        program: Where to.
        source: The folder of the source.
        flags: Further ones of the compiler.

    Raises:
        UsageError: The compiler is not installed.
        JobError: It refuses the source.
    """
    files = sorted(path.name for path in source.glob("*.c") if path.name != START)
    with tempfile.TemporaryDirectory() as work:
        libraries: list[str] = []
        more: list[str] = []
        if target.system == ANDROID:
            libraries = [str(path) for path in _empty_libraries(target, source, Path(work))]
            more, files = list(ANDROID_FLAGS), [*files, START]
        identity = f'-DBUILD="{source_hash(source)}"'
        made = Path(work) / "program"
        arguments = [*FLAGS, *LINKER_FLAGS, *more, *flags, identity, "-o", str(made), *files, *libraries]
        if target.system == LINUX:
            arguments.append("-ldl")
        _compile(target, arguments, source, Path(work))
        with atomic.replacing(program) as place:
            place.write_bytes(made.read_bytes())
            place.chmod(0o755)


def _empty_libraries(target: Target, source: Path, work: Path) -> list[Path]:
    """Make libraries that hold Android's names and nothing else, to link against."""
    names: dict[str, list[str]] = {}
    for line in (source / SYMBOLS).read_text("utf-8").splitlines():
        if not line.startswith("#"):
            library, name = line.split()
            names.setdefault(library, []).append(name)
    made = []
    for library, functions in names.items():
        text = work / f"{library}.c"
        text.write_text("".join(f"void {name}(void) {{}}\n" for name in functions), "utf-8")
        made.append(work / library)
        shape = ("-w", "-fno-builtin", "-shared", "-nostdlib", f"-Wl,-soname,{library}")
        _compile(target, [*shape, "-o", str(made[-1]), str(text)], source, work)
    return made


def _compile(target: Target, arguments: Sequence[str], folder: Path, work: Path) -> None:
    if importlib.util.find_spec("ziglang") is None:
        raise UsageError(f"the compiler of the worker is not installed; {how_to_build()}")
    command = [sys.executable, "-m", "ziglang", "cc", "-target", target.triple, *arguments]
    # What is compiled once is not taken from the cache of another state of the source.
    environment = {**os.environ, "ZIG_LOCAL_CACHE_DIR": str(work / "cache")}
    ended = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, errors="replace", check=False
    )
    if ended.returncode != 0:
        raise JobError(f"the worker for {target.name} cannot be built: {ended.stderr.strip()[-2000:]}")


def main() -> int:
    """Build into a folder, or beside this module."""
    try:
        sizes = build_all(Path(sys.argv[1]) if len(sys.argv) > 1 else PROGRAMS)
    except HarnessError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_status
    for name, size in sizes.items():
        sys.stdout.write(f"{name}: {size} bytes\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
