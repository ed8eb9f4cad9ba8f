"""Check of our own worker in C, which measures phones and boards without Python: it, and LiteRT's library for it."""

from __future__ import annotations

from pathlib import Path

from harness.drivers.base import DeviceInfo
from harness.drivers.benchmark_tool.binaries import library_place
from harness.drivers.checkup.check import Check, State
from harness.native.programs import NoProgramError, find_program
from harness.paths import is_file, size_of
from harness.profiles import Profile

NAME = "our worker"
WITHOUT = "benchmark_model is used, which gives no samples"


def check_own_worker(info: DeviceInfo, profile: Profile | None) -> Check:
    """Check whether a device can be measured with every sample; nothing is fetched for it."""
    system = "android" if info.is_phone else "linux"
    try:
        program = find_program(system, info.abi or "unknown")
    except NoProgramError as error:
        return Check(info.name, NAME, State.WARNING, "not there", f"{WITHOUT}; {error}", info)
    size = f"{program.path.name}, {size_of(program.path):,} bytes"
    library = _library(profile)
    if library is not None and not is_file(library):
        assert profile is not None
        reason = f"{profile.origin}: key 'litert_library' names a file that does not exist"
        return Check(info.name, NAME, State.FAILED, str(library), reason, info)
    fetched = library_place(system, info.abi or "unknown")
    found = library or (fetched if fetched is not None and is_file(fetched) else None)
    if found is not None:
        return Check(info.name, NAME, State.OK, f"{size}, with {found}", "", info)
    give = "give libLiteRt.so with --litert-library PATH, or litert_library in its profile"
    if fetched is not None:
        give = f"the first run fetches libLiteRt.so and pins its hash; without internet {give}"
    else:
        give = f"{WITHOUT}, unless you {give}"
    return Check(info.name, NAME, State.WARNING, f"{size}, without LiteRT's library", give, info)


def _library(profile: Profile | None) -> Path | None:
    if profile is None or not profile.data.litert_library:
        return None
    return profile.origin.parent / profile.data.litert_library
