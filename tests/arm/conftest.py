"""An Arm processor for the tests: qemu-user runs Linux programs for it, with Debian's libraries for it.

HARNESS_ARM_LITERT names a wheel of LiteRT for aarch64 (`.ci/arm` fetches it with pip).
"""

import os
import shutil
import zipfile
from pathlib import Path

import pytest

from tests.support.native_programs import programs, worker
from tests.support.native_worker import Worker

__all__ = ["arm_worker", "programs", "worker"]

QEMU = shutil.which("qemu-aarch64")
LIBRARIES = Path("/usr/aarch64-linux-gnu/lib")
WHEEL = os.environ.get("HARNESS_ARM_LITERT")
CORES, PROCESSOR = 2, "neoverse-n1"
CPUINFO = """processor\t: {core}
BogoMIPS\t: 50.00
Features\t: fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x3
CPU part\t: 0xd0c
CPU revision\t: 1

"""
"""LiteRT's kernels are chosen by this file: the one of an x86 processor makes LiteRT 2.3 crash."""


@pytest.fixture(scope="session")
def arm_worker(programs, tmp_path_factory) -> Worker:
    """The worker for Linux on Arm, with LiteRT for Arm."""
    if QEMU is None or not LIBRARIES.is_dir():
        pytest.skip("qemu-user or Debian's libraries for arm64 are not installed")
    if WHEEL is None:
        pytest.skip("HARNESS_ARM_LITERT names no wheel of LiteRT for aarch64")
    root = tmp_path_factory.mktemp("arm")
    (root / "lib").symlink_to(LIBRARIES)
    (root / "proc").mkdir()
    (root / "proc" / "cpuinfo").write_text("".join(CPUINFO.format(core=core) for core in range(CORES)))
    with zipfile.ZipFile(WHEEL) as wheel:
        (name,) = (name for name in wheel.namelist() if name.endswith("/libLiteRt.so"))
        wheel.extract(name, root)
    command = [QEMU, "-cpu", PROCESSOR, "-L", str(root), str(programs / "harness-worker-linux-arm64")]
    return Worker(command, library=root / name)
