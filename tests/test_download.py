"""A server that nobody has reason to trust: what it sends is bounded in bytes and in time."""

import contextlib
import threading
import time

import pytest

from harness import download
from harness.errors import FetchError
from tests.support.http_server import Server, redirect


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(download, "PAUSE_S", 0.01)
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.mark.parametrize(
    "target",
    [
        "http://[::1",
        "http://127.0.0.1:99999/x",
        "http://:80:80/",
        "http://",
        "http://a b/",
        "http://\u2100/",
        "//",
    ],
)
def test_a_redirect_to_no_address_is_an_error_in_words(server, tmp_path, target):
    server.answers["/net.tflite"] = redirect(target)
    with pytest.raises(FetchError, match=r"\w"):
        download.download(server.url("/net.tflite"), tmp_path / "net")


def dripping_body(handler):
    handler.send_response(200)
    handler.send_header("Content-Length", "1000000")
    handler.end_headers()
    drip(handler, b"x")


def dripping_headers(handler):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
    drip(handler, b"x")


def endless_headers(handler):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    with contextlib.suppress(OSError):
        for number in range(100_000):
            handler.wfile.write(b"X-%d: x\r\n" % number)


def drip(handler, data):
    with contextlib.suppress(OSError):
        while True:
            handler.wfile.write(data)
            handler.wfile.flush()
            time.sleep(0.02)


@pytest.mark.parametrize("answer", [dripping_body, dripping_headers])
def test_what_trickles_in_is_given_up_at_the_stated_rate(server, tmp_path, monkeypatch, answer):
    monkeypatch.setattr(download, "GRACE_S", 0.5)
    server.answers["/net.tflite"] = answer
    with pytest.raises(FetchError, match=r"too slow: 0 bytes of the body in \d+ s; given up"):
        download.download(server.url("/net.tflite"), tmp_path / "net")
    assert len(server.requests) == 1


def test_headers_without_an_end_are_given_up(server, tmp_path):
    server.answers["/net.tflite"] = endless_headers
    with pytest.raises(FetchError, match=r"the connection failed: .*\(tried 4 times\)"):
        download.download(server.url("/net.tflite"), tmp_path / "net")


@pytest.mark.parametrize("length", ["9" * 400, "9" * 6000, "3000000000"])
def test_a_length_beyond_any_model_is_refused_before_it_comes(server, tmp_path, length):
    def answer(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", length)
        handler.end_headers()

    server.answers["/net.tflite"] = answer
    with pytest.raises(FetchError):
        download.download(server.url("/net.tflite"), tmp_path / "net")
