"""The constants of both files: healthy ones are a rounding, and each fault has its name."""

import numpy as np
import pytest

from harness.cards import load_card
from harness.diagnosis.layers.constant_faults import class_order, name_fault
from harness.diagnosis.layers.constants import compare_constants
from harness.diagnosis.runs.model_pair import ModelPair, load_model
from harness.diagnosis.runs.patched_file import Affine, patched
from harness.tflite.reader import read_graph
from harness.tflite.values import stored
from tests.support.faults.graph import edited


@pytest.fixture
def pair_of(repository, tmp_path):
    """Return the bundled pair, its int8 file after a change."""

    def make(change=None, name="shapes-full-integer"):
        reference = load_model("float", load_card(repository / "models" / "shapes-float32.toml"))
        model = load_card(repository / "models" / f"{name}.toml")
        if change is None:
            return ModelPair(reference, load_model("quantized", model))
        file = tmp_path / "changed.tflite"
        file.write_bytes(edited(model.file.read_bytes(), change))
        text = model.origin.read_text().replace(f'"shapes/{model.file.name}"', f'"{file}"')
        card = tmp_path / "changed.toml"
        card.write_text("\n".join(line for line in text.split("\n") if "sha256" not in line))
        return ModelPair(reference, load_model("quantized", load_card(card)))

    return make


def _only_fault(pair):
    (found,) = compare_constants(pair).differing("weights", "bias")
    return name_fault(found)


@pytest.mark.parametrize("name", ["shapes-full-integer", "shapes-float16", "shapes-dynamic-range"])
def test_a_healthy_pair_stays_within_half_a_step(pair_of, name):
    found = compare_constants(pair_of(name=name))
    assert found.n_layers == 39
    assert not found.differing("weights", "bias", "constant", "anchors")
    if name != "shapes-float16":
        assert max(one.worst for one in found.of("weights")) <= 0.51


def test_a_lost_bias_has_its_name(pair_of):
    def change(net):
        index = net.all("CONV_2D")[3].inputs[2]
        net.set_values(index, np.zeros_like(net.values(index)))

    assert _only_fault(pair_of(change)).kind == "lost"


def test_a_bias_of_another_size_has_its_factor(pair_of):
    def change(net):
        index = net.all("CONV_2D")[3].inputs[2]
        net.set_values(index, net.values(index) * np.int32(3))

    fault = _only_fault(pair_of(change))
    assert fault.kind == "scaled"
    assert "times 3" in fault.words


def test_exchanged_colours_are_told_from_other_weights(pair_of):
    def change(net):
        index = net.all("CONV_2D")[0].inputs[1]
        net.set_values(index, net.values(index)[..., ::-1])

    fault = _only_fault(pair_of(change))
    assert fault.order == (2, 1, 0)
    assert "BGR" in fault.words


def test_weights_that_are_cut_off_are_told(pair_of):
    def change(net):
        index = net.all("CONV_2D")[2].inputs[1]
        net.set_values(index, np.clip(net.values(index), -60, 60))

    assert _only_fault(pair_of(change)).kind == "clipped"


def test_weights_of_few_values_have_few_bits(pair_of):
    def change(net):
        index = net.all("CONV_2D")[4].inputs[1]
        values = np.rint(np.rint(net.values(index) / 127 * 7) * 127 / 7)
        net.set_values(index, values.astype(np.int8))

    fault = _only_fault(pair_of(change))
    assert (fault.kind, fault.bits) == ("few bits", 4)


def test_the_scale_beside_a_bias_means_nothing_to_its_kernel(pair_of):
    def change(net):
        how = net.tensors[net.all("CONV_2D")[3].inputs[2]].quantization
        how.scale = np.asarray(how.scale) * 1.01

    assert not compare_constants(pair_of(change)).differing("bias")


def test_a_permutation_of_classes_is_the_same_in_every_block():
    found = class_order((0, 2, 1, 3, 5, 4))
    assert (found.n, found.order, found.moved) == (3, (0, 2, 1), (1, 2))
    assert class_order((1, 0, 3, 2, 4, 5)).n == 6


def test_the_float_models_constants_come_back_into_the_file(pair_of):
    def change(net):
        conv = net.all("CONV_2D")[3]
        net.set_values(conv.inputs[1], net.values(conv.inputs[1])[::-1])

    pair = pair_of(change)
    model = pair.quantized
    wrong = compare_constants(pair).differing("weights")
    data = patched(model.file.read_bytes(), model.graph, model.file, {one.tensor: one.first for one in wrong})
    healthy = pair_of().quantized.graph
    mended = read_graph(data, model.file)
    for one in wrong:
        tensor = mended.primary.tensors[one.tensor]
        before = stored(healthy, healthy.primary.tensors[one.tensor])
        assert np.abs(stored(mended, tensor).astype(int) - before).max() <= 1


def test_another_scale_of_an_activation_takes_the_biases_that_depend_on_it_along(pair_of):
    pair = pair_of()
    model, graph = pair.quantized, pair.quantized.graph
    conv = [o for o in graph.primary.operators if o.name == "CONV_2D"][3]
    own = graph.primary.tensors[conv.inputs[0]].quantization
    data = patched(
        model.file.read_bytes(),
        graph,
        model.file,
        activations={conv.inputs[0]: Affine(own.scales[0] * 2, own.zero_points[0])},
    )
    mended = read_graph(data, model.file)
    bias = mended.primary.tensors[conv.inputs[2]]
    before = stored(graph, graph.primary.tensors[conv.inputs[2]])
    assert np.abs(stored(mended, bias) * 2 - before).max() <= 1
