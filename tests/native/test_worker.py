"""The native worker with this computer's LiteRT library: what it computes, times, refuses and leaves behind."""

import os
import platform
import subprocess

import numpy as np
import psutil
import pytest

from harness.native.job import (
    STATE,
    WHOLE,
    Cut,
    deadline_command,
    infer_command,
    input_value,
    operators_command,
    prefetch_command,
    table_command,
    time_command,
)
from harness.native.programs import ABIS
from harness.native.protocol import (
    Compiled,
    Done,
    Failure,
    FrameReader,
    Hello,
    Outputs,
    Samples,
    State,
    Tensor,
    Text,
    stage_lines,
)
from tests.support.native_worker import interpreter_outputs, make_images
from tests.support.paths import MODELS, SHARED_DATA, SHARED_MODELS
from tests.support.processes import until

FLOAT32 = MODELS / "shapes" / "shapes_float32.tflite"
FULL_INTEGER = MODELS / "shapes" / "shapes_full_integer.tflite"
YOLO = SHARED_DATA / "models" / "yolov5n-int8.tflite"
END_S = 60
HELD_S = 0.05
"""Of CPU: some dozen inferences, however busy the computer is."""


def equal_to_the_interpreter(ended, expected):
    names = {each.index: each.tensor for each in ended.all(Tensor) if each.side == "output"}
    found = ended.all(Outputs)
    assert len(found) == len(expected) and len(names) == len(expected[0])
    for outputs, reference in zip(found, expected, strict=True):
        for index, value in outputs.tensors.items():
            np.testing.assert_array_equal(value, reference[names[index]], strict=True)
    return True


@pytest.mark.parametrize("kernels", ["delegate", "builtin"])
@pytest.mark.parametrize("model", ["float32", "float16", "dynamic_range", "full_integer"])
def test_outputs_are_those_of_the_interpreter_to_the_last_bit(worker, model, kernels):
    file = MODELS / "shapes" / f"shapes_{model}.tflite"
    images = make_images(file, 2)
    ended = worker.model(file, *(infer_command(k, image) for k, image in enumerate(images)), kernels=kernels)
    assert ended.status == 0
    delegate = "cpu" if kernels == "delegate" else "cpu-reference"
    assert equal_to_the_interpreter(ended, interpreter_outputs(file, images, delegate))


@pytest.mark.shared_data
@pytest.mark.parametrize("name", SHARED_MODELS)
def test_outputs_of_known_detectors_are_those_of_the_interpreter(shared_data, worker, name):
    file = SHARED_DATA / "models" / f"{name}.tflite"
    images = make_images(file, 1)
    ended = worker.model(file, infer_command(0, images[0]), threads=2)
    assert equal_to_the_interpreter(ended, interpreter_outputs(file, images, threads=2))


def test_the_first_words_say_what_runs(worker):
    ended = worker.model(FLOAT32)
    (hello,), (compiled,) = ended.all(Hello), ended.all(Compiled)
    assert (hello.abi, hello.system) == (ABIS[platform.machine()], "linux")
    assert (compiled.interface, compiled.operators) == ("2.3", 55)
    assert [each.name for each in compiled.accelerators] == ["CpuAccelerator"]
    assert compiled.non_cpu_fully_accelerated is False
    assert any("XNNPACK delegate for CPU" in line for line in stage_lines(ended.log, "compile"))
    assert ended.answers[-1] == Done("end")
    shapes = {(each.side, each.shape, each.dtype) for each in ended.all(Tensor)}
    # 2.3 gives the outputs of TFLite_Detection_PostProcess sizes of its own unless layouts are asked first
    assert ("output", (1, 150, 4), "float32") in shapes and ("input", (1, 144, 144, 3), "float32") in shapes


def test_builtin_kernels_are_not_xnnpacks(worker):
    assert "XNNPACK delegate" not in worker.model(FLOAT32, kernels="builtin").log


def test_a_trace_has_its_first_inference_and_as_many_as_were_asked_for(worker):
    image = make_images(FLOAT32, 1)[0]
    ended = worker.model(
        FLOAT32, input_value(0, image), time_command(20, 0, END_S), time_command(3, 0.05, END_S)
    )
    first, second = ended.all(Samples)
    assert first.first == 0 and len(first.durations_ns) == 20 and second.first == 20
    assert second.durations_ns.sum() >= 0.05e9 and len(second.durations_ns) >= 3
    assert (first.durations_ns > 0).all() and (np.diff(first.starts_ns) >= first.durations_ns[:-1]).all()
    states = ended.all(State)
    assert len(states) == 4 and states[0].clock_ns <= first.starts_ns[0]
    assert first.starts_ns[-1] + first.durations_ns[-1] <= states[1].clock_ns
    assert states[1].process_cpu_ns > states[0].process_cpu_ns and states[0].probe_ns > 0
    assert states[1].peak_bytes > ended.all(Compiled)[0].memory_before_bytes > 0


def test_the_time_that_is_allowed_ends_a_trace(worker):
    image = make_images(FLOAT32, 1)[0]
    (samples,) = worker.model(FLOAT32, input_value(0, image), time_command(1_000_000, 1000, 0.2)).all(Samples)
    assert 1 <= len(samples.durations_ns) < 1_000_000


def test_a_trace_that_is_held_goes_on_until_the_next_command(worker):
    image = make_images(FLOAT32, 1)[0]
    process = subprocess.Popen(
        worker.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    job = worker.setup(FLOAT32) + input_value(0, image) + time_command(3, 0, END_S, hold=True)
    process.stdin.write(job)
    process.stdin.flush()
    reader, answers = FrameReader(), []
    while Done("time") not in answers:
        answers += reader.feed(os.read(process.stdout.fileno(), 65536))
    measured = psutil.Process(process.pid)
    begin = measured.cpu_times().user
    until(lambda: measured.cpu_times().user > begin + HELD_S, "nothing is measured while it is held")
    out, _ = process.communicate(time_command(1, 0, END_S) + STATE + b"end\n", timeout=END_S)
    answers += reader.feed(out)
    first, second = [answer for answer in answers if isinstance(answer, Samples)]
    assert second.first == len(first.durations_ns) and len(second.durations_ns) > 1
    durations = np.concatenate([first.durations_ns, second.durations_ns])
    starts = np.concatenate([first.starts_ns, second.starts_ns])
    assert np.median(starts[1:] - starts[:-1] - durations[:-1]) < np.median(durations), "without a gap"
    assert process.returncode == 0


def test_what_was_held_and_not_asked_for_is_forgotten(worker):
    image = make_images(FLOAT32, 1)[0]
    ended = worker.model(
        FLOAT32, input_value(0, image), time_command(3, 0, END_S, hold=True), STATE, time_command(2, 0, END_S)
    )
    first, second = ended.all(Samples)
    assert (second.first, len(second.durations_ns)) == (len(first.durations_ns), 2)


def test_pixels_are_mapped_as_the_host_would_have_prepared_them(worker):
    pixels = np.random.default_rng(3).integers(0, 256, (1, 144, 144, 3)).astype(np.uint8)
    table = np.stack([(np.arange(256) / 255 - mean) / 0.3 for mean in (0.4, 0.5, 0.6)]).astype(np.float32)
    prepared = np.stack([table[channel][pixels[..., channel]] for channel in range(3)], -1)
    ended = worker.model(
        FLOAT32, table_command(table), infer_command(0, pixels, mapped=True), infer_command(1, prepared)
    )
    mapped, raw = ended.all(Outputs)
    for index, value in raw.tensors.items():
        np.testing.assert_array_equal(mapped.tensors[index], value, strict=True)


def test_rows_below_a_threshold_stay_on_the_device(worker):
    image = make_images(FLOAT32, 1)[0]
    whole = worker.model(FLOAT32, infer_command(0, image)).all(Outputs)[0].tensors
    names = {value.shape: index for index, value in whole.items()}
    boxes, scores = (
        names[1, 150, 4],
        max(whole, key=lambda k: whole[k].shape == (1, 150) and whole[k].max() <= 1),
    )
    threshold = float(np.sort(whole[scores].ravel())[-5])
    cut = Cut(scores, 1, 0, 1, threshold, ((boxes, 1),))
    ended = worker.model(FLOAT32, cut.line(), infer_command(0, image), WHOLE, infer_command(1, image))
    some, all_again = ended.all(Outputs)
    kept = np.flatnonzero(whole[scores][0] >= np.float32(threshold))
    assert some.rows.tolist() == kept.tolist() and len(kept) >= 5
    np.testing.assert_array_equal(some.tensors[boxes], whole[boxes][0, kept], strict=True)
    np.testing.assert_array_equal(some.tensors[scores][:, 0], whole[scores][0, kept], strict=True)
    assert all_again.rows is None and all_again.tensors[boxes].shape == (1, 150, 4)


@pytest.mark.shared_data
def test_rows_of_quantized_outputs_are_cut_in_their_own_values(shared_data, worker):
    image = make_images(YOLO, 1)[0]
    (whole,) = worker.model(YOLO, infer_command(0, image), threads=2).all(Outputs)
    (table,) = whole.tensors.values()
    threshold = int(np.sort(table[0, :, 4])[-40])
    (some,) = worker.model(YOLO, Cut(0, 1, 4, 5, threshold).line(), infer_command(0, image), threads=2).all(
        Outputs
    )
    kept = np.flatnonzero(table[0, :, 4] >= threshold)
    assert 40 <= len(kept) < 2000 and some.rows.tolist() == kept.tolist()
    np.testing.assert_array_equal(some.tensors[0], table[0, kept], strict=True)


def test_what_is_read_ahead_is_what_was_sent(worker):
    images = make_images(FULL_INTEGER, 6)
    commands = [infer_command(k, image) for k, image in enumerate(images)]
    ended = worker.model(FULL_INTEGER, prefetch_command(100_000), *commands)
    assert [outputs.number for outputs in ended.all(Outputs)] == list(range(6))
    assert equal_to_the_interpreter(ended, interpreter_outputs(FULL_INTEGER, images))


def test_the_profiler_lists_the_operators(worker):
    image = make_images(FLOAT32, 1)[0]
    ended = worker.model(FLOAT32, input_value(0, image), operators_command(5, 0), profile=True)
    (text,) = ended.all(Text)
    assert "TFLite_Detection_PostProcess" in text.text and "Number of nodes executed" in text.text


def test_what_was_answered_before_a_command_was_refused_is_whole(worker):
    ended = worker.model(FLOAT32, STATE, STATE, operators_command(1, 0))
    assert ended.status == 1 and ended.failure.reason == "job"
    assert len(ended.all(State)) == 2 and isinstance(ended.answers[-1], Failure)


@pytest.mark.parametrize(
    ("job", "words"),
    [
        (b"harness-worker 2\n", "expected harness-worker 1"),
        (b"harness-worker 1\nlibrary /l\nlibrary /m\n", "set already"),
        (b"harness-worker 1\nmemory 0\n", "whole number from 1 to 16777216"),
        (b"harness-worker 1\nmemory 4x\n", "found 4x, expected a whole number"),
        (b"harness-worker 1\nmemory  4\n", "a space too many"),
        (b"harness-worker 1\nmemory 4 \n", "more on the line"),
        (b"harness-worker 1\n\n", "an empty line"),
        (b"harness-worker 1\naccelerator tpu\n", "expected one of: cpu gpu npu"),
        (b"harness-worker 1\naccelerator u\n", "expected one of: cpu gpu npu"),
        (b"harness-worker 1\n" + b"option a b\n" * 17, "at most 16 options"),
        (b"harness-worker 1\ncompile\n", "takes library, model and accelerator first"),
        (b"harness-worker 1\ntime 1 1 1\n", "nothing that can stand here"),
        (b"harness-worker 1\noption a b\\x\n", "a backslash stands before"),
        (b"harness-worker 1\nmodel " + b"x" * 5000 + b"\n", "too long"),
        (b"harness-worker 1\nmodel a\0b\n", "no text"),
        (b"harness-worker 1\nmemory 4", "ends in the middle of line 2"),
    ],
)
def test_a_job_that_is_wrong_is_refused_with_its_line(worker, job, words):
    ended = worker.run(job)
    assert ended.status == 1 and ended.failure.reason == "job" and words in ended.failure.message
    assert ended.failure.line in (None, job.count(b"\n"), job.count(b"\n") + 1)


@pytest.mark.parametrize(
    ("commands", "reason", "words"),
    [
        (b"input 1 4\nabcd", "job", "whole number from 0 to 0"),
        (b"input 0 4\nabcd", "input", "takes 62208 bytes, and a value of 4"),
        (b"time 1 0 1\n", "input", "input 0 was given no value"),
        (b"inputs 0 1 /nowhere/values\n", "file", "cannot be opened"),
        (b"infer 0 mapped 62208\n", "job", "takes a table first"),
        (b"infer 0 raw 5\n", "input", "an image takes 62208 bytes"),
        (b"infer 0 raw 62208\nabc", "job", "62208 bytes were stated and 3 came"),
        (b"table 5 1280\n", "job", "has no 5 channels"),
        (b"cut 0 1 0 9 1\n", "job", "whole number from 1 to 4"),
        (b"cut 0 3 0 1 1\n", "job", "whole number from 0 to 2"),
        (b"cut 0 1 0 4 nan\n", "job", "expected a number"),
        (b"cut 0 1 0 4 0 3:0\n", "job", "has 1 rows, expected 150"),
        (b"operators 1 0\n", "job", "nothing that can stand here"),
        (b"compile\n", "job", "nothing that can stand here"),
    ],
)
def test_a_command_that_cannot_be_carried_out_says_why(worker, commands, reason, words):
    ended = worker.run(worker.setup(FULL_INTEGER) + commands)
    assert ended.status == 1 and (ended.failure.reason, words in ended.failure.message) == (reason, True)


def test_a_library_a_model_or_a_version_that_does_not_fit_is_named(worker, tmp_path):
    assert (
        "cannot be loaded"
        in worker.run(worker.setup(FLOAT32).replace(b"libLiteRt", b"libNone")).failure.message
    )
    (tmp_path / "model.tflite").write_bytes(b"no model")
    refused = worker.model(tmp_path / "model.tflite").failure
    assert (refused.reason, refused.function) == ("model", "LiteRtCreateModelFromFile")


@pytest.mark.parametrize("command", [time_command(1_000_000, 1000, 1000), operators_command(1_000_000, 1000)])
def test_a_worker_whose_host_is_gone_ends(worker, command):
    image = make_images(FLOAT32, 1)[0]
    process = subprocess.Popen(
        worker.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    process.stdin.write(worker.setup(FLOAT32, profile=True) + input_value(0, image) + command)
    process.stdin.flush()
    process.stdout.read(8)
    process.stdout.close()
    assert process.wait(END_S) == 5
    process.stdin.close()


def test_a_worker_ends_itself_when_its_time_is_up_even_with_nobody_there(worker):
    image = make_images(FLOAT32, 1)[0]
    ended = worker.model(
        FLOAT32, input_value(0, image), deadline_command(1), time_command(1_000_000, 1000, 1000)
    )
    assert ended.status == 1 and ended.failure.reason == "timeout"


def test_a_job_that_ends_early_is_told_by_its_status(worker):
    assert worker.run(worker.setup(FLOAT32)).status == 4


def test_a_job_may_lie_in_a_file(worker, tmp_path):
    job = tmp_path / "job"
    job.write_bytes(worker.setup(FLOAT32) + b"end\n")
    ended = subprocess.run([*worker.command, str(job)], capture_output=True, check=False, timeout=END_S)
    assert ended.returncode == 0 and list(FrameReader().feed(ended.stdout))[-1] == Done("end")
    assert (
        subprocess.run([*worker.command, str(tmp_path / "none")], check=False, timeout=END_S).returncode == 2
    )
