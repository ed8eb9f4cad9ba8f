"""Label files and normalization that travel inside a model; whatever is wrong with them, the model stays usable."""

import json

import pytest

from harness.recognize.card import infer_card
from harness.tflite.metadata import MAX_MEMBER_BYTES, Metadata, read_metadata


def test_normalization_options_are_read(metadata_buffer):
    read = read_metadata(b"", metadata_buffer([127.5], [127.5]))
    assert (read.mean, read.std, read.damaged) == ((127.5,), (127.5,), "")


def test_normalization_by_channel_is_read(metadata_buffer):
    read = read_metadata(b"", metadata_buffer([123.5, 116.5, 103.5], [58.5, 57.0, 57.5]))
    assert read.mean == (123.5, 116.5, 103.5)
    assert read.std == (58.5, 57.0, 57.5)


def test_the_label_file_that_the_metadata_names_is_read(metadata_buffer, with_archive):
    data = with_archive(b"model", notes__txt="not labels", labels__txt="cat\ndog\n")
    read = read_metadata(data, metadata_buffer(label_file="labels.txt"))
    assert (read.label_file, read.labels) == ("labels.txt", ("cat", "dog"))


def test_a_single_text_file_is_taken_for_the_labels(with_archive):
    assert read_metadata(with_archive(b"model", labelmap__txt="???\ncat"), b"").labels == ("???", "cat")


def test_two_text_files_that_nothing_chooses_between_are_no_labels(with_archive):
    assert read_metadata(with_archive(b"model", a__txt="x", b__txt="y"), b"").labels == ()


@pytest.mark.parametrize(
    "content",
    [
        json.dumps({"stride": 32, "names": {"0": "cat", "1": "dog"}}),
        str({"stride": 32, "names": {0: "cat", 1: "dog"}}),
        json.dumps({"names": ["cat", "dog"]}),
    ],
)
def test_names_of_an_ultralytics_export_are_read(content, with_archive):
    assert read_metadata(with_archive(b"model", metadata__json=content), b"").labels == ("cat", "dog")


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"task": "segment", "imgsz": [320, 640]}, ("segment", None, (320, 640))),
        ({"end2end": True, "args": {"nms": False}}, (None, True, None)),
        ({"args": {"nms": True}, "imgsz": 640}, (None, True, None)),
        ({"args": {"nms": False}, "task": 5, "imgsz": ["a", 2]}, (None, False, None)),
    ],
)
@pytest.mark.parametrize("write", [json.dumps, str])
def test_what_an_ultralytics_export_says_of_itself_is_read(said, expected, write, with_archive):
    read = read_metadata(with_archive(b"model", temp_meta__txt=write({"names": ["cat"], **said})), b"")
    assert (read.names, (read.task, read.end2end, read.imgsz)) == (("cat",), expected)


def test_a_model_without_metadata_has_none():
    assert read_metadata(b"TFL3" * 100, b"") == Metadata()


@pytest.mark.parametrize(
    "content",
    ['{"names": ' + "[" * 30_000, "{names: __import__('os')}", '{"names": {"x": 1}}', '{"names": 5}'],
)
def test_names_that_are_no_names_do_no_harm(content, with_archive):
    read = read_metadata(with_archive(b"model", metadata__json=content), b"")
    assert read.labels == ()


def test_an_archive_that_would_unpack_to_much_is_left_alone(with_archive):
    bomb = with_archive(b"model", labels__txt=b"x" * (MAX_MEMBER_BYTES + 1))
    assert read_metadata(bomb, b"").labels == ()


@pytest.mark.parametrize("at", range(-60, 0, 3))
def test_a_damaged_archive_does_no_harm(at, with_archive):
    data = bytearray(with_archive(b"model", labels__txt="cat\ndog"))
    data[at] ^= 0xFF
    assert isinstance(read_metadata(bytes(data), b""), Metadata)


@pytest.mark.parametrize("at", range(0, 200, 5))
def test_a_damaged_metadata_buffer_does_no_harm(at, metadata_buffer):
    data = bytearray(metadata_buffer([127.5], [127.5], "labels.txt"))
    data[at % len(data)] ^= 0xFF
    assert isinstance(read_metadata(b"", bytes(data)), Metadata)


def test_damaged_metadata_is_mentioned_and_the_card_is_still_made(make_detector, write_model):
    network = make_detector()
    network.metadata("TFLITE_METADATA", b"\xff" * 16)
    model = infer_card(write_model(network))
    assert model.card.decoder.name == "ssd-postprocess"
    assert any(sentence.startswith("metadata: could not be read") for sentence in model.evidence)


def test_label_file_of_a_model_names_its_classes_without_the_background(
    make_detector, write_model, metadata_buffer, with_archive
):
    network = make_detector(n_classes=2)
    network.metadata("TFLITE_METADATA", metadata_buffer([127.5], [127.5], "labels.txt"))
    data = with_archive(network.bytes(), labels__txt="???\ncat\ndog\n")
    labels = infer_card(write_model(data)).card.labels
    assert (labels.names, labels.offset, labels.map) == (("cat", "dog"), 1, None)


@pytest.mark.parametrize(
    ("numbers", "names"), [((0, 2), ("cat", "", "dog")), ((1, 2), ("", "cat", "dog")), ((-1, 0), ())]
)
def test_names_stand_at_the_numbers_that_the_file_gives_them(numbers, names, with_archive):
    content = json.dumps({"names": dict(zip(numbers, ("cat", "dog"), strict=True))})
    assert read_metadata(with_archive(b"model", metadata__json=content), b"").names == names
