"""What a user asks of a conversion becomes a job."""

from pathlib import Path

import pytest

from harness.conversion.request import ASSUMED_PREPARATION, Request, make_job
from harness.errors import ModelError, UsageError
from harness.recognize.find import find_model
from harness.workspace import Workspace


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
    (tmp_path / "graph.pb").touch()
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


@pytest.fixture
def fetched(repository, tmp_path, monkeypatch):
    """Puts the graph of a card where a fetch would; returns what its conversion would be, and what is said of it."""
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))

    def job(name, **options):
        graph = find_model(name, Workspace(repository)).graph
        graph.parent.mkdir(parents=True, exist_ok=True)
        graph.touch()
        said = []
        return make_job(Request(source=name, workspace=str(repository), **options), said.append), said

    return job


@pytest.mark.parametrize(
    ("card", "mode"),
    [
        ("mobiledet-cpu-float16", "float16"),
        ("mobiledet-cpu-dynamic-range", "dynamic"),
        ("mobiledet-dsp", "qat-uint8"),
        ("mobiledet-edgetpu", "qat-uint8"),
        ("mobiledet-edgetpu-float32", "float32"),
        ("ssd-mobilenet-v1-mlperf", "float32"),
        ("ssdlite-mobilenet-v2-qat-edgetpu", "qat-uint8"),
    ],
)
def test_a_card_is_converted_to_what_its_file_is_where_no_mode_is_given(fetched, card, mode):
    job, said = fetched(card)
    assert job.mode == mode
    assert (f"--mode {mode}, as the card {card} says" in said) == (card != "mobiledet-edgetpu-float32")


def test_another_mode_does_not_take_the_name_of_the_cards_file(fetched):
    own, _ = fetched("mobiledet-cpu-float16", mode="float16")
    other, _ = fetched("mobiledet-cpu-float16", mode="dynamic")
    assert own.output.name == "mobiledet-cpu-float16.tflite"
    assert other.output.name == "mobiledet-cpu-float16-dynamic.tflite"


@pytest.mark.parametrize("card", ["mobiledet-cpu-full-integer", "ssdlite-mobilenet-v2-ptq-edgetpu"])
def test_a_card_of_measured_ranges_asks_for_images_before_anything_is_begun(fetched, card):
    with pytest.raises(UsageError, match=r"--mode int8 needs representative images.*--representative DIR"):
        fetched(card)


def test_a_graph_that_nobody_publishes_is_asked_for_in_the_cards_words(repository, tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    request = Request(source="ssdlite-mobilenet-v2-qat-edgetpu", workspace=str(repository))
    with pytest.raises(UsageError, match=r"no such training is published.*export_tflite_ssd_graph\.py"):
        make_job(request, print)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"mode": "dynamic", "input_type": "uint8"}, "--input-type: --mode dynamic.*--mode int8 takes it"),
        ({"mode": "qat-uint8", "input_type": "int8"}, "--input-type: .*a frozen graph's is always uint8"),
        ({"mode": "float32", "stats": (128.0, 128.0)}, "--stats: .*only the input of --mode qat-uint8"),
        ({"mode": "qat-uint8", "representative": Path("images")}, "--representative: .*only --mode int8"),
        ({"mode": "float32", "force": True}, "--force: .*no images to check"),
        ({"mode": "float32", "limit": 3}, "--limit: .*no --dataset"),
    ],
)
def test_what_a_route_would_not_heed_is_refused(tmp_path, options, says):
    graph = tmp_path / "graph.pb"
    graph.touch()
    with pytest.raises(UsageError, match=says):
        make_job(Request(source=str(graph), output=tmp_path / "out.tflite", **options), print)


def test_a_saved_model_has_its_ends_in_its_signature(tmp_path):
    (tmp_path / "saved_model.pb").touch()
    wrong = Request(source=str(tmp_path), mode="float32", output=tmp_path / "o.tflite", inputs=("image",))
    with pytest.raises(UsageError, match=r"--input: .*signature"):
        make_job(wrong, print)


@pytest.mark.parametrize(
    ("made", "says"), [("x.index", "found a training checkpoint"), (None, "no such file")]
)
def test_a_place_is_no_name_of_a_card(tmp_path, monkeypatch, made, says):
    monkeypatch.chdir(tmp_path)
    if made is not None:
        (tmp_path / made).touch()
    for named in {str(tmp_path / "x"), *(["x"] if made else [])}:
        with pytest.raises(ModelError, match=says):
            make_job(Request(source=named, output=Path("o.tflite")), print)


def test_a_name_that_is_nothing_is_answered_in_the_words_of_a_conversion(repository, tmp_path):
    with pytest.raises(UsageError, match="Give a frozen graph"):
        make_job(Request(source="mobildet", mode="float32", workspace=str(repository)), print)
    absent = Request(
        source=str(tmp_path / "absent.pb"),
        card="mobiledet-cpu",
        mode="float32",
        output=Path("o.tflite"),
        workspace=str(repository),
    )
    with pytest.raises(ModelError, match=r"absent\.pb: no such file"):
        make_job(absent, print)
