"""LiteRT's library for phones: fetched and pinned, or put where the error says."""

import threading

import pytest

from harness import download
from harness.cards import load_card
from harness.drivers.base import DeviceInfo
from harness.drivers.benchmark_tool import binaries
from harness.drivers.benchmark_tool.binaries import LITERT_LIBRARIES, fetch_library, library_place
from harness.drivers.checkup import own_worker
from harness.errors import FetchError, UsageError
from harness.fetch import fetch, pin_file
from harness.native.programs import Program
from tests.support.http_server import Server

PHONE = ("android", "arm64-v8a")


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A site that publishes the library, once it is given one."""
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(download, "PAUSE_S", 0.01)
    with Server() as server:
        monkeypatch.setitem(LITERT_LIBRARIES, PHONE, server.url("/libLiteRt.so"))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_every_address_is_public_and_of_the_version_that_the_worker_knows():
    for address in LITERT_LIBRARIES.values():
        assert address.startswith("https://storage.googleapis.com/litert/binaries/2.3.")


def test_it_is_where_the_doctor_looks_once_it_was_fetched(site, monkeypatch, tmp_path):
    program = tmp_path / "worker"
    program.write_bytes(b"")
    monkeypatch.setattr(own_worker, "find_program", lambda system, abi: Program(program, "", ""))
    info = DeviceInfo("phone", "adb", abi="arm64-v8a")
    assert "the first run fetches libLiteRt.so" in own_worker.check_own_worker(info, None).reason
    site.answers["/libLiteRt.so"] = b"the library"
    path = fetch_library(*PHONE)
    assert path == library_place(*PHONE) and path.read_bytes() == b"the library"
    check = own_worker.check_own_worker(info, None)
    assert check.state == "ok" and str(path) in check.found


def test_one_that_was_put_where_the_error_says_is_taken_and_pinned(site):
    with pytest.raises(FetchError) as caught:
        fetch_library(*PHONE)
    place = library_place(*PHONE)
    assert f"put it at {place}" in str(caught.value)
    assert "com.google.ai.edge.litert:litert" in str(caught.value) and "--litert-library" in str(caught.value)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(b"by hand")
    asked = len(site.requests)
    assert fetch_library(*PHONE) == place and pin_file(place).exists()
    place.write_bytes(b"changed")
    assert len(site.requests) == asked
    with pytest.raises(FetchError):
        fetch_library(*PHONE)


def test_a_page_that_lies_in_a_model_s_place_is_not_pinned(site, tmp_path):
    card = tmp_path / "net.toml"
    source = f'name = "net"\n[source]\nurl = "{site.url("/net.tflite")}"\n'
    card.write_text(source + '[input]\nwidth = 1\nheight = 1\n[decoder]\nname = "ssd-postprocess"\n')
    model = load_card(card)
    model.file.parent.mkdir(parents=True)
    model.file.write_text("<html>")
    with pytest.raises(FetchError, match="not a TFLite model"):
        fetch(model)
    assert not pin_file(model.file).exists()


def test_a_device_that_none_is_published_for_says_which_there_are():
    assert library_place("linux", "riscv64") is None
    with pytest.raises(UsageError, match=r"only for android on arm64-v8a, android on x86_64"):
        binaries.fetch_library("linux", "riscv64")
