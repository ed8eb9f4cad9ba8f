"""Downloads from a real server on this computer: verified or pinned, whole or not at all."""

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness import download
from harness.cards import Model, load_card
from harness.errors import FetchError, OutputError, UsageError
from harness.fetch import fetch, pin_file, verify
from harness.hashing import hash_file
from tests.support.http_server import Handler, Server, redirect

MODEL = b"\x1c\x00\x00\x00TFL3" + bytes(range(256)) * 800
OTHER = MODEL + b"another version"
CARD = """
name = "net"
[source]
{source}
[input]
width = 1
height = 1
[decoder]
name = "ssd-postprocess"
"""


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def truncated(handler: Handler) -> None:
    handler.body(MODEL[:1000], length=len(MODEL))


def stuck_half_way(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(MODEL)))
    handler.end_headers()
    handler.wfile.write(MODEL[:100_000])
    handler.wfile.flush()
    time.sleep(30)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(download, "PAUSE_S", 0.01)
    return tmp_path / "cache"


@pytest.fixture
def make(tmp_path: Path, server: Server) -> Callable[..., Model]:
    """Make a card for a path of the server."""

    def maker(path: str = "/net.tflite", **keys: str) -> Model:
        source = {"url": server.url(path), **keys}
        card = tmp_path / "net.toml"
        card.write_text(CARD.format(source="\n".join(f'{key} = "{value}"' for key, value in source.items())))
        return load_card(card)

    return maker


def files_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, data in members.items():
            file.writestr(name, data)
    return buffer.getvalue()


def test_a_model_with_a_hash_is_fetched_once_and_then_kept(
    server: Server, make: Callable[..., Model], cache: Path
) -> None:
    server.answers["/net.tflite"] = MODEL
    model = make(sha256=sha256(MODEL))
    first, second = fetch(model), fetch(model)
    assert first.path == model.file == cache / "models" / "net" / "net.tflite"
    assert model.file.read_bytes() == MODEL
    assert (first.downloaded, first.pinned, first.size_bytes) == (True, False, len(MODEL))
    assert (second.downloaded, second.sha256) == (False, sha256(MODEL))
    assert len(server.requests) == 1


def test_a_model_without_a_hash_is_pinned_at_the_first_fetch(
    server: Server, make: Callable[..., Model], cache: Path
) -> None:
    server.answers["/net.tflite"] = MODEL
    model = make()
    assert fetch(model).pinned
    pin = json.loads(pin_file(model.file).read_text())
    assert (pin["sha256"], pin["size_bytes"]) == (sha256(MODEL), len(MODEL))
    assert pin["url"] == server.url("/net.tflite")
    assert not fetch(model).downloaded
    assert files_below(cache) == ["models/net/net.tflite", "models/net/net.tflite.pin.json"]


def test_a_wrong_hash_is_refused_and_both_hashes_are_named(
    server: Server, make: Callable[..., Model], cache: Path
) -> None:
    server.answers["/net.tflite"] = OTHER
    with pytest.raises(FetchError) as caught:
        fetch(make(sha256=sha256(MODEL)))
    assert sha256(MODEL) in str(caught.value)
    assert sha256(OTHER) in str(caught.value)
    assert "nothing was kept" in str(caught.value)
    assert files_below(cache) == []


def test_a_hash_in_the_card_is_not_overruled_by_repin(
    server: Server, make: Callable[..., Model], cache: Path
) -> None:
    server.answers["/net.tflite"] = OTHER
    with pytest.raises(FetchError, match="correct the card"):
        fetch(make(sha256=sha256(MODEL)), repin=True)
    assert files_below(cache) == []


def test_what_changed_silently_is_refused_until_it_is_accepted(
    server: Server, make: Callable[..., Model]
) -> None:
    server.answers["/net.tflite"] = MODEL
    model = make()
    fetch(model)
    model.file.unlink()
    server.answers["/net.tflite"] = OTHER
    with pytest.raises(FetchError, match="run `harness models fetch --repin net`") as caught:
        fetch(model)
    assert sha256(MODEL) in str(caught.value)
    assert sha256(OTHER) in str(caught.value)
    assert not model.available
    assert fetch(model, repin=True).pinned
    assert model.file.read_bytes() == OTHER
    assert not fetch(model).downloaded


def test_another_address_in_the_card_is_another_pin(server: Server, make: Callable[..., Model]) -> None:
    server.answers.update({"/net.tflite": MODEL, "/v2/net.tflite": OTHER})
    fetch(make())
    got = fetch(make("/v2/net.tflite"))
    assert (got.downloaded, got.pinned, got.sha256) == (True, True, sha256(OTHER))


def test_a_damaged_pin_is_not_taken_for_no_pin(server: Server, make: Callable[..., Model]) -> None:
    server.answers["/net.tflite"] = MODEL
    model = make()
    fetch(model)
    pin_file(model.file).write_text("{")
    with pytest.raises(FetchError, match=r"the pin .*pin\.json cannot be read .*correct or delete it"):
        fetch(model)
    assert fetch(model, repin=True).sha256 == sha256(MODEL)


def test_a_file_that_was_altered_in_the_cache_is_noticed_and_fetched_again(
    server: Server, make: Callable[..., Model]
) -> None:
    server.answers["/net.tflite"] = MODEL
    model = make()
    fetch(model)
    verify(model)
    model.file.write_bytes(OTHER)
    with pytest.raises(FetchError, match=f"sha256 {sha256(OTHER)}, expected {sha256(MODEL)}"):
        verify(model)
    assert fetch(model).downloaded
    verify(model)


@pytest.mark.parametrize(
    "answer", [b"<html>moved</html>", b"version https://git-lfs.github.com/spec/v1\n", b""]
)
def test_what_is_no_model_is_never_pinned(
    server: Server, make: Callable[..., Model], cache: Path, answer: bytes
) -> None:
    server.answers["/net.tflite"] = answer
    with pytest.raises(FetchError, match="not a TFLite model; it begins with"):
        fetch(make())
    assert files_below(cache) == []


def test_a_truncated_body_is_noticed_after_several_attempts(
    server: Server, make: Callable[..., Model], cache: Path
) -> None:
    server.answers["/net.tflite"] = truncated
    with pytest.raises(FetchError, match=r"net: http://.*(1,000 of|1000 bytes read).*\(tried 4 times\)"):
        fetch(make())
    assert len(server.requests) == 4
    assert files_below(cache) == []


def test_a_body_that_was_truncated_once_is_fetched_whole(server: Server, make: Callable[..., Model]) -> None:
    server.answers["/net.tflite"] = [truncated, MODEL]
    assert fetch(make()).sha256 == sha256(MODEL)


def test_an_absent_file_is_not_asked_for_again(
    server: Server, make: Callable[..., Model], cache: Path
) -> None:
    with pytest.raises(FetchError, match="the server answered 404 Not Found"):
        fetch(make())
    assert len(server.requests) == 1
    assert files_below(cache) == []


def test_a_server_that_fails_twice_is_asked_again(server: Server, make: Callable[..., Model]) -> None:
    server.answers["/net.tflite"] = [500, 503, MODEL]
    assert fetch(make()).sha256 == sha256(MODEL)
    assert len(server.requests) == 3


def test_a_server_that_is_not_there_is_an_error_in_words(make: Callable[..., Model], server: Server) -> None:
    model = make()
    server.server_close()
    with pytest.raises(FetchError, match=r"the connection failed: .*\(tried 4 times\)"):
        fetch(model)


def test_a_redirect_is_followed(server: Server, make: Callable[..., Model]) -> None:
    server.answers.update({"/net.tflite": redirect("/real"), "/real": MODEL})
    assert fetch(make()).sha256 == sha256(MODEL)


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x", "/net.tflite"])
def test_a_redirect_away_from_http_or_in_a_circle_is_refused(
    server: Server, make: Callable[..., Model], cache: Path, target: str
) -> None:
    server.answers["/net.tflite"] = redirect(target)
    with pytest.raises(FetchError, match=r"No connection adapters|Exceeded 30 redirects"):
        fetch(make())
    assert files_below(cache) == []


def test_no_credentials_of_the_user_are_sent(
    server: Server, make: Callable[..., Model], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    server.answers["/net.tflite"] = MODEL
    fetch(make())
    _, headers = server.requests[0]
    assert "Authorization" not in headers
    assert headers["Accept-Encoding"] == "identity"


def test_a_body_longer_than_any_model_is_given_up(
    server: Server, make: Callable[..., Model], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "MAX_BYTES", 100_000)
    server.answers["/net.tflite"] = MODEL
    with pytest.raises(FetchError, match="longer than 100,000 bytes; refused"):
        fetch(make())
    assert files_below(cache) == []


def test_progress_is_told_up_to_the_announced_length(server: Server, make: Callable[..., Model]) -> None:
    server.answers["/net.tflite"] = MODEL
    told: list[tuple[int, int | None]] = []
    fetch(make(), on_progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (len(MODEL), len(MODEL))
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_a_member_of_a_zip_is_taken_out_and_its_own_hash_checked(
    server: Server, make: Callable[..., Model], cache: Path
) -> None:
    server.answers["/net.zip"] = zipped({"labels.txt": b"x", "detect.tflite": MODEL, "../../evil": b"!"})
    model = make("/net.zip", member="detect.tflite", sha256=sha256(MODEL))
    assert fetch(model).path.read_bytes() == MODEL
    assert files_below(cache) == ["models/net/detect.tflite", "models/net/detect.tflite.pin.json"]


def test_a_member_whose_name_leads_outside_stays_inside(
    server: Server, make: Callable[..., Model], cache: Path
) -> None:
    server.answers["/net.zip"] = zipped({"../../../evil.tflite": MODEL})
    got = fetch(make("/net.zip", member="../../../evil.tflite"))
    assert got.path == cache / "models" / "net" / "evil.tflite"
    assert files_below(cache.parent) == [
        "cache/models/net/evil.tflite",
        "cache/models/net/evil.tflite.pin.json",
        "net.toml",
    ]


def test_a_member_that_is_a_link_is_refused(server: Server, make: Callable[..., Model], cache: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as file:
        info = tarfile.TarInfo("model.tflite")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        file.addfile(info)
    server.answers["/net.tar.gz"] = buffer.getvalue()
    with pytest.raises(FetchError, match=r"net: http://.*member 'model\.tflite' is not a plain file"):
        fetch(make("/net.tar.gz", member="model.tflite"))
    assert files_below(cache) == []


def test_a_graph_to_be_converted_is_fetched_but_is_not_the_model(
    server: Server, make: Callable[..., Model]
) -> None:
    server.answers["/net.zip"] = zipped({"g/graph.pb": b"a frozen graph"})
    model = make("/net.zip", member="g/graph.pb", format="frozen-graph")
    got = fetch(model)
    assert (got.path.name, got.pinned) == ("graph.pb", True)
    assert not model.available
    assert not fetch(model).downloaded


def test_a_card_with_a_local_file_has_nothing_to_fetch(tmp_path: Path) -> None:
    (tmp_path / "net.toml").write_text(CARD.format(source='path = "net.tflite"'))
    with pytest.raises(UsageError, match="net: nothing to fetch; its card names the local file"):
        fetch(load_card(tmp_path / "net.toml"))


def test_a_cache_that_cannot_be_written_is_named_with_the_way_out(
    server: Server, make: Callable[..., Model], cache: Path
) -> None:
    server.answers["/net.tflite"] = MODEL
    cache.write_text("a file is in the way")
    with pytest.raises(OutputError, match=r"cache: cannot be used .*set HARNESS_CACHE"):
        fetch(make())
    assert server.requests == []


def test_an_interrupted_download_leaves_nothing_behind(
    server: Server, make: Callable[..., Model], cache: Path
) -> None:
    server.answers["/net.tflite"] = MODEL

    def interrupt(done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(make(), on_progress=interrupt)
    assert list(cache.iterdir()) == []


def test_ctrl_c_in_the_middle_of_a_body_leaves_nothing_behind(
    server: Server, make: Callable[..., Model], cache: Path
) -> None:
    server.answers["/net.tflite"] = stuck_half_way
    make()
    code = """
import sys
from pathlib import Path
from harness.cards import load_card
from harness.fetch import fetch
fetch(load_card(Path(sys.argv[1])))
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(cache.parent / "net.toml")], stderr=subprocess.PIPE
    )
    deadline = time.monotonic() + 120
    while not any(path.stat().st_size for path in cache.rglob("body")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=120)
    assert b"KeyboardInterrupt" in stderr
    assert list(cache.iterdir()) == []


def test_what_a_killed_fetch_left_is_removed_a_day_later(
    server: Server, make: Callable[..., Model], cache: Path
) -> None:
    server.answers["/net.tflite"] = MODEL
    for name, age_s in (("old", 100_000), ("young", 10)):
        folder = cache / f".fetch-{name}"
        folder.mkdir(parents=True)
        (folder / "body").write_bytes(b"half")
        os.utime(folder, (time.time() - age_s,) * 2)
    fetch(make())
    assert sorted(path.name for path in cache.iterdir()) == [".fetch-young", "models"]


def test_two_fetches_at_once_of_the_same_content_both_succeed(
    server: Server, make: Callable[..., Model], cache: Path
) -> None:
    server.answers["/net.tflite"] = MODEL
    model = make()
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: fetch(model), range(8)))
    assert {result.sha256 for result in results} == {sha256(MODEL)}
    assert hash_file(model.file) == sha256(MODEL)
    assert files_below(cache) == ["models/net/net.tflite", "models/net/net.tflite.pin.json"]


def test_of_two_fetches_at_once_of_different_contents_only_one_is_believed(
    server: Server, make: Callable[..., Model]
) -> None:
    server.answers["/net.tflite"] = [MODEL, OTHER]
    model = make()
    barrier = threading.Barrier(2)

    def one(_: int) -> str:
        try:
            return fetch(
                model, on_progress=lambda done, total: barrier.wait(60) if done == total else None
            ).sha256
        except FetchError:
            return "refused"

    with ThreadPoolExecutor(2) as pool:
        results = sorted(pool.map(one, range(2)))
    assert "refused" in results
    verify(model)


def test_the_http_library_is_not_imported_before_something_is_fetched() -> None:
    code = """
import sys, harness.fetch, harness.cli.models
assert not {'requests', 'urllib3', 'numpy'} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)
