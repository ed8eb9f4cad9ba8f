"""The worker for Android on x86-64 itself, started on Linux: the program that phones with that processor get."""

import subprocess

import pytest

from harness.native.job import infer_command, input_value, time_command
from harness.native.protocol import Hello, Outputs, Samples
from tests.support import bionic
from tests.support.native_worker import LIBRARY, Worker, interpreter_outputs, make_images
from tests.support.paths import MODELS

FULL_INTEGER = MODELS / "shapes" / "shapes_full_integer.tflite"


@pytest.fixture(scope="session")
def android_worker(programs) -> Worker:
    """The program for Android with the library of this computer's wheel."""
    if not bionic.is_possible() or not LIBRARY.is_file():
        pytest.skip("a program for Android cannot be started here")
    return Worker(bionic.command(programs / "harness-worker-android-x86_64"))


def test_its_outputs_are_those_of_the_interpreter(android_worker):
    images = make_images(FULL_INTEGER, 2)
    commands = [infer_command(k, image) for k, image in enumerate(images)]
    ended = android_worker.model(
        FULL_INTEGER,
        *commands,
        input_value(0, images[0]),
        time_command(5, 0, 60),
    )
    assert ended.all(Hello)[0].system == "android"
    expected = interpreter_outputs(FULL_INTEGER, images)
    for outputs, reference in zip(ended.all(Outputs), expected, strict=True):
        assert [value.tobytes() for _, value in sorted(outputs.tensors.items())] == [
            reference[key].tobytes() for key in sorted(reference)
        ]
    assert len(ended.all(Samples)[0].durations_ns) == 5 and ended.status == 0


def test_its_failures_are_words(android_worker, tmp_path):
    refused = android_worker.model(tmp_path / "no model").failure
    assert refused.reason == "model" and refused.function == "LiteRtCreateModelFromFile"


def test_it_starts_by_its_path_where_androids_linker_stands(android_worker, programs):
    if not bionic.is_root():
        pytest.skip("only root puts a linker where Android's is")
    with bionic.linker_in_place():
        ended = subprocess.run(
            [programs / "harness-worker-android-x86_64"],
            env=bionic.environment(),
            input=android_worker.setup(FULL_INTEGER) + b"end\n",
            capture_output=True,
            check=False,
        )
    assert ended.returncode == 0, ended.stderr
