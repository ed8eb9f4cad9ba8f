"""Fixtures that all tests share."""

import importlib.util
import shutil
import signal
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

# A shell's background job is started with Ctrl-C ignored, and what tests start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real images, models and logs, which are not part of the repository."""
    folder = REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"shared data is absent: {folder}")
    return folder


@pytest.fixture(scope="session")
def repository() -> Path:
    """The checkout."""
    return REPOSITORY


@pytest.fixture(scope="session")
def sshd_module() -> ModuleType:
    """What starts a real sshd."""
    path = REPOSITORY / "tests" / "stand_in" / "sshd.py"
    spec = importlib.util.spec_from_file_location("stand_in_sshd", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def lasting_sshd(sshd_module, tmp_path_factory):
    """A real sshd that no test changes."""
    reason = sshd_module.why_not()
    if reason:
        pytest.skip(reason)
    server = sshd_module.Sshd(tmp_path_factory.mktemp("lasting") / "board")
    yield server
    server.kill()


@pytest.fixture
def sshd(sshd_module, tmp_path, monkeypatch):
    """A real sshd that stands for a board; ssh reads its configuration instead of ~/.ssh/config."""
    reason = sshd_module.why_not()
    if reason:
        pytest.skip(reason)
    server = sshd_module.Sshd(tmp_path / "board")
    monkeypatch.setenv("HARNESS_SSH_CONFIG", str(server.config))
    yield server
    server.kill()


def compile_delegate(output: Path, *flags: str) -> Path:
    """Compile the stand-in delegate (tests/stand_in/external_delegate.c); skips where there is no C compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler to build the stand-in delegate with (.ci/adb installs gcc)")
    source = REPOSITORY / "tests" / "stand_in" / "external_delegate.c"
    command = [
        compiler,
        "-std=gnu11",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-O1",
        "-shared",
        "-fPIC",
        "-fvisibility=hidden",
    ]
    subprocess.run([*command, *flags, "-o", str(output), str(source)], check=True, timeout=120)
    return output


@pytest.fixture(scope="session")
def delegate_library(tmp_path_factory) -> Path:
    """A real shared library with an external delegate that does what its options say."""
    return compile_delegate(tmp_path_factory.mktemp("delegate") / "libstand_in.so")


@pytest.fixture(scope="session")
def edgetpu_library(tmp_path_factory) -> Path:
    """The same as a stand-in for libedgetpu.so.1: it takes `edgetpu-custom-op` alone."""
    return compile_delegate(tmp_path_factory.mktemp("edgetpu") / "libedgetpu.so.1", "-DEDGETPU")
