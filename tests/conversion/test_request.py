"""What a user asks of a conversion becomes a job."""

from pathlib import Path

import pytest

from harness.conversion.request import ASSUMED_PREPARATION, Request, make_job
from harness.errors import UsageError


def test_a_file_to_write_must_be_named(tmp_path):
    with pytest.raises(UsageError, match="-o FILE"):
        make_job(Request(source=str(tmp_path / "graph.pb"), mode="float32"), print)


def test_a_card_says_how_images_are_prepared_and_how_large_they_are(repository, tmp_path):
    request = Request(
        source=str(tmp_path / "graph.pb"),
        mode="float32",
        output=Path("out.tflite"),
        card="shapes-float32",
        workspace=str(repository),
    )
    (tmp_path / "graph.pb").touch()
    job = make_job(request, print)
    assert (
        job.size == (job.card.card.input.width, job.card.card.input.height)
        and job.spec == job.card.card.input
    )


def test_without_a_card_the_preparation_is_assumed_and_said(repository, tmp_path):
    said = []
    images = repository / "models" / "shapes" / "dataset" / "images"
    request = Request(
        source=str(tmp_path / "graph.pb"), mode="int8", output=Path("out.tflite"), representative=images
    )
    job = make_job(request, said.append)
    assert said == [ASSUMED_PREPARATION] and job.spec.mean == (127.5,) * 3


def test_a_model_that_is_a_tflite_already_is_sent_to_quantize(repository):
    with pytest.raises(UsageError, match="harness quantize"):
        make_job(Request(source="shapes-float32", mode="float32", workspace=str(repository)), print)


def test_the_graph_beside_a_cards_tflite_is_converted_in_every_mode(repository, tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    with pytest.raises(UsageError, match="harness models fetch mobiledet-cpu"):
        make_job(Request(source="mobiledet-cpu", mode="dynamic", workspace=str(repository)), print)
    graph = tmp_path / "models" / "mobiledet-cpu" / "tflite_graph.pb"
    graph.parent.mkdir(parents=True)
    graph.touch()
    jobs = [
        make_job(Request(source="mobiledet-cpu", mode=mode, workspace=str(repository)), print)
        for mode in ("float32", "float16", "dynamic", "qat-uint8")
    ]
    assert {job.source for job in jobs} == {graph} and {job.size for job in jobs} == {(320, 320)}
    assert jobs[2].output.name == "mobiledet-cpu-dynamic.tflite" and len({job.output for job in jobs}) == 4
