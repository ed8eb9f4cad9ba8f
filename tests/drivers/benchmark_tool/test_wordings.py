"""Wordings of other versions and other machines than those of the collection of logs."""

import pytest

from harness.drivers.benchmark_tool.facts import Memory, Statistics
from harness.drivers.benchmark_tool.parse import how_it_ended, parse
from harness.drivers.benchmark_tool.text_log import parse_log, parse_mention, parse_statistics

LOG_2021 = """STARTING!
Unconsumed cmdline flags: --allow_fp16
Log parameter values verbosely: [0]
Min num runs: [50]
Graph: [x.model]
#threads used for CPU inference: [4]
Use gpu: [1]
Use xnnpack: [1]
Loaded model x.model
GPU acceleration is unsupported on this platform.
XNNPACK delegate created.
Going to apply 1 delegates one after another.
Explicitly applied XNNPACK delegate, and the model graph will be partially executed by the delegate \
w/ 22 delegate kernels.
The input model file size (MB): 0.541472
Initialized session in 18.738ms.
Running benchmark for at least 1 iterations and at least 0.5 seconds but terminate if exceeding 180 seconds.
count=6 first=140706 curr=74599 min=74599 max=140706 avg=85791.2 std=24559

Running benchmark for at least 50 iterations and at least 1 seconds but terminate if exceeding 180 seconds.
count=50 first=74456 curr=74516 min=73909 max=75323 avg=74481.6 std=268

Inference timings in us: Init: 18738, First inference: 140706, Warmup (avg): 85791.2, Inference (avg): 74481.6
Note: as the benchmark tool itself affects memory footprint, the following is only APPROXIMATE.
Peak memory footprint (MB): init=6.44141 overall=64.8633
"""

LOG_2019 = """STARTING!
Graph: [x.tflite]
Loaded model x.tflite
Initialized session in 18.7ms
Running benchmark for at least 1 iterations and at least 0.5 seconds
count=6 first=140706 curr=74599 min=74599 max=140706 avg=85791.2 std=24559

Running benchmark for at least 50 iterations and at least 1 seconds
count=50 first=74456 curr=74516 min=73909 max=75323 avg=74481.6 std=268

Average inference timings in us: Warmup: 85791.2, Init: 18738, no stats: 74481.6
"""

STEADY = Statistics(50, 74_481_600, 74_456_000, 73_909_000, 75_323_000, 268_000)


def test_a_log_without_prefixes_and_percentiles_is_read():
    output = parse(LOG_2021, "", 0)
    assert (output.status, output.steady, output.flavour) == ("ok", STEADY, "tflite")
    assert (output.init_ns, output.first_ns) == (18_738_000, 140_706_000)
    assert output.memory == Memory(6.44141, 64.8633, None)
    assert output.unconsumed == ("--allow_fp16",)
    assert ("Use xnnpack", "1") in output.log.switches
    assert [(m.kind, m.delegate, m.kernels) for m in output.log.mentions] == [
        ("refused", "GPU", None),
        ("created", "XNNPACK", None),
        ("partial", "XNNPACK", 22),
    ]


@pytest.mark.parametrize("name", ["no stats", "Inference"])
def test_the_oldest_closing_line_is_read(name):
    output = parse(LOG_2019.replace("no stats", name), "", 0)
    assert (output.status, output.steady, output.init_ns) == ("ok", STEADY, 18_738_000)


def test_lines_that_end_as_on_a_terminal_are_read():
    assert parse(LOG_2021.replace("\n", "\r\n"), "", 0).steady == STEADY


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("count=1 curr=5 p5=5 median=5 p95=5", Statistics(1, 5000, 5000, 5000, 5000, None, 5000, 5000, 5000)),
        ("count=1 curr=5", Statistics(1, 5000, 5000, 5000, 5000, None, None, 5000, None)),
        (
            "count=9 curr=5(all same) p5=5 median=5 p95=5",
            Statistics(9, 5000, 5000, 5000, 5000, None, 5000, 5000, 5000),
        ),
        (
            "count=2 first=1530251 curr=1530249 min=1530249 max=1530251 avg=1.53025e+06 std=1",
            Statistics(2, 1_530_250_000, 1_530_251_000, 1_530_249_000, 1_530_251_000, 1000),
        ),
        ("count=0 p5=0 median=0 p95=0", None),
        ("count=0", None),
        ("count=3 first=1 curr=1 min=1 max=1 avg=-nan std=0", None),
        ("count=3 first=1 curr=1 min=1 max=1 avg=1e400 std=0", None),
        ("count=x first=1", None),
        ("count=3 first=1 min=1", None),
    ],
)
def test_every_shape_of_a_statistics_line_is_read(line, expected):
    assert parse_statistics(line) == expected


def test_a_mean_cut_to_six_digits_may_lie_outside_the_extremes():
    found = parse_statistics(
        "count=2 first=1530258 curr=1530259 min=1530258 max=1530259 avg=1.53026e+06 std=0"
    )
    assert found.consistent


@pytest.mark.parametrize(
    "line",
    [
        "INFO: Replacing 31 out of 31 node(s) with delegate (TfLiteGpuDelegateV2) node, yielding 1 partitions.",
        "VERBOSE: Replacing 31 out of 31 node(s) with delegate (TfLiteGpuDelegateV2) node, yielding 1 partitions.",
        "I/tflite: Replacing 31 out of 31 node(s) with delegate (TfLiteGpuDelegateV2) node, yielding 1 partitions.",
        "I/tflite  ( 1234): Replacing 31 out of 31 node(s) with delegate (TfLiteGpuDelegateV2) node, yielding 1 "
        "partitions for subgraph 0.",
        "INFO: [subgraph.cc:578] Replacing 31 out of 31 node(s) with delegate (TfLiteGpuDelegateV2) node, yielding 1 "
        "partitions for the whole graph.",
    ],
)
def test_every_logger_of_the_runtime_is_understood(line):
    mention = parse_log(line).mentions[0]
    assert (mention.kind, mention.delegate, mention.nodes, mention.total) == (
        "replaced",
        "TfLiteGpuDelegateV2",
        31,
        31,
    )


def test_a_line_that_only_has_the_word_is_no_evidence():
    assert parse_mention("Going to apply 1 delegates one after another.") is None
    assert parse_mention("Loaded OpenCL library with dlopen.") is None


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (None, "was lost before its exit code was known"),
        (1, "ended with exit code 1"),
        (134, "crashed with SIGABRT"),
        (-6, "crashed with SIGABRT"),
        (139, "crashed with SIGSEGV"),
        (137, "died of SIGKILL"),
        (127, "ended with exit code 127"),
        (255, "ended with exit code 255"),
    ],
)
def test_exit_codes_are_put_into_words(code, words):
    assert how_it_ended(code) == words
