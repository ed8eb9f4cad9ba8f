"""Measured rows and published figures of one model on one device."""

import pytest

from harness.profiles import list_profiles
from harness.rows.beside import COLUMNS, make_pairs, with_columns
from harness.rows.published import published_rows
from harness.workspace import Workspace


def row(model="mobiledet-dsp", device="pixel-4", delegate="hexagon", status="ok", **values):
    known = {"model": model, "device": device, "delegate_requested": delegate, "status": status}
    figures = {"latency_median_ms": 24.6, "map": 0.144, "dataset": "COCO 2014 minival", "n_images": 8059}
    return {**figures, **known, **values}


@pytest.fixture
def pairs(repository):
    workspace = Workspace(repository)
    aliases = {profile.name: profile.data.aliases for profile in list_profiles(workspace)}

    def make(*rows, **makes):
        return make_pairs(rows, published_rows(workspace), makes, aliases)

    return make


def test_a_row_of_the_same_model_device_and_delegate_has_the_ratio_to_the_published_figure(pairs):
    (first, *_) = [pair for pair in pairs(row()) if pair.latency_ratio]
    assert (first.published["device"], first.latency_ratio) == ("Pixel 4", pytest.approx(2.0))
    assert first.map_ratio == pytest.approx(0.5)


def test_only_the_models_and_devices_of_the_run_come_along(pairs):
    found = {(pair.published["model"], pair.published["device"]) for pair in pairs(row())}
    assert found == {("mobiledet-dsp", "Pixel 4"), ("mobiledet-dsp", None)}
    assert pairs(row(model="shapes-float32")) == []
    assert {pair.published["device"] for pair in pairs(row(device="pixel-8"))} == {None}


@pytest.mark.parametrize(
    ("device", "make"), [("pixel-4", None), ("9A281FFAZ", "Pixel 4"), ("192.168.1.5-5555", "Pixel 4")]
)
def test_a_device_is_known_by_its_profile_and_by_what_it_calls_itself(pairs, device, make):
    assert any(pair.latency_ratio for pair in pairs(row(device=device), **{device: make}))


def test_a_board_that_is_named_by_its_host_is_the_one_that_publications_name(pairs):
    own = row("ssdlite-mobilenet-v2-ptq-edgetpu", "board", "edgetpu:pci:0")
    (pair,) = [one for one in pairs(own, board="Freescale i.MX8MQ Phanbell") if one.own]
    assert pair.latency_ratio == pytest.approx(24.6 / 6.6)


def test_the_pixels_neural_core_is_no_coral_edge_tpu(pairs):
    coral, neural = (row("mobiledet-edgetpu", delegate=one) for one in ("edgetpu", "nnapi:google-edgetpu"))
    assert not any(pair.latency_ratio for pair in pairs(coral))
    assert any(pair.latency_ratio == pytest.approx(24.6 / 6.9) for pair in pairs(neural))


def test_another_delegate_of_the_device_is_shown_without_a_ratio(pairs):
    found = pairs(row(delegate="cpu:4"))
    (figure,) = [pair for pair in found if pair.published["device"] == "Pixel 4"]
    assert (figure.own, figure.latency_ratio) == (None, None)


def test_a_cell_that_fell_back_has_no_ratio(pairs):
    (pair,) = [one for one in pairs(row(status="fallback")) if one.published["device"] == "Pixel 4"]
    assert pair.own is not None and pair.latency_ratio is None and pair.map_ratio is None


@pytest.mark.parametrize(
    ("quantization", "same"),
    [
        ("qat-uint8", True),
        ("full-integer [per channel]", True),
        ("mixed", True),
        (None, True),
        ("float32", False),
        ("float16", False),
        ("dynamic-range", False),
    ],
)
def test_a_file_of_other_numbers_has_no_ratio_whatever_its_name(pairs, quantization, same):
    found = pairs(row(quantization=quantization))
    assert any(pair.own for pair in found)
    assert any(pair.latency_ratio for pair in found) == any(pair.map_ratio for pair in found) == same


def test_accuracies_of_other_images_are_not_divided_and_a_note_says_so(pairs):
    own = row("ssd-mobilenet-v1-mlperf[nms=fast]", dataset="COCO val2017", n_images=50)
    assert {pair.published["model"] for pair in pairs(own)} == {"ssd-mobilenet-v1-mlperf [fast NMS]"}
    (pair,) = pairs(own)
    assert pair.map_ratio is None
    assert pair.note == (
        "no mAP ratio: the published mAP is of COCO val2017, 5,000 images, yours of COCO val2017, 50 images"
    )
    (whole,) = pairs({**own, "n_images": 5000})
    assert (whole.map_ratio, whole.note) == (pytest.approx(0.144 / 0.2186), "")


def test_rows_say_the_published_figure_and_the_ratio_and_others_say_nothing(pairs):
    rows = [row(), row(model="shapes-float32")]
    first, second = with_columns(rows, pairs(*rows))
    assert [first[name] for name in COLUMNS] == [12.3, pytest.approx(2.0), 0.288, pytest.approx(0.5), None]
    assert {second[name] for name in COLUMNS} == {None}
