"""`harness models`: what is printed where, and the exit status."""

import http.server
import io
import json
import threading
import zipfile
from pathlib import Path

import pytest

from harness.cli import models
from harness.cli.main import main

CARD = """
name = "{name}"
description = "[red]not markup[/red]"
license = "Apache-2.0"
[source]
{source}
[input]
width = 320
height = 240
[decoder]
name = "ssd-postprocess"
[[published]]
metric = "map"
value = 0.24
dataset = "COCO"
source = "a paper"
"""
MODEL = b"\x1c\x00\x00\x00TFL3 and more"

SERVED = []


def archive():
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        file.writestr("n/model.tflite", MODEL)
        file.writestr("n/tflite_graph.pb", b"a graph")
        file.writestr("n/pipeline.config", b"model {}")
    return stream.getvalue()


ANSWERS = {"/net.tflite": MODEL, "/all.zip": archive()}


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        SERVED.append(self.path)
        if self.path not in ANSWERS:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(ANSWERS[self.path])))
        self.end_headers()
        self.wfile.write(ANSWERS[self.path])

    def log_message(self, format, *args):
        pass


@pytest.fixture
def address(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def harness(tmp_path, monkeypatch, capsys, address):
    """Run the command in a workspace of four cards; return its status, stdout and stderr."""
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    (tmp_path / "devices").mkdir()
    (tmp_path / "models").mkdir()
    sources = {
        "net": f'url = "{address}/net.tflite"',
        "gone": f'url = "{address}/gone.tflite"',
        "graph": f'url = "{address}/graph.zip"\nmember = "graph.pb"\nformat = "frozen-graph"',
        "local": 'path = "local.tflite"',
    }
    for name, source in sources.items():
        (tmp_path / "models" / f"{name}.toml").write_text(CARD.format(name=name, source=source))

    def run(*args):
        with pytest.raises(SystemExit) as ended:
            main(["--workspace", str(tmp_path), "models", *args])
        return (ended.value.code, *capsys.readouterr())

    return run


def test_json_has_exactly_the_promised_keys_and_null_for_what_is_unknown(harness, address):
    status, out, err = harness("--format", "json")
    rows = json.loads(out)
    assert (status, err) == (0, "")
    assert [row["name"] for row in rows] == ["gone", "graph", "local", "net"]
    assert all(tuple(row) == models.COLUMNS for row in rows)
    assert rows[3] == {
        "name": "net",
        "file": None,
        "available": False,
        "quantization": None,
        "input": "320x240",
        "decoder": "ssd-postprocess",
        "license": "Apache-2.0",
        "source": f"{address}/net.tflite",
        "size_bytes": None,
        "published_map": 0.24,
        "published_on": "COCO",
        "published_latency_ms": None,
        "published_latency_on": None,
    }


def test_listing_is_what_is_done_when_nothing_is_said(harness):
    assert harness() == harness("list")


def test_the_table_says_why_a_file_is_not_here_and_fits_100_columns(harness):
    status, out, err = harness("list")
    states = {line.split()[0]: " ".join(line.split()[3:-3]) for line in out.splitlines() if "320x240" in line}
    assert states == {
        "gone": "not fetched",
        "graph": "to convert",
        "local": "file missing",
        "net": "not fetched",
    }
    assert max(map(len, out.splitlines())) <= 100
    assert "4 of 4 are not on this computer" in err
    assert status == 0


def test_the_bundled_cards_fit_100_columns_one_line_each(repository, capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "100")
    with pytest.raises(SystemExit):
        main(["--workspace", str(repository), "models"])
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 100
    names = {path.stem for path in (repository / "models").glob("*.toml")}
    assert names == {line.split()[0] for line in lines if line.strip()} - {
        "name",
        "─" * len(lines[2].strip()),
    }


@pytest.mark.parametrize("width", ["", "0", "-5", "wide", "9" * 400])
def test_a_width_that_is_none_folds_nothing_in_a_pipe(repository, capsys, tmp_path, monkeypatch, width):
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    monkeypatch.setenv("COLUMNS", width)
    with pytest.raises(SystemExit) as ended:
        main(["--workspace", str(repository), "models"])
    out = capsys.readouterr().out
    assert ended.value.code == 0 and "ssdlite-mobilenet-v2-qat-edgetpu" in out and "ssd-postprocess" in out


@pytest.mark.parametrize("format_", ["csv", "markdown"])
def test_csv_and_markdown_name_the_same_columns(harness, format_):
    _, out, _ = harness("list", "--format", format_)
    first = out.splitlines()[0]
    assert [word.strip() for word in first.strip("| ").replace("|", ",").split(",")] == list(models.COLUMNS)


def test_a_card_is_shown_with_its_figures_and_without_taking_its_text_for_markup(harness):
    status, out, _ = harness("show", "net")
    assert status == 0
    assert "[red]not markup[/red]" in out
    assert "map 0.24 (COCO): a paper" in out
    assert "run `harness models fetch net`" in out


def test_a_fetched_card_is_shown_with_its_pin(harness):
    harness("fetch", "net")
    _, out, _ = harness("show", "net")
    assert "(pinned 20" in " ".join(out.split())


def test_fetching_prints_data_to_stdout_and_the_rest_to_stderr(harness, tmp_path):
    status, out, err = harness("fetch", "net", "--format", "json")
    row = json.loads(out)[0]
    assert status == 0
    assert tuple(row) == models.FETCH_COLUMNS
    assert (row["downloaded"], row["pinned"], row["size_bytes"]) == (True, True, len(MODEL))
    assert row["file"] == str(tmp_path / "cache" / "models" / "net" / "net.tflite")
    assert "net: fetched, 0 kB" in err
    assert "pinned" in err


def test_other_members_of_the_archive_come_with_one_download(harness, address, tmp_path):
    source = f'''url = "{address}/all.zip"
member = "n/model.tflite"
variants = {{ graph = "n/tflite_graph.pb", config = "n/pipeline.config" }}'''
    (tmp_path / "models" / "all.toml").write_text(CARD.format(name="all", source=source))
    SERVED.clear()
    _, out, err = harness("fetch", "all", "--format", "json")
    files = [Path(row["file"]) for row in json.loads(out)]
    assert [file.name for file in files] == ["model.tflite", "tflite_graph.pb", "pipeline.config"]
    assert (files[1].read_bytes(), SERVED) == (b"a graph", ["/all.zip"])
    assert "all: fetched, 0 kB, tflite_graph.pb" in err
    assert "graph: n/tflite_graph.pb" in harness("show", "all")[1]


def test_what_is_not_to_be_fetched_is_answered_with_how_it_is_made(harness, address, tmp_path):
    source = f'''url = "{address}/all.zip"
member = "n/tflite_graph.pb"
format = "frozen-graph"
mode = "qat-uint8"
made_by = "train it, then `harness convert tflite_graph.pb --card trained`"'''
    (tmp_path / "models" / "trained.toml").write_text(CARD.format(name="trained", source=source))
    SERVED.clear()
    status, out, err = harness("fetch", "trained")
    assert (status, out, SERVED) == (1, "", [])
    assert "trained: fetching does not help: to be made: train it, then" in err
    assert "to convert" in harness("list")[1]
    assert "train it, then" in harness("show", "trained")[1]


def test_one_address_that_fails_does_not_keep_the_others_from_being_fetched(harness):
    status, out, err = harness("fetch", "gone", "net", "--format", "json")
    assert [row["name"] for row in json.loads(out)] == ["net"]
    assert "gone: http://" in err
    assert "the server answered 404" in err
    assert err.rstrip().endswith("error: not fetched: gone")
    assert status == 1


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("fetch", "nett"), "unknown model 'nett'. Did you mean net?"),
        (("show", "nett"), "unknown model 'nett'. Did you mean net?"),
        (("fetch", "local"), "nothing to fetch; its card names the local file"),
        (("fetch",), "Missing argument"),
        (("fetsh",), "No such command"),
    ],
)
def test_wrong_use_is_answered_on_stderr_with_status_2(harness, args, words):
    status, out, err = harness(*args)
    assert (status, out) == (2, "")
    assert words in err


def test_a_file_that_is_no_model_is_listed_without_a_quantization(harness, tmp_path):
    (tmp_path / "models" / "local.tflite").write_bytes(b"not a model")
    status, out, err = harness("list", "--format", "json")
    row = next(row for row in json.loads(out) if row["name"] == "local")
    assert (status, row["available"], row["quantization"]) == (0, True, None)
    assert "local.tflite" in err


def test_the_quantization_of_a_real_file_is_told(harness, tmp_path, shared_data):
    (tmp_path / "models" / "local.tflite").write_bytes(
        (shared_data / "models" / "ssd_mobilenet_v1_coco_quant.tflite").read_bytes()
    )
    _, out, _ = harness("show", "local", "--format", "json")
    assert json.loads(out)[0]["quantization"].startswith("qat-uint8")
