"""The native worker with a stand-in for LiteRT: what the real library does not do on demand."""

import os
import random
from dataclasses import replace

import numpy as np
import pytest

from harness.native.job import (
    END,
    STATE,
    WHOLE,
    Cut,
    infer_command,
    input_file,
    input_value,
    operators_command,
    prefetch_command,
    table_command,
    time_command,
)
from harness.native.protocol import Compiled, Failure, Outputs, Samples, Tensor, Text
from tests.support.faulty_disk import is_possible
from tests.support.litert_stand_in import stand_in
from tests.support.native_fuzz import jobs, mutate

IMAGE = np.arange(48, dtype=np.uint8).reshape(1, 4, 4, 3)
SUM = int(IMAGE.sum())


@pytest.fixture
def with_stand_in(worker):
    """Make a worker with a stand-in that behaves as variables say."""
    if not is_possible():
        pytest.skip("no C compiler")

    def make(*flags, **variables):
        environment = {**os.environ, **{f"STAND_IN_{name}": str(value) for name, value in variables.items()}}
        return replace(worker, library=stand_in(*flags), environment=environment)

    return make


@pytest.mark.parametrize(
    ("flag", "words"),
    [
        ("-DOLDER", "is LiteRT 2.2, whose interface is not known"),
        ("-DNEWER", "is LiteRT 2.4 or later, whose"),
    ],
)
def test_another_minor_version_is_refused_by_name(with_stand_in, flag, words):
    failure = with_stand_in(flag).model("m").failure
    assert failure.reason == "version" and words in failure.message and "known: 2.3" in failure.message


def test_a_library_without_a_function_is_refused_by_the_functions_name(with_stand_in):
    failure = with_stand_in("-DLACKING").model("m").failure
    assert (failure.reason, "LiteRtGetAcceleratorHardwareSupport" in failure.message) == ("symbol", True)


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        ("CreateEnvironment", "environment"),
        ("CreateModelFromFile", "model"),
        ("CreateCompiledModel", "compile"),
        ("RunCompiledModel", "run"),
    ],
)
def test_a_call_that_is_refused_is_named_with_its_status(with_stand_in, call, reason):
    failure = with_stand_in(REFUSES=call).model("m", infer_command(0, IMAGE)).failure
    assert (failure.reason, failure.function, failure.status) == (reason, f"LiteRt{call}", 3)


@pytest.mark.parametrize(
    ("variable", "words"), [("SKIPS", "wrote nothing to output 0"), ("RESIZES", "dimension 1 is 5, was 6")]
)
def test_an_output_that_was_not_written_as_was_said_is_no_output(with_stand_in, variable, words):
    failure = with_stand_in(**{variable: 1}).model("m", infer_command(0, IMAGE)).failure
    assert failure.reason == "output" and words in failure.message


def test_what_a_gpu_does_behind_the_call_is_part_of_the_inference(with_stand_in):
    """The stand-in's run comes back at once, and its outputs are there 30 ms later."""
    ended = with_stand_in(GPU=1, RUN_MS=30).model(
        "m", input_value(0, IMAGE), time_command(4, 0, 60), infer_command(0, IMAGE), accelerator="gpu"
    )
    assert (ended.all(Samples)[0].durations_ns >= 30e6).all()
    (outputs,) = ended.all(Outputs)
    assert outputs.duration_ns >= 30e6 and outputs.tensors[2].tolist() == [SUM]
    assert ended.all(Compiled)[0].non_cpu_fully_accelerated is True


def test_inputs_take_turns_one_value_an_inference(with_stand_in, tmp_path):
    images = [IMAGE, IMAGE + 1]
    (tmp_path / "two.bin").write_bytes(b"".join(image.tobytes() for image in images))
    sums = [f"given {image.sum()}" for image in images]
    by_file = [input_file(0, 2, str(tmp_path / "two.bin"))]
    for given in ([input_value(0, image) for image in images], by_file):
        ended = with_stand_in(TELLS=1).model("m", *given, time_command(5, 0, 60))
        said = [line for line in ended.log.splitlines() if line.startswith("given ")]
        assert said == [*sums, *sums, sums[0]]


def test_compilation_is_init_and_no_inference(with_stand_in):
    ended = with_stand_in(COMPILE_MS=150).model("m", input_value(0, IMAGE), time_command(3, 0, 60))
    assert ended.all(Compiled)[0].init_ns >= 150e6
    assert np.median(ended.all(Samples)[0].durations_ns) < 150e6


def test_what_a_library_prints_is_log_and_no_frame(with_stand_in):
    ended = with_stand_in().model("m", threads=3, precision="fp32", accelerator="gpu")
    assert ended.status == 0 and "a library that prints" in ended.log
    assert (
        "options xnnpack: num_threads = 3\n" in ended.log
        and "options gpu_options: precision = 2" in ended.log
    )
    assert ended.all(Compiled)[0].signature == "a\nkey"


def test_rows_that_lie_along_the_last_axis_are_cut_and_turned(with_stand_in):
    """Scores are [1,3,6], a row an anchor; boxes [1,6,4] follow."""
    whole, some = (
        with_stand_in()
        .model("m", infer_command(0, IMAGE), Cut(1, 2, 1, 3, 0, ((0, 1),)).line(), infer_command(1, IMAGE))
        .all(Outputs)
    )
    scores, boxes = whole.tensors[1][0], whole.tensors[0][0]
    kept = np.flatnonzero((scores[1:] >= 0).any(0))
    assert some.rows.tolist() == kept.tolist()
    np.testing.assert_array_equal(some.tensors[1], scores.T[kept], strict=True)
    np.testing.assert_array_equal(some.tensors[0], boxes[kept], strict=True)
    np.testing.assert_array_equal(some.tensors[2], whole.tensors[2], strict=True)


def test_no_row_at_all_is_an_answer_too(with_stand_in):
    (none,) = with_stand_in().model("m", Cut(0, 1, 0, 4, 1e9).line(), infer_command(0, IMAGE)).all(Outputs)
    assert none.rows.size == 0 and none.tensors[0].shape == (0, 4) and none.tensors[2].tolist() == [SUM]


def test_a_quantized_output_has_its_scale(with_stand_in):
    tensors = {(each.side, each.name): each for each in with_stand_in().model("m").all(Tensor)}
    scores = tensors["output", "scores"]
    assert (scores.scale, scores.zero_point, scores.tensor) == (pytest.approx(0.1, rel=1e-7), -128, 11)


def test_mutated_jobs_end_in_words(with_stand_in):
    """A short run of `tests/benchmarks/bench_native_fuzz.py`, which tries 100,000 on a build that checks its memory."""
    generator = random.Random(7)
    worker = with_stand_in()
    seen = set()
    for job in jobs(worker, generator, 60):
        ended = worker.run(mutate(job, generator), timeout=60)
        assert ended.status in {0, 1, 4}, (ended.status, ended.log)
        if ended.status == 1:
            assert isinstance(ended.answers[-1], Failure) and ended.answers[-1].message
        seen.add(ended.status)
    assert seen >= {1}


def test_every_command_of_a_sound_job_is_carried_out(with_stand_in):
    table = np.tile(np.arange(256, dtype=np.uint8), (3, 1))
    worker = with_stand_in()
    ended = worker.run(
        worker.setup("m", profile=True)
        + input_value(0, IMAGE)
        + operators_command(2, 0)
        + prefetch_command(64)
        + table_command(table)
        + infer_command(5, IMAGE, mapped=True)
        + WHOLE
        + STATE
        + END
    )
    assert ended.status == 0 and ended.all(Text) == [Text("a summary")]
    assert ended.all(Outputs)[0].tensors[2].tolist() == [SUM]
