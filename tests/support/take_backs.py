"""Logs of benchmark_model with lines that take back put in at any place, and what may be claimed of them."""

import random

from harness.delegates import parse_delegate
from harness.drivers.benchmark_tool.facts import MentionKind
from harness.drivers.benchmark_tool.parse import parse
from harness.drivers.benchmark_tool.text_log import parse_log
from harness.drivers.benchmark_tool.truth import judge
from harness.vocabulary import MEASURED
from tests.support.paths import SHARED_DATA
from tests.support.tool_logs import MEASURED as RECORDED
from tests.support.tool_logs import split_log

TAKE_BACKS = (
    "Restored original execution plan after delegate application failure.",
    "Error in applying the default TensorFlow Lite delegate indexed at 0, and all previously applied delegates are "
    "reverted.",
)
PREFIXES = (
    *("ERROR: ", "INFO: ", "WARNING: ", "VERBOSE: ", "", "E/tflite  (12345): ", "I/tflite: "),
    "ERROR: [subgraph.cc:1234] ",
    "E0000 00:00:1795300576.255482   21456 subgraph.cc:144] ",
    "2026-11-28 09:00:00,123 ERROR tflite: ",
)
CLAIMS = {
    "cpu": (
        "INFO: Created TensorFlow Lite XNNPACK delegate for CPU.",
        "VERBOSE: Replacing 60 out of 64 node(s) with delegate (TfLiteXNNPackDelegate) node, yielding 4 partitions for "
        "subgraph 0.",
        "INFO: Explicitly applied XNNPACK delegate, and the model graph will be completely executed by the delegate.",
    ),
    "gpu": (
        "INFO: GPU delegate created.",
        "VERBOSE: Replacing 64 out of 64 node(s) with delegate (TfLiteGpuDelegateV2) node, yielding 1 partitions for "
        "subgraph 0.",
        "INFO: Explicitly applied GPU delegate, and the model graph will be completely executed by the delegate.",
    ),
    "nnapi": (
        "INFO: NNAPI delegate created.",
        "Explicitly applied NNAPI delegate, and the model graph will be partially executed by the delegate w/ 2 "
        "delegate kernels.",
    ),
    "hexagon": (
        "HEXAGON delegate created.",
        "INFO: TfLiteHexagonDelegate delegate: 88 nodes delegated out of 90 nodes with 2 partitions.",
        "INFO: Replacing 88 node(s) with delegate (TfLiteHexagonDelegate) node, yielding 3 partitions.",
        "Explicitly applied HEXAGON delegate, and the model graph will be partially executed by the delegate w/ 2 "
        "delegate kernels.",
    ),
    "qnn:htp": (
        "INFO: EXTERNAL delegate created.",
        "INFO: [Qnn Delegate] QNN delegate: 60 nodes delegated out of 64 nodes with 2 partitions.",
        "INFO: Explicitly applied EXTERNAL delegate, and the model graph will be partially executed by the delegate "
        "w/ 2 delegate kernels.",
    ),
    "external:lib.so": (
        "INFO: EthosuDelegate: 1 nodes delegated out of 2 nodes with 1 partitions.",
        "INFO: Explicitly applied EXTERNAL delegate, and the model graph will be completely executed by the delegate.",
    ),
    "edgetpu:usb:0": (
        "INFO: EXTERNAL delegate created.",
        "INFO: Explicitly applied EXTERNAL delegate, and the model graph will be completely executed by the delegate.",
    ),
    "npu": (
        "VERBOSE: Replacing 64 out of 64 node(s) with delegate (DispatchDelegate) node, yielding 1 partitions.",
    ),
}
_HEAD = """INFO: STARTING!
INFO: Log parameter values verbosely: [0]
INFO: Graph: [m.tflite]
INFO: Signature to run: []"""
_TAIL = """INFO: Initialized session in 812.5ms.
INFO: Running benchmark for at least 1 iterations and at least 0.5 seconds but terminate if exceeding 150 seconds.
INFO: count=41 first=21044 curr=12011 min=11907 max=21044 avg=12345.6 std=1402 p5=11920 median=12101 p95=13001

INFO: Running benchmark for at least 50 iterations and at least 1 seconds but terminate if exceeding 150 seconds.
INFO: count=83 first=12033 curr=11987 min=11890 max=13011 avg=12101.5 std=201 p5=11911 median=12080 p95=12600

INFO: Inference timings in us: Init: 812500, First inference: 21044, Warmup (avg): 12345.6, Inference (avg): 12101.5"""
_CLAIMING = {MentionKind.COMPLETE, MentionKind.PARTIAL, MentionKind.REPLACED, MentionKind.COUNTED}


def known_logs():
    """Return (delegate, lines of stdout, lines of stderr) of a log for each delegate, and of each one recorded."""
    logs = [
        (
            delegate,
            [*_HEAD.splitlines(), *claims, *_TAIL.splitlines()],
            ["INFO: Initialized TensorFlow Lite runtime."],
        )
        for delegate, claims in CLAIMS.items()
    ]
    for name, delegate, *_ in RECORDED:
        path = SHARED_DATA / "benchmark_model_logs" / f"{name}.txt"
        if path.is_file():
            log = split_log(path.read_text("utf-8", errors="replace"))
            logs.append((delegate, log.stdout.splitlines(), log.stderr.splitlines()))
    return logs


def insert(out, err, places):
    """Return both streams with lines put in: each is (place in both together, line)."""
    out, err = list(out), list(err)
    for at, line in sorted(places, reverse=True):
        (out if at <= len(out) else err).insert(at if at <= len(out) else at - len(out), line)
    return out, err


def false_claim(delegate, out, err):
    """Return what is claimed of a log though every line that claims it was taken back; None where nothing is."""
    truth = judge(parse_delegate(delegate), parse("\n".join(out), "\n".join(err), 0))
    mentions = parse_log("\n".join([*out, *err])).mentions
    last = max((at for at, m in enumerate(mentions, 1) if m.kind == MentionKind.TAKEN_BACK), default=0)
    assert last, "a line that takes back is seen, whatever is before it in its line"
    if any(m.kind in _CLAIMING for m in mentions[last:]):
        return None  # said again afterwards
    asked = parse_delegate(delegate)
    claims = truth.actual == asked.traits.runs_as and asked.kind != "cpu-reference"
    took = bool(truth.delegated_nodes)
    right = truth.status in MEASURED and not asked.is_cpu
    return truth if claims or took or right else None


def anywhere(chance: random.Random, log):
    """Return a log with one to three lines that take back at places drawn by chance."""
    delegate, out, err = log
    n = len(out) + len(err)
    places = [
        (chance.randint(0, n), chance.choice(PREFIXES) + chance.choice(TAKE_BACKS))
        for _ in range(chance.randint(1, 3))
    ]
    return delegate, *insert(out, err, places)
