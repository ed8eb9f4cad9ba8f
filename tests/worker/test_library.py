"""Delegates from a real shared library, compiled from C, under the runtime that is installed."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest

from harness.runtime import load_runtime, make_interpreter
from harness.worker import evidence
from harness.worker.jobs import LatencyJob
from harness.worker.library import LibraryError, describe, load, make


@pytest.fixture(scope="module")
def runtime():
    return load_runtime()


@pytest.fixture
def job(repository, delegate_library):
    def make_job(model="shapes_float32", library=delegate_library, **options):
        path = repository / "models" / "shapes" / f"{model}.tflite"
        return LatencyJob(
            str(path),
            "external",
            1,
            None,
            1,
            0.0,
            1.0,
            0,
            "",
            delegate_library=str(library),
            delegate_options=options,
        )

    return make_job


def own_count(capfd):
    """What the library itself says it took, on stderr: nodes, of how many."""
    words = [line.split() for line in capfd.readouterr().err.splitlines() if line.startswith("stand-in took")]
    nodes, total = int(words[-1][2]), int(words[-1][4])
    return nodes, total


@pytest.mark.parametrize("model", ["shapes_float32", "shapes_dynamic_range", "shapes_full_integer"])
@pytest.mark.parametrize("take", ["all", "CONV_2D", "CONV_2D,DEPTHWISE_CONV_2D", "LOGISTIC", "none"])
def test_the_nodes_that_a_library_took_are_those_that_it_says_it_took(job, runtime, capfd, model, take):
    asked = job(model, take=take)
    applied = make(runtime, asked)
    nodes, total = own_count(capfd)
    execution = describe(asked, applied)
    assert (execution.delegated_nodes, execution.total_nodes) == (nodes, total)
    assert sum(applied.names.values()) == total - nodes
    assert execution.actual == ("external" if nodes else "xnnpack")


def test_what_xnnpack_takes_of_the_rest_is_not_counted_for_the_library(job, runtime):
    applied = make(runtime, job(take="CONV_2D", at_most="1"))
    assert applied.delegation == evidence.Delegation(1, 1, 55)
    assert evidence.read_delegation(applied.interpreter).delegated_nodes > 1


def test_without_any_delegate_left_to_the_cpu_is_everything(job, runtime):
    applied = make(runtime, job(take="none"))
    execution = describe(job(take="none"), applied)
    assert execution.evidence[1].startswith("left to the CPU: CONV_2D ×20, DEPTHWISE_CONV_2D ×19")


def test_a_runtime_that_lists_no_nodes_leaves_the_delegate_unknown(job):
    execution = evidence.describe_library("external", "lib.so", None, {}, None)
    assert execution.actual == "unknown" and execution.delegated_nodes is None


@pytest.mark.parametrize(
    ("stage", "text"),
    [
        ("create", "created no delegate (options: fail=create): the stand-in was told to fail"),
        ("prepare", "could not prepare the graph: the stand-in cannot prepare"),
        ("init", "could not prepare the graph"),
        ("kernel-prepare", "could not prepare the graph: the stand-in refuses this graph"),
    ],
)
def test_a_refusal_is_told_with_the_librarys_own_words(job, runtime, stage, text):
    with pytest.raises(LibraryError) as caught:
        make(runtime, job(fail=stage))
    assert text in str(caught.value)


def test_a_refusal_of_the_runtime_that_has_no_words_gets_some(job, runtime, shared_data):
    """LiteRT raises an empty RuntimeError for a delegate of static sizes on a graph of dynamic ones."""
    model = shared_data / "models" / "ssd_mobilenet_v2_fpnlite_10_256_int8.tflite"
    with pytest.raises(LibraryError, match="could not prepare the graph: the runtime does not say why"):
        make(runtime, dataclasses.replace(job(take="all"), model=str(model)))


def test_a_delegate_that_was_never_created_is_not_destroyed_whenever_it_is_collected(job):
    """The runtime would hand the library a null pointer, which crashes the stand-in and some real ones."""
    asked = job(fail="create")
    code = (
        "import gc\n"
        "from harness.runtime import load_runtime\n"
        "from harness.worker.library import LibraryError, load\n"
        "try:\n"
        f"    load(load_runtime(), {asked.delegate_library!r}, {asked.delegate_options!r})\n"
        "except LibraryError as error:\n"
        "    kept = error\n"
        "del kept\n"
        "gc.collect()\n"
        "print('alive')\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (0, "alive\n"), ended.stderr


def test_a_missing_library_is_named(runtime):
    with pytest.raises(LibraryError, match=r"the library /nowhere/lib\.so cannot be loaded: .*No such file"):
        load(runtime, "/nowhere/lib.so", {})


def test_a_file_that_is_no_library_is_named(runtime, tmp_path):
    path = tmp_path / "text.so"
    path.write_text("not a library")
    with pytest.raises(LibraryError, match="cannot be loaded"):
        load(runtime, str(path), {})


def test_a_library_without_the_entry_points_is_no_delegate(runtime, tmp_path):
    source, path = tmp_path / "other.c", tmp_path / "libother.so"
    source.write_text("int answer(void) { return 42; }\n")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", str(path), str(source)], check=True)
    with pytest.raises(LibraryError, match="no entry point tflite_plugin_create_delegate"):
        load(runtime, str(path), {})


@pytest.mark.parametrize("model", ["shapes_float32", "shapes_full_integer"])
def test_what_the_library_computes_is_what_the_builtin_kernels_compute(job, runtime, model):
    ours = make(runtime, job(model, take="all")).interpreter
    theirs = make_interpreter(runtime, job(model).model, "cpu-reference", 1)
    detail = ours.get_input_details()[0]
    image = np.random.default_rng(1).integers(0, 255, detail["shape"]).astype(detail["dtype"])
    for interpreter in (ours, theirs):
        interpreter.set_tensor(detail["index"], image)
        interpreter.invoke()
    for one, other in zip(ours.get_output_details(), theirs.get_output_details(), strict=True):
        assert np.array_equal(ours.get_tensor(one["index"]), theirs.get_tensor(other["index"]))
