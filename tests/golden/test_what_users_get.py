"""What users get for a fixed set of commands: exit status, stdout, stderr and files, held against what was kept.

Each row of `COMMANDS` has a file in `expected/`. A change that is meant is written there with

    HARNESS_WRITE_GOLDEN=1 pytest tests/golden

and shows as a difference for the reader of the change. The runs in `runs/` were written by 0.1.0 and are never written
anew: they prove that older folders are still read.
"""

import json
import os
import re
import shlex
import shutil
import sys
from html.parser import HTMLParser
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import pytest

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
GOVERNOR = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
WRITE = os.environ.get("HARNESS_WRITE_GOLDEN") == "1"

# What of an output may differ from computer to computer, or from one call to the next.
VERSION = "version"  # of the libraries that compute
RUN = "run"  # id and times of the run that the command made, progress by the clock, and the tool's hash
MEASURED = "measured"  # what the clock and the memory meter gave
CONCLUDED = "concluded"  # the verdict on that, and its reasons
MACHINE = "machine"  # what this computer says of itself
PATHS = "paths"  # where a path is folded in a table: it depends on its length
TRIED = "tried"  # the time that a plan takes, told from a few inferences
HELP = "help"  # boxes and padding, which rich-click draws


class Row(NamedTuple):
    """A command line (several with && between), its exit status, what of it varies, and the files it writes."""

    name: str
    status: int
    line: str
    varies: tuple[str, ...] = ()
    files: tuple[str, ...] = ()


TOOL = (
    "--benchmark-binary tool/benchmark_model --no-accuracy --repetitions 2 --min-runs 6 --min-seconds 0.005"
)
REAL, REAL_NEW = "20261127-222722-977b", "20261127-222730-b389"  # made by `harness run`, with images
BEFORE, AFTER = "20261120-080000-aaaa", "20261121-090000-bbbb"  # the same, 20 % slower, 20 % faster
ALL_STATES = "20261122-100000-cccc"  # two devices, and a cell of each status
OPERATORS = "operators"  # a run with the times of its operators, of tests/records_formats
FOUND = f"results/{REAL}/cells/0003-shapes_full_integer-local-cpu_1/detections.json"
SCORED = f"evaluate --annotations models/shapes/dataset/instances_val.json --detections {FOUND}"
GATE = f"compare {BEFORE} {AFTER} --fail-if"
FLOAT = "models/shapes/shapes_float32.tflite"
INT8 = "models/shapes/shapes_full_integer.tflite"
PHOTO = "models/shapes/dataset/images/000001.jpg"

# fmt: off
COMMANDS = (
    Row("help",                  0, "--help", (HELP,)),
    Row("version",               0, "--version"),
    Row("no-such-command",       2, "reprot"),
    Row("no-such-option",        2, "report --formt json"),

    Row("run-dry-table",         0, "run --dry-run", (TRIED,)),
    Row("run-dry-json",          0, "run --dry-run --format json shapes-float32 --nms regular --nms fast --limit 7",
                                    (TRIED,)),
    Row("run-dry-plan",          0, "run plan.toml --dry-run --repetitions 3 --no-accuracy", (TRIED,)),
    Row("run-json",              0, f"run shapes-float32 shapes-full-integer --delegate cpu:1 {TOOL} --format json "
                                    "--output made", (RUN,)),
    Row("run-table",             0, f"run shapes-full-integer --delegate cpu-reference:1 {TOOL} --output made", (RUN,)),
    Row("run-accuracy",          0, "run shapes-full-integer --delegate cpu:1 --no-latency --limit 4 --format json "
                                    "--output made", (RUN, VERSION, MEASURED)),
    Row("run-latency",           0, "run shapes-float32 --delegate cpu:1 --no-accuracy --repetitions 1 --min-runs 20 "
                                    "--min-seconds 0.01 --format json --output made",
                                    (RUN, VERSION, MEASURED, CONCLUDED)),
    Row("run-against",           1, f"run {FLOAT} --against shapes-full-integer --delegate cpu:1 {TOOL} "
                                    "--repetitions 8 --output made && compare made --fail-if 'size_bytes > 0'", (RUN,)),
    Row("run-against-nothing",   2, "run --against shapes-float16"),
    Row("run-bare-model",        0, f"run {INT8} --no-accuracy --dry-run", (TRIED,)),
    Row("run-skipped",           1, "run shapes-float32 --delegate hexagon --format csv --output made", (RUN,)),
    Row("run-wrong-model",       2, "run shapes-float23 --output made"),
    Row("run-wrong-delegate",    2, "run shapes-float32 --delegate gpuu --output made"),
    Row("run-wrong-device",      2, "run shapes-float32 --device locla --output made"),
    Row("run-wrong-settings",    2, "run shapes-float32 --repetitions 0 --output made"),
    Row("run-nothing-to-resume", 2, "run --resume --output made"),

    Row("evaluate-table",        1, SCORED, (VERSION,)),
    Row("evaluate-json",         1, f"{SCORED} --format json", (VERSION,)),
    Row("evaluate-pycocotools",  0, f"{SCORED} --format json --engine pycocotools --image-ids ids.txt", (VERSION,)),
    Row("evaluate-image-ids",    0, f"{SCORED} --format csv --image-ids ids.txt", (VERSION,)),
    Row("evaluate-breakdown",    0, f"{SCORED} --image-ids ids.txt --breakdown"),
    Row("evaluate-against",      0, f"{SCORED} --format json --image-ids ids.txt --against "
                                    f"results/{REAL_NEW}/cells/0002-shapes_full_integer-local-cpu_1/detections.json"),
    Row("evaluate-no-file",      2, "evaluate --annotations none.json --detections none.json"),

    Row("detect-table",          0, f"detect shapes-float32 {PHOTO} -o found", (VERSION,)),
    Row("detect-json",           0, f"detect {INT8} {PHOTO} --score-threshold 0.5 --format json", (VERSION,)),
    Row("detect-no-image",       2, "detect shapes-float32 none.jpg"),

    Row("inspect-table",         0, f"inspect {INT8}"),
    Row("inspect-json",          0, "inspect shapes-float32 --format json"),
    Row("inspect-two",           0, f"inspect {FLOAT} {INT8}"),
    Row("inspect-two-json",      0, "inspect shapes-float32 shapes-float16 --format json"),
    Row("npu-wrong-chip",        2, f"npu {INT8} --soc SM8651"),
    Row("inspect-wrong-model",   2, "inspect plan.tflite"),

    Row("report-table",          0, "report"),
    Row("report-every-status",   0, f"report {ALL_STATES}"),
    Row("report-json",           0, f"report {REAL} {ALL_STATES} --format json"),
    Row("report-csv",            0, f"report {REAL} --format csv"),
    Row("report-markdown",       0, f"report {ALL_STATES} --format markdown"),
    Row("report-parquet",        0, f"report {ALL_STATES} -o rows.parquet", files=("rows.parquet",)),
    Row("report-html",           0, f"report {REAL} -o page.html", files=("page.html",)),
    Row("report-columns",        0, "report results --columns run_id,model,latency_p90_ms,map --sort -map"),
    Row("report-group-by",       0, f"report {ALL_STATES} --group-by device"),
    Row("report-group-by-model", 0, f"report {ALL_STATES} --group-by model --format markdown"),
    Row("report-published",      0, "report latest --with-published"),
    Row("report-published-html", 0, f"report {ALL_STATES} --with-published --group-by device --sort fps -o page.html",
                                    files=("page.html",)),
    Row("report-operators",      0, f"report {OPERATORS} --operators"),
    Row("report-operators-json", 0, f"report {OPERATORS} --operators --format json"),
    Row("report-wrong-run",      2, "report 20261120-080000-aaab"),
    Row("report-wrong-column",   2, "report --columns model,mapp"),

    Row("compare-table",         0, f"compare {REAL} {REAL_NEW}"),
    Row("compare-json",          0, f"compare {REAL} {REAL_NEW} --format json"),
    Row("compare-two-models",    0, f"compare {REAL}:shapes-float32 {REAL}:shapes-full-integer --format json"),
    Row("compare-one-run",       2, f"compare {REAL}"),
    Row("compare-csv",           0, f"compare {BEFORE} {AFTER} --format csv"),
    Row("compare-pass",          0, f"{GATE} 'latency_median_ms > 50%'"),
    Row("compare-fail",          1, f"{GATE} 'latency_median_ms > 5%' --format markdown --junit gate.xml",
                                    files=("gate.xml",)),
    Row("compare-undecided",     3, f"{GATE} 'latency_median_ms > 20%' --junit gate.xml", files=("gate.xml",)),
    Row("compare-accuracy",      3, f"compare {REAL} {REAL_NEW} --fail-if 'map < -0.005'"),
    Row("compare-apart",         2, f"compare {REAL} {ALL_STATES}"),
    Row("compare-wrong-gate",    2, f"{GATE} 'latency_medain_ms > 5%'"),

    Row("edgetpu-log-table",     0, "edgetpu log ptq.log"),
    Row("edgetpu-log-json",      0, "edgetpu log ptq.log qat.log --format json"),
    Row("edgetpu-log-summary",   0, "edgetpu log ptq.log --summary --format json"),
    Row("edgetpu-log-wrong",     2, "edgetpu log plan.toml"),

    Row("runs-empty",            0, "runs --results . --format json"),

    Row("models-table",          0, "models"),
    Row("models-json",           0, "models list --format json"),
    Row("models-show",           0, "models show shapes-full-integer", (PATHS,)),
    Row("models-probe",          0, "models probe shapes-full-integer --limit 2 --write probed.toml", (RUN,),
                                    ("probed.toml",)),
    Row("models-wrong-name",     2, "models show shapes-flaot32"),

    Row("devices-json",          0, "devices --format json", (MACHINE,)),
    Row("doctor-json",           0, "doctor --device local --format json", (MACHINE, VERSION)),
    Row("doctor-wrong-device",   2, "doctor --device locla"),

    Row("edit-nms",              0, f"edit nms {INT8} --regular --max-detections 9 --score-threshold 0.25 -o new.tflite"
                                    " && inspect new.tflite", files=("new.tflite",)),
    Row("edit-cut-attach",       0, f"edit cut {INT8} -o heads.tflite --format json && edit attach heads.tflite -o "
                                    "whole.tflite --format json", files=("heads.toml", "whole.tflite")),
    Row("edit-card",             0, "edit card shapes-float32 --set input.channels=bgr -o bgr.toml",
                                    files=("bgr.toml",)),
    Row("edit-nothing",          2, f"edit nms {INT8} -o new.tflite"),

    Row("diagnose",              0, "diagnose shapes-float32 shapes-full-integer --limit 3 --layer-images 0",
                                    (RUN,)),
    Row("diagnose-wrong-use",    2, "diagnose"),
    Row("quantize-wrong-use",    2, f"quantize {FLOAT} --mode int7 -o new.tflite"),
    Row("convert-wrong-use",     2, "convert none.pb -o new.tflite"),
    *(Row(f"help-{name.replace(' ', '-')}", 0, f"{name} --help", (HELP,)) for name in (
        "run", "report", "runs", "runs rm", "compare",
        "models", "models list", "models show", "models fetch", "models probe", "inspect",
        "edit", "edit nms", "edit relu", "edit cut", "edit attach", "edit card", "devices", "doctor", "worker", "npu",
        "edgetpu", "edgetpu log", "edgetpu compile", "convert", "quantize", "diagnose", "prune", "resize",
        "detect", "evaluate",
    )),
)
# fmt: on


@pytest.fixture(scope="session")
def workspace(tmp_path_factory):
    """A workspace with the bundled models, this computer as its only device, the kept runs, and the tool."""
    root = tmp_path_factory.mktemp("golden")
    shutil.copytree(REPOSITORY / "models", root / "models")
    shutil.copytree(HERE / "runs", root / "results")
    shutil.copytree(REPOSITORY / "results" / "published", root / "results" / "published")
    shutil.copytree(REPOSITORY / "tests" / "records_formats" / "1-operators", root / "operators")
    for folder in ("devices", "tool", "packages"):
        (root / folder).mkdir()
    shutil.copy(REPOSITORY / "devices" / "local.toml", root / "devices")
    shutil.copytree(HERE / "inputs", root, dirs_exist_ok=True)
    tool, program = root / "tool" / "benchmark_model", HERE / "fixed_benchmark_model.py"
    tool.write_text(
        f"#!/bin/sh\nPYTHONPATH={shlex.quote(str(REPOSITORY))} exec {shlex.quote(sys.executable)} "
        f'{shlex.quote(str(program))} "$@"\n'
    )
    tool.chmod(0o755)
    return root


@pytest.fixture
def harness(workspace, monkeypatch, capsys):
    """Run one command line in the workspace; returns (exit status, stdout, stderr)."""
    from harness.cli.main import main

    monkeypatch.chdir(workspace)
    for name in ("FORCE_COLOR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    settings = {"COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb", "HARNESS_CACHE": str(workspace / "cache")}
    for name, value in {**settings, "PYTHONPATH": str(REPOSITORY)}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("harness.bench.cells.available_cores", lambda: 2)
    _install(workspace / "packages", monkeypatch)

    def call(line):
        with pytest.raises(SystemExit) as left:
            main(shlex.split(line))
        return (left.value.code, *capsys.readouterr())

    return call


def _install(folder, monkeypatch):
    """Give a checkout that nobody installed the metadata of one that is: the HTML report asks for its version."""
    try:
        metadata.version("ondevice-harness")
    except metadata.PackageNotFoundError:
        from harness import __version__

        about = folder / f"ondevice_harness-{__version__}.dist-info"
        about.mkdir(exist_ok=True)
        (about / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: ondevice-harness\nVersion: {__version__}\n"
        )
        monkeypatch.syspath_prepend(folder)


@pytest.mark.parametrize("row", COMMANDS, ids=[row.name for row in COMMANDS])
def test_a_command_gives_what_it_gave_before(row, harness, workspace):
    if TOOL in row.line and GOVERNOR.exists():
        pytest.skip(f"{GOVERNOR}: this computer changes its clock, and the row would say so")
    parts = []
    for line in row.line.split(" && "):
        status, out, err = harness(line)
        parts += [(f"$ harness {line}", f"exit status {status}\n"), ("--- stdout", out), ("--- stderr", err)]
    parts += [(f"--- {name}", readable(workspace / name)) for name in row.files]
    found = "".join(section(title, normalized(text, row, workspace)) for title, text in parts)
    path = HERE / "expected" / f"{row.name}.txt"
    assert status == row.status, found
    if WRITE:
        path.write_text(found, encoding="utf-8")
    assert found == path.read_text(encoding="utf-8")


def section(title, text):
    return f"{title}\n{text}" if text else ""


def test_every_expected_file_belongs_to_a_command():
    assert {path.stem for path in (HERE / "expected").iterdir()} == {row.name for row in COMMANDS}


def test_every_command_of_the_help_has_a_row():
    page = (HERE / "expected" / "help.txt").read_text(encoding="utf-8")
    listed = re.findall(
        r"^([a-z]+) [A-Z]", page.partition("\nCommands:\n")[2].partition("\nExamples:\n")[0], re.M
    )
    assert len(listed) > 10
    assert {f"help-{name}" for name in listed} <= {row.name for row in COMMANDS}


def readable(path):
    """A file as text that shows what changed."""
    if path.suffix == ".parquet":
        return _table_text(path)
    if path.suffix == ".html":
        return _page_text(path.read_text(encoding="utf-8"))
    if path.suffix == ".tflite":
        import hashlib

        data = path.read_bytes()
        return f"{len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()}\n"
    return path.read_text(encoding="utf-8")


def _table_text(path):
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(path)
    rows = "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in table.to_pylist())
    return f"{', '.join(f'{field.name}: {field.type}' for field in table.schema)}\n{rows}"


class _Text(HTMLParser):
    """The words of a page, a line each, and the data that its script draws; no script, no style."""

    def __init__(self):
        super().__init__()
        self.lines, self._inside, self.data = [], "", {}

    def handle_starttag(self, tag, attrs):
        self._inside = tag

    def handle_endtag(self, tag):
        self._inside = ""

    def handle_data(self, data):
        if self._inside == "script" and data.lstrip().startswith("{"):
            self.data = json.loads(data)
        elif self._inside not in {"script", "style"} and data.strip():
            self.lines.append(data.strip())


def _page_text(page):
    """Pictures in the data are left out: their bytes are the JPEG library's."""
    parser = _Text()
    parser.feed(page)
    data = {**parser.data, "made": "<time>"}
    drawn = "".join(f"{key}: {json.dumps(value, ensure_ascii=False)}\n" for key, value in data.items())
    return "\n".join(parser.lines) + "\n" + re.sub(r"data:image/\w+;base64,[\w+/=]+", "<picture>", drawn)


def normalized(text, row, workspace):
    """Take out of an output what may vary, and nothing else.

    Always: the folders of this test, digits of a float beyond the twelfth, which are the processor's, and blanks at the
    end of a line. Of rows that say so, what the words above `Row` name.
    """
    for folder, name in ((workspace, "<workspace>"), (REPOSITORY, "<repository>")):
        text = text.replace(str(folder), name)
    text = "".join(f"{line.rstrip()}\n" for line in text.splitlines())
    text = re.sub(r"-?\d+\.\d{10,}(e-\d+)?", lambda found: f"{float(found[0]):.12g}", text)
    for kind in row.varies:
        text = _NORMALIZERS[kind](text)
    return text


def _without_versions(text):
    for package in ("ai-edge-litert", "tflite-runtime", "litert-quantizer", "hotcoco", "pycocotools"):
        text = re.sub(rf"\b{package} \d+(\.\w+)+", f"{package} <version>", text)
    return text


def _without_run(text):
    for run in Path.cwd().glob("made/*/run.json"):
        text = text.replace(run.parent.name, "<run>")
    text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "<time>", text)
    text = re.sub(r"^\[\d+/\d+\] .*\n", "", text, flags=re.M)
    return re.sub(r"(benchmark_model tflite sha256:)[0-9a-f]{16}", r"\1<tool>", text)


def _without_measured(text):
    """Null stays null: that a figure is unknown is not a matter of the clock."""
    names = r"latency_\w+|fps|init_ms|first_inference_ms|peak_memory_mb|images_per_second|n_samples|watched_s"
    return re.sub(rf'"({names})": [\d.e+-]+', r'"\1": "<measured>"', text)


def _without_concluded(text):
    return re.sub(r'"(verdict|reasons)": ("[^"]*"|\[[^\]]*\])', r'"\1": "<concluded>"', text)


def _without_machine(text):
    """The facts are those that the command itself tells of `local`."""
    told = re.search(r'"name": "local".*?(\{|\}|$)', text, re.S)
    facts = re.findall(r'"(model|soc|os|abi)": "([^"]+)"', told[0]) if told else []
    for key, value in facts:
        text = text.replace(f'"{value}"', f'"<{key}>"')
    text = re.sub(
        r'("check": "(?:other load|governor|temperature)", )"state": .*?(, "kind")', r'\1"<quiet>"\2', text
    )
    text = re.sub(r'("check": "(?:gpu|npu)", "state": "ok", "found": ")[^"]+', r"\1<drivers>", text)
    words = ", ".join(value for _, value in facts)
    return text.replace(words, "<facts>") if words else text


def _without_tried(text):
    text = re.sub(r'"seconds": [\d.]+', '"seconds": "<seconds>"', text)
    text = re.sub(r"^(\S+ +local .*?) +[\d.]+$", r"\1 <seconds>", text, flags=re.M)
    return re.sub(r"about .* in all", "about <time> in all", text)


def _without_paths(text):
    return re.sub(r"^(card|file) .*\n(?: {14}.*\n)*", r"\1 <path>\n", text, flags=re.M)


def _without_boxes(text):
    lines = (" ".join(re.sub(r"[│╭╮╰╯─]", " ", line).split()) for line in text.splitlines())
    return "".join(f"{line}\n" for line in lines if line)


_NORMALIZERS = {
    VERSION: _without_versions,
    RUN: _without_run,
    MEASURED: _without_measured,
    CONCLUDED: _without_concluded,
    TRIED: _without_tried,
    PATHS: _without_paths,
    MACHINE: _without_machine,
    HELP: _without_boxes,
}
