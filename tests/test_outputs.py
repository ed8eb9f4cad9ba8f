"""What a user names as an output is written through links, devices and pipes; a plain file is replaced whole."""

import json
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import harness
from harness import outputs
from harness.cli.main import main
from harness.errors import OutputError, UsageError
from tests.support.paths import MODELS, REPOSITORY

MODEL = MODELS / "shapes" / "shapes_float32.tflite"


@pytest.fixture
def fifo(tmp_path):
    """A FIFO with a reader; `text()` is what came out of it."""
    path = tmp_path / "fifo"
    os.mkfifo(path)

    class Read:
        def __init__(self):
            self.path, self.data = path, b""
            self._thread = threading.Thread(target=self._read, daemon=True)
            self._thread.start()

        def _read(self):
            self.data = path.read_bytes()

        def text(self):
            self._thread.join(timeout=60)
            return self.data

    yield (one := Read())
    if not one.data:  # nothing was written: let the reader go
        os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK))


def test_a_file_is_replaced_whole_and_keeps_its_permissions(tmp_path):
    file = tmp_path / "rows.json"
    file.write_bytes(b"old")
    file.chmod(0o640)
    before = file.stat()
    outputs.write(file, b"new")
    assert file.read_bytes() == b"new"
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert file.stat().st_ino != before.st_ino
    assert [path.name for path in tmp_path.iterdir()] == ["rows.json"]


def test_a_file_that_cannot_be_replaced_is_as_it_was(tmp_path, monkeypatch):
    file = tmp_path / "rows.json"
    file.write_bytes(b"old")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="No space left on device"):
        outputs.write(file, b"new")
    assert file.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["rows.json"]


def test_a_link_is_written_through_and_stays(tmp_path):
    (tmp_path / "there").mkdir()
    target, link, second = tmp_path / "there" / "rows.json", tmp_path / "link.json", tmp_path / "second.json"
    link.symlink_to(Path("there") / "rows.json")
    second.symlink_to(link)
    outputs.write(second, b"into nothing")
    assert target.read_bytes() == b"into nothing"
    outputs.write(link, b"into a file")
    assert target.read_bytes() == b"into a file"
    assert link.is_symlink() and second.is_symlink() and not target.is_symlink()


def test_a_circle_of_links_is_an_error(tmp_path):
    link = tmp_path / "link.json"
    link.symlink_to(link)
    with pytest.raises(UsageError, match=r"link\.json: cannot be followed"):
        outputs.write(link, b"x")
    assert link.is_symlink()


def test_a_fifo_is_written_to_and_stays(fifo):
    outputs.write(fifo.path, b"data" * 100_000)
    assert fifo.text() == b"data" * 100_000
    assert stat.S_ISFIFO(fifo.path.stat().st_mode)


def test_a_link_to_a_fifo_is_written_through(fifo, tmp_path):
    link = tmp_path / "link.json"
    link.symlink_to(fifo.path)
    outputs.write(link, b"data")
    assert fifo.text() == b"data"
    assert link.is_symlink()


def test_a_device_is_written_to_and_stays(tmp_path):
    device = tmp_path / "null.json"
    try:
        os.mknod(device, stat.S_IFCHR | 0o666, os.makedev(1, 3))
        device.write_bytes(b"")
    except OSError:
        pytest.skip("only root may make a device, and only where the file system has devices")
    outputs.check(device, (".csv",))
    outputs.write(device, b"data")
    assert stat.S_ISCHR(device.stat().st_mode)
    assert not outputs.is_taken(device)
    assert [path.name for path in tmp_path.iterdir()] == ["null.json"]


def test_a_socket_is_never_replaced(tmp_path):
    import socket

    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
        with pytest.raises(OutputError, match="socket: cannot be written"):
            outputs.write(tmp_path / "socket", b"x")
    assert stat.S_ISSOCK((tmp_path / "socket").stat().st_mode)


@pytest.mark.parametrize("ending", [".csv", ".htm", ".JSON"])
def test_an_ending_that_is_not_known_is_an_error_that_names_those_that_are(ending, tmp_path):
    known = (".json", ".html")
    if ending.lower() in known:
        outputs.check(tmp_path / f"rows{ending}", known)
    else:
        with pytest.raises(OutputError, match=rf"'{ending}' is no known ending here; known: \.json, \.html"):
            outputs.check(tmp_path / f"rows{ending}", known)
    outputs.check(tmp_path / "rows", known)


def evaluated(folder):
    """What `harness evaluate` is given: one image with one object, and its detection."""
    box, entry = [1, 1, 8, 8], {"image_id": 1, "category_id": 1}
    image, category = {"id": 1, "file_name": "a.png", "width": 10, "height": 10}, {"id": 1, "name": "a"}
    object_ = {**entry, "id": 1, "bbox": box, "area": 64, "iscrowd": 0}
    truth = {"images": [image], "categories": [category], "annotations": [object_]}
    (folder / "a.json").write_text(json.dumps(truth))
    (folder / "d.json").write_text(json.dumps([{**entry, "bbox": box, "score": 0.9}]))
    return f"--annotations {folder}/a.json --detections {folder}/d.json"


def shell(command):
    program = f"{sys.executable} -m harness"
    argv = ["bash", "-c", command.replace("harness", program, 1)]
    return subprocess.run(argv, capture_output=True, text=True, check=False, cwd=REPOSITORY)


def test_standard_output_as_a_file_gets_the_data_behind_what_is_there(tmp_path):
    page = tmp_path / "all.csv"
    page.write_text("before\n")
    done = shell(f"harness evaluate {evaluated(tmp_path)} --curves /dev/stdout >> {page}")
    assert done.returncode == 0, done.stderr
    text = page.read_text()
    assert text.startswith("before\n") and "precision" in text and "AP   IoU 0.50" in text


def test_the_substitution_of_a_process_gets_the_data(tmp_path):
    done = shell(f"harness evaluate {evaluated(tmp_path)} --curves >(cat > {tmp_path}/got.csv); wait $!")
    assert done.returncode == 0, done.stderr
    assert "precision" in (tmp_path / "got.csv").read_text()


@pytest.mark.parametrize(
    "line",
    [
        "report -o",
        "evaluate --annotations a.json --detections d.json -o",
        "evaluate --annotations a.json --detections d.json --curves",
        "compare a b --junit",
        "diagnose a.tflite b.tflite --dataset c --html",
        "diagnose a.tflite b.tflite --dataset c --pictures",
        "edit nms a.tflite --fast -o",
        "edit cut a.tflite -o",
        "edit attach a.tflite -o",
        "edit card a.toml --set labels.offset=1 -o",
        "quantize a.tflite --mode int8 -o",
        "convert a.pb --mode int8 -o",
        "prune a.tflite --sparsity 0.5 -o",
        "resize a.tflite --input 64 -o",
        "models probe a.tflite --write",
        "run --output",
        "detect a.tflite b.jpg -o",
        "edgetpu compile a.tflite -o",
        "worker --folder",
    ],
)
def test_an_output_without_a_name_is_wrong_use(line, capsys):
    with pytest.raises(SystemExit) as left:
        main([*line.split(), ""])
    assert left.value.code == 2
    assert "found '', expected the name of a file or folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "known"),
    [
        ("report -o x.xlsx", ".json, .csv, .md, .txt, .parquet, .html"),
        ("evaluate --annotations a.json --detections d.json -o x.parquet", ".json, .csv, .md, .txt"),
        ("evaluate --annotations a.json --detections d.json --curves x.json", ".csv"),
        ("compare a b --junit x.json", ".xml"),
        ("diagnose a.tflite b.tflite --dataset c --html x.pdf", ".html, .htm"),
        ("edit nms a.tflite --fast -o x.onnx", ".tflite, .lite"),
        ("edit card a.toml --set labels.offset=1 -o x.yaml", ".toml"),
        ("quantize a.tflite --mode int8 -o x.pb", ".tflite, .lite"),
        ("convert a.pb --mode int8 -o x.pb", ".tflite, .lite"),
        ("models probe a.tflite --write x.yaml", ".toml"),
    ],
)
def test_every_command_names_the_endings_that_it_knows(line, known, capsys):
    with pytest.raises(SystemExit) as left:
        main(line.split())
    assert left.value.code == 2
    assert f"is no known ending here; known: {known}" in " ".join(capsys.readouterr().err.split())


def test_a_model_that_is_pruned_into_a_pipe_is_measured_and_goes_there(fifo):
    argv = ["prune", str(MODEL), "--sparsity", "0.5", "--no-latency", "--no-accuracy", "-o", str(fifo.path)]
    with pytest.raises(SystemExit) as left:
        main(argv)
    assert left.value.code == 0
    assert fifo.text()[4:8] == b"TFL3"
    assert stat.S_ISFIFO(fifo.path.stat().st_mode)


def test_functions_refuse_an_output_without_a_name_as_well():
    with pytest.raises(UsageError, match="found ''"):
        harness.quantize(MODEL, mode="float16", output="")
    with pytest.raises(UsageError, match="--output: found ''"):
        harness.run(MODEL, output="", dry_run=True)
    with pytest.raises(UsageError, match="found ''"):
        harness.compare("a", "b", junit="")
