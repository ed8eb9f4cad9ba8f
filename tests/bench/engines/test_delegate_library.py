"""Runs with a delegate from a real shared library: what the rows then say (laws 1, 5 and 10)."""

import hashlib
import subprocess
import sys
from dataclasses import replace

import pytest

import harness
from harness.session import carry_out
from harness.settings import Settings


@pytest.fixture
def run(prepared, recorder, delegate_library):
    """Run shapes-float32 on the library, and on the CPU beside it; return the library's record."""

    def measure(library=delegate_library, delegates=(), settings=None, **options):
        asked = prepared(
            models=("shapes-float32",),
            delegates=(f"external:{library}", *delegates),
            delegate_options=tuple(options.items()),
            repetitions=1,
            **({"settings": settings} if settings else {}),
        )
        found = carry_out(asked, recorder).records
        return found[0] if len(found) == 1 else found

    return measure


def test_a_library_that_takes_everything_is_ok_with_its_evidence(run, delegate_library):
    record = run(take="all")
    assert (record.status, record.delegate.actual) == ("ok", "external")
    assert (record.delegate.delegated_nodes, record.delegate.total_nodes) == (55, 55)
    assert record.delegate.requested.endswith("libstand_in.so[take=all]")
    sha256 = hashlib.sha256(delegate_library.read_bytes()).hexdigest()
    assert f"libstand_in.so sha256:{sha256[:16]}" in record.delegate.evidence


def test_a_library_that_takes_no_node_is_a_fallback(run):
    record = run(take="none")
    assert (record.status, record.delegate.actual, record.delegate.delegated_nodes) == (
        "fallback",
        "xnnpack",
        0,
    )


def test_a_library_that_takes_some_nodes_is_partial_with_what_it_left(run):
    record = run(take="CONV_2D")
    assert (record.status, record.delegate.delegated_nodes) == ("partial", 20)
    assert "took 20 of 55 nodes" in record.reasons[0] and "DEPTHWISE_CONV_2D ×19" in record.reasons[0]


def test_options_reach_the_library(run):
    record = run(take="all", Performance="Low")
    assert "stand-in delegate option: Performance=Low" in record.delegate.evidence


@pytest.mark.parametrize("wrong", ["1", "nan"])
def test_wrong_results_are_incorrect_however_fast(run, wrong):
    record = run(take="all", wrong=wrong)
    assert record.status == "incorrect"
    assert (
        "not finite" if wrong == "nan" else "external gives other detections than cpu:1"
    ) in record.reasons[0]


@pytest.mark.parametrize(
    ("options", "status", "text"),
    [
        (
            {"fail": "create"},
            "failed",
            "created no delegate (options: fail=create): the stand-in was told to fail",
        ),
        ({"fail": "prepare"}, "failed", "could not prepare the graph: the stand-in cannot prepare"),
        ({"fail": "invoke"}, "failed", "the stand-in lost its device"),
        ({"crash": "create"}, "failed", "died of SIGSEGV while"),
        ({"crash": "prepare"}, "failed", "was preparing the graph"),
        ({"crash": "invoke"}, "failed", "died of SIGSEGV while the model was running on the delegate of"),
    ],
)
def test_a_delegate_that_fails_or_crashes_costs_its_own_cell_only(run, options, status, text):
    broken, cpu = run(delegates=("cpu:1",), **options)
    assert broken.status == status and text in broken.reasons[0]
    assert cpu.status == "ok"


def test_a_delegate_that_hangs_is_a_timeout_that_says_where(run, monkeypatch, quick):
    # long enough for a worker on a busy computer to come so far
    monkeypatch.setattr("harness.bench.engines.python_worker.START_TIMEOUT_S", 10.0)
    monkeypatch.setattr("harness.settings.LEAST_PATIENCE_S", 0.5)
    record = run(hang="prepare", settings=replace(quick, max_seconds=0.5))
    assert record.status == "timeout" and "while the delegate of" in record.reasons[0]


def test_a_missing_library_and_one_without_entry_points_are_told_apart(run, tmp_path):
    missing, cpu = run(library=tmp_path / "libnone.so", delegates=("cpu:1",))
    assert missing.status == "failed" and "libnone.so cannot be loaded" in missing.reasons[0]
    assert cpu.status == "ok"
    source, other = tmp_path / "other.c", tmp_path / "libother.so"
    source.write_text("int answer(void) { return 42; }\n")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", str(other), str(source)], check=True)
    record = run(library=other)
    assert record.status == "failed" and "no entry point tflite_plugin_create_delegate" in record.reasons[0]


def test_accuracy_is_measured_on_the_library_and_equals_the_builtin_kernels(run):
    settings = Settings(latency=False, limit=10)
    ours, theirs = run(take="all", delegates=("cpu-reference",), settings=settings)
    assert ours.accuracy.status == "ok" and ours.accuracy.delegate.actual == "external"
    assert ours.accuracy.figures == theirs.accuracy.figures


def test_accuracy_from_wrong_outputs_is_not_given(run):
    record = run(take="all", wrong="nan", settings=Settings(latency=False, limit=4))
    assert record.status == "incorrect" and record.accuracy.figures is None


def test_cpu_threads_that_lose_detections_are_incorrect(prepared, recorder, repository, tmp_path):
    """LiteRT 2.3's regular NMS loses classes on two threads: the same file is right on one thread and wrong on two."""
    source = repository / "models" / "shapes" / "shapes_float32.tflite"
    subprocess.run(
        [
            sys.executable,
            "-m",
            "harness",
            "edit",
            "nms",
            str(source),
            "--regular",
            "-o",
            str(tmp_path / "regular.tflite"),
        ],
        check=True,
    )
    asked = prepared(
        models=(str(tmp_path / "regular.tflite"), "shapes-float32"),
        dataset=str(repository / "models" / "shapes" / "dataset"),
        delegates=("cpu:1", "cpu:2", "cpu-reference:2"),
        repetitions=1,
    )
    found = {(r.model.name, r.delegate.requested): r for r in carry_out(asked, recorder).records}
    assert found["regular", "cpu:1"].status == "ok"
    for delegate in ("cpu:2", "cpu-reference:2"):
        wrong = found["regular", delegate]
        assert wrong.status == "incorrect" and "never reports class 2" in wrong.reasons[0]
        assert "harness edit nms --fast" in wrong.reasons[0]
        assert any("with 2 threads gives other detections" in reason for reason in wrong.reasons)
        assert found["shapes-float32", delegate].status == "ok"


def test_from_python_a_library_is_told_its_options(delegate_library, tmp_path, repository):
    frame = harness.run(
        "shapes-float32",
        delegates=[f"external:{delegate_library}"],
        delegate_options={"take": "CONV_2D"},
        workspace=repository,
        output=tmp_path,
        repetitions=1,
        accuracy=False,
        min_runs=3,
        min_seconds=0.02,
    )
    (row,) = frame.to_dict("records")
    assert (row["status"], row["delegated_nodes"], row["total_nodes"]) == ("partial", 20, 55)
