"""Names from outside may be anything: none of them is a fault, and no module asks Python's own predicates."""

import ast
import contextlib
import os
import shutil
import tempfile
from pathlib import Path

import pytest

from harness import outputs, paths
from harness.accuracy.annotations import read_annotations
from harness.accuracy.dataset import find_dataset
from harness.accuracy.detections import load_detections
from harness.accuracy.foreign import voc, yolo  # noqa: F401 - while there is the right to read Python's own files
from harness.accuracy.foreign.data_yaml import read_yaml
from harness.bench.detect import find_images
from harness.bench.plan_file import is_plan
from harness.cards import load_card
from harness.cli.main import main
from harness.conversion.sources import find_kind
from harness.errors import HarnessError, UsageError
from harness.profiles import load_profile
from harness.quantization.representative import find_representative
from harness.recognize.find import find_file, find_model
from harness.rows.selection import find_folders
from harness.schema import load_toml
from harness.tflite.reader import read_bytes
from harness.workspace import ensure_writable, find_workspace
from tests.support.paths import REPOSITORY

NOBODY = 65534
ENDINGS = ("", ".tflite", ".toml", ".json", ".npy", ".yaml", ".task")
SPACE = find_workspace(REPOSITORY)


@pytest.fixture
def place():
    """A folder that every user may look into, with a folder that nobody may, and links in a circle."""
    folder = Path(tempfile.mkdtemp(prefix="harness-names-", dir="/tmp"))
    folder.chmod(0o755)
    (folder / "closed").mkdir(mode=0o700)
    (folder / "closed" / "there.tflite").write_bytes(b"")
    (folder / "circle").symlink_to(folder / "circle")
    (folder / "nowhere").symlink_to(folder / "no" / "such")
    yield folder
    (folder / "closed").chmod(0o700)
    shutil.rmtree(folder)


@contextlib.contextmanager
def without_rights(folder):
    """Be a user whom permissions hold for; root may look into everything."""
    (folder / "closed").chmod(0o000)
    if os.getuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def hostile(folder):
    return [
        *("a" * 300, "a/" * 3000, "é" * 200, "a\0b", "~no-such-user/x", "\udcff", "", "."),
        *(str(folder / name) for name in ("closed/there", "circle", "circle/x", "nowhere", "a" * 4000)),
    ]


TAKERS = {
    "find_model": lambda text: find_model(text, SPACE),
    "find_file": lambda text: find_file(text, SPACE.root),
    "find_workspace": find_workspace,
    "find_folders": lambda text: find_folders([text], SPACE.results),
    "find_dataset": lambda text: find_dataset(Path(text)),
    "find_images": lambda text: find_images([Path(text)]),
    "find_representative": lambda text: find_representative(Path(text)),
    "find_kind": lambda text: find_kind(Path(text)),
    "is_plan": lambda text: is_plan(Path(text)),
    "load_toml": lambda text: load_toml(Path(text)),
    "load_card": lambda text: load_card(Path(text)),
    "load_profile": lambda text: load_profile(Path(text)),
    "load_detections": lambda text: load_detections(Path(text)),
    "read_annotations": lambda text: read_annotations(Path(text)),
    "read_yaml": lambda text: read_yaml(Path(text)),
    "read_bytes": lambda text: read_bytes(Path(text)),
    "check": outputs.check,
    "exists": paths.exists,
    "is_file": paths.is_file,
    "is_folder": paths.is_folder,
    "is_link": paths.is_link,
    "size_of": paths.size_of,
    "resolved": paths.resolved,
    "absolute": paths.absolute,
    "expand_user": paths.expand_user,
    "found_in": paths.found_in,
    "files_below": lambda text: list(paths.files_below(text)),
    "same_file": lambda text: paths.same_file(text, text),
    "is_stream": outputs.is_stream,
}


@pytest.mark.parametrize("taker", TAKERS, ids=str)
def test_a_hostile_name_is_an_error_that_says_so_or_is_not_there(place, taker, monkeypatch):
    monkeypatch.chdir(place)
    with contextlib.suppress(
        HarnessError
    ):  # loads what is imported late: that user may not read Python's own files
        TAKERS[taker]("no-such-name")
    for name in hostile(place):
        for ending in ENDINGS:
            with without_rights(place), contextlib.suppress(HarnessError):
                TAKERS[taker](name + ending)


@pytest.mark.parametrize("name", ["a" * 300, "a/" * 3000, "a\0b", "x/\0", "circle/x", "closed/x"])
def test_what_cannot_be_written_is_an_error_that_says_so(place, name):
    with without_rights(place):
        with pytest.raises(UsageError):
            outputs.write(place / name, b"x")
        with pytest.raises(UsageError):
            ensure_writable(place / name / "runs")


def test_a_name_that_cannot_be_is_not_there_and_what_may_not_be_looked_at_says_so(place):
    assert not paths.exists("a" * 300)
    assert not paths.is_file("a\0b")
    assert not paths.is_folder(place / "circle")
    with without_rights(place), pytest.raises(UsageError, match=r"closed/there\.tflite: cannot be read"):
        paths.exists(place / "closed" / "there.tflite")
    with without_rights(place), pytest.raises(UsageError, match="closed: cannot be read"):
        paths.found_in(place / "closed")
    with without_rights(place), pytest.raises(UsageError, match="closed: cannot be read"):
        list(paths.files_below(place))


def test_a_user_whom_nobody_knows_is_part_of_a_name():
    assert paths.expand_user("~no-such-user/x") == Path("~no-such-user/x")
    assert paths.expand_user("~/x") == Path.home() / "x"


@pytest.fixture
def gone(tmp_path, monkeypatch):
    """A current folder that was deleted."""
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    yield
    os.chdir(tmp_path)


@pytest.mark.parametrize(
    "line",
    [
        "models list",
        "run",
        "run x.tflite --dry-run",
        "report",
        "compare a b",
        "inspect x.tflite",
        "evaluate --annotations a.json --detections b.json -o c.json",
        "detect x.tflite a.jpg",
        "edit nms x.tflite --fast -o y.tflite",
        "quantize x.tflite --mode int8 -o y.tflite",
        "devices",
        "diagnose a.tflite b.tflite --dataset c --html d.html",
    ],
)
def test_a_deleted_current_folder_is_wrong_use(gone, line, capsys):
    with pytest.raises(SystemExit) as left:
        main(line.split())
    told = capsys.readouterr().err
    assert left.value.code == 2, told
    assert "Traceback" not in told
    assert told.startswith("error: ")


RAW = {
    *("exists", "is_file", "is_dir", "is_symlink", "stat", "lstat", "expanduser", "resolve", "absolute"),
    *(
        "cwd",
        "home",
        "samefile",
        "glob",
        "rglob",
        "iterdir",
        "readlink",
        "getcwd",
        "islink",
        "isfile",
        "isdir",
    ),
    *("realpath", "abspath", "scandir", "listdir", "walk", "is_mount", "owner"),
}
OWN_NAMES = {
    # module                          whose names these are
    "archive.py": "is_dir is of a member, no path",
    "bench/engines/bundle.py": "our own modules",
    "bench/host_check.py": "what was there when the run began",
    "bench/estimate.py": "records in our own folder of results",
    "child_process.py": "our own modules",
    "cli/main.py": "click's own folder",
    "diagnosis/runs/engines.py": "a model that was read before",
    "drivers/adb/sync.py": "a file that is open",
    "drivers/adb/usb_list.py": "the kernel's",
    "drivers/checkup/phone.py": "our own cache",
    "drivers/coral/attached.py": "the kernel's, and the system's packages",
    "drivers/fake.py": "a folder of the test's",
    "drivers/orphans.py": "the kernel's",
    "drivers/ssh/files.py": "isfile is of a member, no path",
    "drivers/ssh/link.py": "our own sockets",
    "farm/contents.py": "a store of ours, by hash",
    "farm/device_runs.py": "a folder of ours",
    "farm/host.py": "a folder of ours",
    "farm/kept_results.py": "a store of ours, by hash",
    "fetch.py": "our own cache",
    "hashing.py": "a file that is opened next, with the helper",
    "install.py": "our own checkout",
    "native/build.py": "our own source, and what was made of it",
    "native/programs.py": "our own source",
    "outputs.py": "the helper's other half",
    "paths.py": "the helper",
    "records/damaged.py": "a run's own folders",
    "records/ownership.py": "a run's own folder; errors are passed over there",
    "records/store.py": "a folder of ours",
    "rows/frame.py": "a run's own folders; errors are passed over there",
    "rows/row_cache.py": "our own cache",
    "worker/telemetry.py": "the kernel's",
    "workspace.py": "our own modules",
    "worker/prepared.py": "the kernel's",
}


def raw_calls(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        called = node.func if isinstance(node, ast.Call) else None
        if isinstance(called, ast.Attribute) and called.attr in RAW and ast.unparse(called.value) != "ast":
            yield f"{node.lineno}: {ast.unparse(node)}"


def test_only_names_of_our_own_go_to_pythons_predicates():
    root = REPOSITORY / "harness"
    found = {path.relative_to(root).as_posix(): list(raw_calls(path)) for path in root.rglob("*.py")}
    outside = {name: calls for name, calls in found.items() if calls and name not in OWN_NAMES}
    assert not outside, f"use harness.paths, or say in OWN_NAMES whose names these are: {outside}"


def test_every_module_that_is_exempt_from_that_needs_to_be():
    root = REPOSITORY / "harness"
    assert [name for name in OWN_NAMES if not any(raw_calls(root / name))] == []
