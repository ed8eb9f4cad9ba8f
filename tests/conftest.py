"""Fixtures that tests of several rooms share.

The builders of networks are imported late: a process that has imported LiteRT's schema cannot import TensorFlow.
"""

import gc
import os
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import HealthCheck, settings

from harness.bench.request import Request
from harness.records.records import DelegateFacts, ProcessFacts
from harness.session import prepare
from harness.settings import Settings
from tests.support import sshd as real_sshd
from tests.support.collecting import DividedFolder, draw_the_same_examples_in_every_order, is_one_of_several
from tests.support.delegate import compile_delegate
from tests.support.fast import TESTS, is_fast, leads_to_fast
from tests.support.lasting_workers import lasting
from tests.support.observers import Recorder
from tests.support.paths import REPOSITORY, SHARED_DATA, SHARED_MODELS
from tests.support.prepared_process import TRIAL, PreparedProcess
from tests.support.quantizing import quantized
from tests.support.runs_on_disk import RunFactory
from tests.support.slow import is_slow, place

# A shell's background job is started with Ctrl-C ignored, and what tests start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

# How fast an example is says how busy the machine is, and nothing of the code. The same examples each time: what fails
# fails again. Others are drawn with HARNESS_PROPERTY_EXAMPLES, for as long as one likes.
EXAMPLES = os.environ.get("HARNESS_PROPERTY_EXAMPLES")
settings.register_profile(
    "harness",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=EXAMPLES is None,
    max_examples=int(EXAMPLES or 60),
)
settings.load_profile("harness")
if EXAMPLES is None:
    draw_the_same_examples_in_every_order()
# What is imported and collected lives to the end: to look again and again for what of it may go costs a twentieth.
gc.disable()


def pytest_collect_directory(path, parent):
    """Let each of the processes that share the tests read a share of its own first."""
    if path == TESTS and is_one_of_several(parent.config):
        return DividedFolder.from_parent(parent, path=path)
    return None


def pytest_collection_finish():
    """Collect garbage from here on, but not among what was collected by pytest."""
    gc.freeze()
    gc.enable()


def pytest_ignore_collect(collection_path, config):
    """Read nothing but the fast tests where only they are asked for: to import the others takes long, too."""
    if config.option.markexpr == "fast" and TESTS in collection_path.parents:
        return True if not leads_to_fast(collection_path) else None
    return None


def pytest_configure(config):
    """Keep what tests cache apart from what the user has cached; processes that share the tests share it, too."""
    if "HARNESS_CACHE" not in os.environ:
        folder = tempfile.TemporaryDirectory(prefix="harness-tests-")
        os.environ["HARNESS_CACHE"] = folder.name
        config.add_cleanup(folder.cleanup)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers():
    """Say how many processes `-n auto` starts: half of the time tests wait for what hangs or dies."""
    return max(4, os.cpu_count() or 1)


def pytest_collection_modifyitems(config, items):
    """Mark the fast and the slow tests (`tests/support/fast.py`, `slow.py`); processes begin with the longest files."""
    for item in items:
        if is_fast(item.path):
            item.add_marker(pytest.mark.fast)
        if is_slow(item.path, item.name):
            item.add_marker(pytest.mark.slow)
    if is_one_of_several(config):
        items.sort(key=lambda item: (place(item.path), item.path.parts))


@pytest.fixture(scope="session", autouse=True)
def lasting_workers():
    """What a run has loaded to fork its workers serves the next ones, too."""
    with lasting():
        yield


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real images, models and logs, which are not part of the repository."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"shared data is absent: {SHARED_DATA}")
    return SHARED_DATA


@pytest.fixture(scope="session")
def shared_cases() -> Path:
    """The inputs that failed once; tests that use them are skipped where they are absent."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "cases"
    if not folder.is_dir():
        pytest.skip("../shared/cases is not there")
    return folder


@pytest.fixture(scope="session")
def shared_models(shared_data) -> tuple[Path, ...]:
    """The real models whose facts the tests know."""
    return tuple(shared_data / "models" / f"{name}.tflite" for name in SHARED_MODELS)


@pytest.fixture(scope="session")
def repository() -> Path:
    """The checkout."""
    return REPOSITORY


@pytest.fixture(scope="session")
def sshd_module() -> ModuleType:
    """What starts a real sshd."""
    return real_sshd


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


@pytest.fixture(scope="session")
def delegate_library(tmp_path_factory) -> Path:
    """A real shared library with an external delegate that does what its options say."""
    return compile_delegate(tmp_path_factory.mktemp("delegate") / "libstand_in.so")


@pytest.fixture(scope="session")
def edgetpu_library(tmp_path_factory) -> Path:
    """The same as a stand-in for libedgetpu.so.1: it takes `edgetpu-custom-op` alone."""
    return compile_delegate(tmp_path_factory.mktemp("edgetpu") / "libedgetpu.so.1", "-DEDGETPU")


@pytest.fixture(scope="session")
def make_network():
    """The builder of networks."""
    from tests.support.networks import Network

    return Network


@pytest.fixture(scope="session")
def make_detector():
    """Makes a small SSD."""
    from tests.support.networks import detector

    return detector


@pytest.fixture(scope="session")
def prepared_trial():
    """What forks a process for each trial of a model."""
    prepared = PreparedProcess(TRIAL)
    yield prepared
    prepared.close()


@pytest.fixture
def quick_trials(prepared_trial, monkeypatch):
    """Let trials of models begin where the runtime is loaded: for tests of what is tried."""
    monkeypatch.setattr("harness.child_process.ask", prepared_trial.ask)


@pytest.fixture
def write_model(tmp_path: Path) -> Callable[..., Path]:
    """Writes a network or bytes to a file of the given name."""

    def write(content, name="model.tflite") -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.bytes())
        return path

    return write


@pytest.fixture(scope="session")
def quantize() -> Callable[..., bytes]:
    """Quantizes a float model with litert-quantizer; skips where it is not installed."""
    pytest.importorskip("litert_quantizer", reason="litert-quantizer (extra `quantize`) is not installed")
    return quantized


@pytest.fixture(scope="session")
def metadata_buffer() -> Callable[..., bytes]:
    """Writes the flatbuffer of TFLite Model Metadata."""
    from tests.support.model_metadata import metadata_buffer

    return metadata_buffer


@pytest.fixture(scope="session")
def with_archive() -> Callable[..., bytes]:
    """Appends a zip archive to a model."""
    from tests.support.model_metadata import with_archive

    return with_archive


@pytest.fixture
def make_run(tmp_path) -> Callable[..., RunFactory]:
    """A function that begins a run of a given id below `tmp_path/results`."""
    return lambda run_id="20261121-090000-abcd": RunFactory(tmp_path / "results" / run_id)


@pytest.fixture
def recorder():
    return Recorder()


@pytest.fixture
def quick():
    """Settings of a run that takes a second or two."""
    return Settings(repetitions=2, min_runs=2, min_seconds=0.02, accuracy=False)


@pytest.fixture
def prepared(tmp_path: Path, repository: Path, quick):
    """A prepared run of two bundled models on `cpu:1` and `cpu-reference`."""

    def make(**changes):
        request = {
            "models": ("shapes-float32", "shapes-full-integer"),
            "delegates": ("cpu:1", "cpu-reference"),
            "workspace": str(repository),
            "output": str(tmp_path / "results"),
            "settings": quick,
            "repetitions": 2,
            **changes,
        }
        return prepare(Request(**request))

    return make


@pytest.fixture
def ok_process():
    def make(index=0, **changes):
        facts = {
            "index": index,
            "started_at": "2026-11-21T00:00:00Z",
            "status": "ok",
            "delegate": DelegateFacts(requested="cpu:1", actual="xnnpack", delegated_nodes=3, total_nodes=4),
            "runtime": "ai-edge-litert 2.3.0",
            "steady_from": 1,
            **changes,
        }
        return ProcessFacts(**facts)

    return make
