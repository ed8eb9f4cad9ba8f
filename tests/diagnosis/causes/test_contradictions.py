"""A scale changed afterwards is told from biases that are wrong, and an order of classes from one of channels."""

from types import SimpleNamespace

import numpy as np
import pytest

from harness.cards import load_card
from harness.diagnosis.causes.contradictions import is_input_contradicted, scales_before_biases
from harness.diagnosis.causes.suspects import find_suspects
from harness.diagnosis.layers.constants import compare_constants
from harness.diagnosis.runs.model_pair import ModelPair, load_model
from tests.support.faults.graph import edited


@pytest.fixture
def evidence_of(workshop):
    """Return what the static tests look at, of the bundled pair after a change."""

    def make(name, change):
        data = edited(workshop.int8, change)
        broken = load_card(workshop.card(name, "shapes-full-integer", data))
        pair = ModelPair(load_model("float", load_card(workshop.float_card)), load_model("quantized", broken))
        return SimpleNamespace(pair=pair, constants=compare_constants(pair))

    return make


def _scaled(net, index, factor):
    how = net.tensors[index].quantization
    how.scale = [float(scale) * factor for scale in how.scale]


def test_of_a_sound_file_no_scale_is_contradicted(evidence_of):
    assert scales_before_biases(evidence_of("sound", lambda net: None)) == []


def test_a_scale_that_was_changed_is_found_with_the_right_one_and_the_biases_are_not_blamed(evidence_of):
    changed = []

    def change(net):
        index = net.all("CONV_2D")[4].inputs[0]
        changed.append((index, net.tensors[index].quantization.scale[0]))
        _scaled(net, index, 3.0)

    evidence = evidence_of("scale-changed", change)
    (found,) = scales_before_biases(evidence)
    ((index, right),) = changed
    assert found.tensor == index
    assert found.right.scale == pytest.approx(right, rel=1e-4)
    assert not is_input_contradicted(evidence)
    assert not find_suspects(evidence).biases
    assert not find_suspects(evidence).weights


def test_the_inputs_scale_is_told_from_another_calibration(evidence_of):
    assert is_input_contradicted(
        evidence_of("input-changed", lambda net: _scaled(net, net.graph.inputs[0], 2))
    )


def test_scales_of_weights_are_not_taken_for_those_of_activations(evidence_of):
    evidence = evidence_of("weights-scaled", lambda net: _scaled(net, net.all("CONV_2D")[4].inputs[1], 2.0))
    assert scales_before_biases(evidence) == []
    assert find_suspects(evidence).weights


def test_channels_without_their_biases_are_no_order_of_classes(evidence_of):
    def permuted(*places):
        def change(net):
            head = next(o for o in net.all("CONV_2D") if "class1" in net.name(o.outputs[0]))
            for place in places:
                values = net.values(head.inputs[place])
                net.set_values(head.inputs[place], np.ascontiguousarray(values[::-1]))
                how = net.tensors[head.inputs[place]].quantization
                how.scale = [float(scale) for scale in how.scale[::-1]]

        return change

    assert find_suspects(evidence_of("with-biases", permuted(1, 2))).classes
    alone = find_suspects(evidence_of("without-biases", permuted(1)))
    assert not alone.classes
    assert alone.weights


@pytest.mark.parametrize("bits", [2, 4])
def test_few_bits_are_told_however_far_the_weights_are_off(evidence_of, bits):
    """Of the larger layers by themselves, and of small ones beside them."""

    def change(net):
        for operator in net.all("CONV_2D", "DEPTHWISE_CONV_2D"):
            values = net.values(operator.inputs[1]).astype(float)
            step = 127 / (2 ** (bits - 1) - 1)
            net.set_values(operator.inputs[1], np.rint(np.rint(values / step) * step).astype(np.int8))

    found = find_suspects(evidence_of(f"bits-{bits}", change))
    assert found.few_bits
    assert not (found.checkpoint or found.weights)
