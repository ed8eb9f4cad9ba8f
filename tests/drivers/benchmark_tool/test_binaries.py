"""Where the tool comes from: a file, or a fetch whose hash is pinned."""

import functools
import hashlib
import http.server
import threading

import pytest

from harness.drivers.benchmark_tool import binaries
from harness.drivers.benchmark_tool.binaries import (
    TOOLS,
    fetch_tool,
    tool_from_file,
)
from harness.drivers.benchmark_tool.flags import LIBRARIES
from harness.errors import FetchError, UsageError


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        """Say nothing."""


@pytest.fixture
def site(tmp_path):
    folder = tmp_path / "site"
    folder.mkdir()
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def published(site, tmp_path, monkeypatch):
    folder, address = site
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setitem(binaries.TOOLS, ("tflite", "arm64-v8a"), f"{address}/android_aarch64_benchmark_model")
    return folder / "android_aarch64_benchmark_model"


def test_every_address_is_public_and_encrypted():
    for address in TOOLS.values():
        assert address.startswith("https://storage.googleapis.com/")


def test_a_fetched_tool_is_pinned_by_its_hash(published):
    published.write_bytes(b"the tool")
    tool = fetch_tool("arm64-v8a")
    assert tool.sha256 == hashlib.sha256(b"the tool").hexdigest()
    assert tool.file.read_bytes() == b"the tool"
    assert tool.flavour == "tflite"
    published.unlink()
    assert fetch_tool("arm64-v8a") == tool, "from the cache"


def test_a_tool_that_changed_in_silence_is_refused_until_it_is_accepted(published):
    published.write_bytes(b"the tool")
    tool = fetch_tool("arm64-v8a")
    published.write_bytes(b"another tool")
    tool.file.unlink()
    with pytest.raises(FetchError, match="sha256"):
        fetch_tool("arm64-v8a")
    assert fetch_tool("arm64-v8a", repin=True).file.read_bytes() == b"another tool"


def test_an_abi_without_a_tool_is_refused_with_what_there_is():
    with pytest.raises(UsageError, match="arm64-v8a, armeabi-v7a"):
        fetch_tool("mips")


def test_the_hash_and_the_flavour_stand_in_the_row(tmp_path):
    file = tmp_path / "benchmark_model"
    file.write_bytes(b"x")
    sha256 = hashlib.sha256(b"x").hexdigest()
    assert tool_from_file(file).describe("litert") == f"benchmark_model litert sha256:{sha256[:16]}"


def test_libraries_that_lie_beside_the_tool_are_found(tmp_path):
    names = [
        "benchmark_model",
        "libQnnTFLiteDelegate.so",
        "libQnnHtp.so",
        "libhexagon_interface.so",
        "other.so",
    ]
    for name in names:
        (tmp_path / name).write_bytes(b"x")
    tool = tool_from_file(tmp_path / "benchmark_model")
    assert [path.name for path in tool.libraries["qnn"]] == ["libQnnHtp.so", "libQnnTFLiteDelegate.so"]
    assert binaries.missing_libraries(tool, "qnn") == ()
    assert binaries.missing_libraries(tool, "hexagon") == ("libhexagon_nn_skel.so",)
    assert binaries.qnn_backend(tool, "htp") == "libQnnHtp.so"
    assert binaries.qnn_backend(tool, "gpu") == ""


@pytest.mark.parametrize("kind", ["cpu", "gpu", "nnapi", "external", "edgetpu"])
def test_most_delegates_need_no_library_of_ours(kind, tmp_path):
    (tmp_path / "benchmark_model").write_bytes(b"x")
    assert binaries.missing_libraries(tool_from_file(tmp_path / "benchmark_model"), kind) == ()


def test_every_delegate_with_libraries_is_looked_for_beside_the_tool(tmp_path):
    for files in LIBRARIES.values():
        for name in files.names:
            (tmp_path / name).write_bytes(b"x")
    (tmp_path / "benchmark_model").write_bytes(b"x")
    assert set(tool_from_file(tmp_path / "benchmark_model").libraries) == set(LIBRARIES)
