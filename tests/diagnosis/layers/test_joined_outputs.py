"""Where boxes and scores lie in one tensor."""

import pytest

from harness.cards import load_card
from harness.diagnosis.layers.joined_outputs import find_joined_outputs
from harness.diagnosis.runs.model_pair import load_model
from tests.support.faults import library


def loaded(card):
    return load_model("quantized", load_card(card))


def test_heads_that_are_joined_before_post_processing_are_found(workshop):
    found = loaded(library.BUNDLED["joined_heads"](workshop).broken)
    joined = find_joined_outputs(found)
    tensors = found.graph.primary.tensors
    assert "heads/joined" in tensors[joined.tensors[0]].name
    assert (
        len({tensors[index].quantization.scales for index in joined.tensors if tensors[index].quantization})
        >= 1
    )
    assert {tensors[index].shape[-1] for index in joined.sources} == {4, 7}


@pytest.mark.parametrize("name", ["float32", "full-integer"])
def test_a_detector_with_heads_of_their_own_shares_nothing(workshop, name):
    assert find_joined_outputs(loaded(workshop.models / f"shapes-{name}.toml")) is None


@pytest.mark.shared_data
def test_the_one_output_of_a_yolo_is_shared(workshop, shared_data):
    """Its boxes and its scores are put side by side in each of three levels, which are then put one below another."""
    found = loaded(library.HEALTHY_SHARED["yolov5n-int8"](workshop).broken)
    joined = find_joined_outputs(found)
    tensors = found.graph.primary.tensors
    assert found.graph.primary.outputs[0] in joined.tensors
    widths = [tensors[index].shape[-1] for index in joined.sources]
    assert sorted(set(widths)) == [2, 81]


@pytest.mark.shared_data
def test_a_real_ssd_shares_nothing(workshop, shared_data):
    assert find_joined_outputs(loaded(library.SHARED["ssd_bgr"](workshop).broken)) is None
