"""One worker process: its events are heard, its result is checked, and every other end is told."""

import json
from dataclasses import asdict, replace

import pytest

from harness.bench.engines.worker_process import read_answer, read_event, watch
from harness.child_process import RECORD_SEPARATOR, Completed
from harness.errors import DeviceTimeoutError, HostFaultError, MeasurementError
from harness.worker.events import EVENTS, Failed, Finished, HostFault, ModelLoaded, Progress, Stage, emit
from harness.worker.jobs import OperatorsJob
from harness.worker.results import (
    FILE,
    AccuracyResult,
    Execution,
    LatencyResult,
    MachineReading,
    MachineReadings,
    OperatorsResult,
    OutputCheck,
    write_result,
)

EXECUTION = Execution("xnnpack", 54, 55, ("after allocation …",))
READINGS = MachineReadings(
    MachineReading(1, 1800.0), MachineReading(2, celsius=50.5), 0.25, "powersave", True
)
LATENCY = LatencyResult("litert 2", EXECUTION, OutputCheck(), 5, 6, None, READINGS, 7, 8, (9, 10))
RESULTS = [
    LATENCY,
    replace(LATENCY, check=OutputCheck(("boxes differ",), "on 4 images"), steady_from=3),
    AccuracyResult("litert 2", EXECUTION, OutputCheck(), 3, ("a.jpg: broken",), 1.5, None),
    AccuracyResult("litert 2", Execution("unknown"), OutputCheck(("boxes differ",))),
    OperatorsResult("litert 2, compiled model", 50, "===== Run Order ====="),
]
ENDED = Completed(("python",), 0, "", "INFO: a delegate", 1.25)
JOB = OperatorsJob("model.tflite", "cpu", 1, None, 1, 0.0, "")


@pytest.mark.parametrize("result", RESULTS, ids=lambda result: type(result).__name__)
def test_a_result_comes_back_as_it_was_left(result, tmp_path):
    write_result(result, str(tmp_path))
    answer = read_answer(tmp_path, type(result), ENDED)
    assert (answer.result, answer.stderr, answer.duration_s) == (result, "INFO: a delegate", 1.25)


@pytest.mark.parametrize("result", RESULTS, ids=lambda result: type(result).__name__)
def test_a_result_without_one_of_its_keys_is_refused_by_the_key(result, tmp_path):
    left = {key: value for key, value in asdict(result).items() if key != "runtime"}
    (tmp_path / FILE).write_text(json.dumps(left))
    with pytest.raises(MeasurementError, match=r"its result cannot be read .*`runtime`"):
        read_answer(tmp_path, type(result), ENDED)


@pytest.mark.parametrize(
    ("key", "value"),
    [("init_ns", "5"), ("init_ns", None), ("init_ns", True), ("runtime", 2), ("after_other_ns", [1, "2"])],
)
def test_a_result_with_a_value_of_another_type_is_refused_by_the_key(key, value, tmp_path):
    (tmp_path / FILE).write_text(json.dumps({**asdict(LATENCY), key: value}))
    with pytest.raises(MeasurementError, match=rf"\$\.{key}"):
        read_answer(tmp_path, LatencyResult, ENDED)


def test_a_key_inside_another_is_named_by_its_path(tmp_path):
    data = asdict(LATENCY)
    data["telemetry"]["after"]["mhz"] = "fast"
    (tmp_path / FILE).write_text(json.dumps(data))
    with pytest.raises(MeasurementError, match=r"\$\.telemetry\.after\.mhz"):
        read_answer(tmp_path, LatencyResult, ENDED)


@pytest.mark.parametrize("content", [None, b"", b"{", b"[]", b"\xff\xfe"])
def test_a_result_that_is_none_is_refused(content, tmp_path):
    if content is not None:
        (tmp_path / FILE).write_bytes(content)
    with pytest.raises(MeasurementError, match="the worker ended well but its result cannot be read"):
        read_answer(tmp_path, OperatorsResult, ENDED)


SENT = [
    Stage("loading"),
    ModelLoaded(5),
    Progress(3, 60),
    Failed("no such operator"),
    HostFault("No space left on device"),
    Finished(),
]


@pytest.mark.parametrize("event", SENT, ids=lambda event: type(event).__name__)
def test_an_event_is_heard_as_it_was_told(event, capfd):
    emit(event)
    assert read_event(capfd.readouterr().out) == event
    assert {type(one) for one in SENT} == set(EVENTS.values())


@pytest.mark.parametrize(
    "line",
    [
        "INFO: Created TensorFlow Lite XNNPACK delegate for CPU.",
        '{"event": "finished"}',
        f"{RECORD_SEPARATOR}not JSON",
        f'{RECORD_SEPARATOR}["finished"]',
        f"{RECORD_SEPARATOR}7",
        f'{RECORD_SEPARATOR}{{"done": 1}}',
        f'{RECORD_SEPARATOR}{{"event": "applause"}}',
        f'{RECORD_SEPARATOR}{{"event": ["finished"]}}',
        f'{RECORD_SEPARATOR}{{"event": "progress", "done": 1}}',
        f'{RECORD_SEPARATOR}{{"event": "progress", "done": "1", "total": 2}}',
    ],
)
def test_a_foreign_line_is_no_event(line):
    assert read_event(line) is None


def playing(events, exit_code=0, stderr="", timed_out=False):
    """A device's `run` whose process tells events and ends."""

    def run(argv, *, timeout_s, on_line, env):
        for event in events:
            name = next(name for name, kind in EVENTS.items() if isinstance(event, kind))
            on_line(RECORD_SEPARATOR + json.dumps({"event": name, **asdict(event)}))
            on_line("whatever the runtime prints")
        return Completed(tuple(argv), exit_code, "", stderr, 2.0, timed_out)

    return run


def test_a_fault_of_the_computer_is_no_failure_of_the_model():
    with pytest.raises(HostFaultError, match="No space left"):
        watch(playing([HostFault("No space left on device")], 3), ["w"], {}, JOB, 5.0)


@pytest.mark.parametrize(
    ("exit_code", "may_pass"), [(-15, True), (-1, True), (-2, True), (-9, False), (-11, False), (1, False)]
)
def test_a_worker_that_somebody_ended_may_be_measured_again(exit_code, may_pass):
    with pytest.raises(MeasurementError) as failed:
        watch(playing([], exit_code), ["w"], {}, JOB, 5.0)
    assert failed.value.may_pass == may_pass


def test_a_good_end_is_one_that_was_told():
    seen = []
    run = playing([ModelLoaded(1), Progress(1, 2), Progress(2, 2), Finished()])
    assert watch(run, ["w"], {}, JOB, 5.0, lambda *images: seen.append(images)).exit_code == 0
    assert seen == [(1, 2), (2, 2)]
    with pytest.raises(MeasurementError, match="the worker ended with exit code 0"):
        watch(playing([ModelLoaded(1)]), ["w"], {}, JOB, 5.0)


@pytest.mark.parametrize(
    ("events", "how_far"),
    [
        ([], "while the model was being loaded"),
        ([ModelLoaded(1)], "after the model was loaded"),
        ([ModelLoaded(1), Stage("the model was running")], "while the model was running"),
    ],
)
def test_a_hang_says_how_far_it_came(events, how_far):
    with pytest.raises(MeasurementError, match=rf"within 2 s \({how_far}\) and was killed") as caught:
        watch(playing(events, None, timed_out=True), ["w"], {}, JOB, 2.0)
    assert caught.value.status == "timeout"


def test_a_failure_that_was_told_comes_before_how_it_ended():
    with pytest.raises(MeasurementError, match=r"^no such operator$"):
        watch(playing([Failed("no such operator")], 3), ["w"], {}, JOB, 5.0)


def test_a_crash_says_at_what_with_the_last_words():
    with pytest.raises(MeasurementError, match="died of SIGSEGV while it prepared: one; two; three"):
        watch(playing([Stage("it prepared")], -11, "zero\none\ntwo\nthree\n"), ["w"], {}, JOB, 5.0)


def test_a_device_that_gives_up_waiting_is_a_timeout():
    def run(argv, **settings):
        raise DeviceTimeoutError("phone", "no answer")

    with pytest.raises(MeasurementError, match="no answer") as caught:
        watch(run, ["w"], {}, JOB, 5.0)
    assert caught.value.status == "timeout"
