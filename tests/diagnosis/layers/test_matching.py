"""Tensors of two graphs that stand for each other: real models, renamed ones, and converters that fuse differently."""

from dataclasses import replace

import pytest

from harness.diagnosis.layers.matching import activations, ancestors, match_tensors
from harness.tflite.graph import Graph, Operator, Subgraph, Tensor
from harness.tflite.model import load


def graph_of(*operators, shapes, constants=(), outputs=()):
    """A graph of (name, inputs, outputs); tensor 0 is the input image."""
    tensors = tuple(
        Tensor(k, f"t{k}", shape, shape, "float32", None, 0, k in constants) for k, shape in enumerate(shapes)
    )
    made = tuple(Operator(name, False, tuple(i), tuple(o)) for name, i, o in operators)
    return Graph(3, "", (Subgraph("main", tensors, made, (0,), tuple(outputs)),), {}, {})


def renamed(graph):
    """The same graph with names that say nothing."""
    tensors = tuple(replace(tensor, name="") for tensor in graph.primary.tensors)
    return replace(graph, subgraphs=(replace(graph.primary, tensors=tensors), *graph.subgraphs[1:]))


IMAGE, SMALL = (1, 8, 8, 3), (1, 4, 4, 8)


@pytest.mark.parametrize("other", ["float16", "dynamic_range", "full_integer"])
def test_every_tensor_of_the_bundled_variants_has_its_counterpart(repository, other):
    folder = repository / "models" / "shapes"
    first, second = (load(folder / f"shapes_{name}.tflite")[1] for name in ("float32", other))
    found = match_tensors(first, second)
    assert len(found) == len(activations(first.primary)) == len(activations(second.primary)) == 55
    for pair in found:
        shapes = (first.primary.tensors[pair.float].shape, second.primary.tensors[pair.quantized].shape)
        assert shapes[0] == shapes[1]


def test_every_tensor_of_a_real_yolo_has_its_counterpart(shared_data):
    graphs = [load(shared_data / "models" / f"yolov5n-{kind}.tflite")[1] for kind in ("fp16", "int8")]
    found = match_tensors(*graphs)
    assert len(found) == 256 and {pair.matched for pair in found} == {"name"}


def test_without_names_the_order_of_operators_gives_the_same_pairs(repository):
    folder = repository / "models" / "shapes"
    first, second = (load(folder / f"shapes_{name}.tflite")[1] for name in ("float32", "full_integer"))
    by_name = {(pair.float, pair.quantized) for pair in match_tensors(first, second)}
    by_order = match_tensors(first, renamed(second))
    assert {(pair.float, pair.quantized) for pair in by_order} == by_name
    assert {pair.matched for pair in by_order[1:]} == {"order"}


def test_a_fused_activation_stands_for_a_separate_one():
    separate = graph_of(
        ("CONV_2D", (0, 1), (2,)), ("RELU6", (2,), (3,)), ("CONV_2D", (3, 1), (4,)),
        shapes=(IMAGE, SMALL, SMALL, SMALL, SMALL), constants=(1,), outputs=(4,),
    )  # fmt: skip
    fused = renamed(
        graph_of(
            ("CONV_2D", (0, 1), (2,)), ("CONV_2D", (2, 1), (3,)),
            shapes=(IMAGE, SMALL, SMALL, SMALL), constants=(1,), outputs=(3,),
        )
    )  # fmt: skip
    pairs = [(pair.float, pair.quantized) for pair in match_tensors(separate, fused)]
    assert pairs == [(0, 0), (3, 2), (4, 3)]


def test_an_activation_that_is_not_all_that_reads_a_tensor_stays_apart():
    graph = graph_of(
        ("CONV_2D", (0, 1), (2,)), ("RELU", (2,), (3,)), ("ADD", (2, 3), (4,)),
        shapes=(IMAGE, SMALL, SMALL, SMALL, SMALL), constants=(1,), outputs=(4,),
    )  # fmt: skip
    assert [made.tensor for made in activations(graph.primary)] == [0, 2, 3, 4]


def test_conversions_are_looked_through_and_a_quantized_input_is_its_integers():
    plain = graph_of(("CONV_2D", (0, 1), (2,)), shapes=(IMAGE, SMALL, SMALL), constants=(1,), outputs=(2,))
    converted = renamed(
        graph_of(
            ("QUANTIZE", (0,), (1,)), ("CONV_2D", (1, 2), (3,)), ("DEQUANTIZE", (3,), (4,)),
            shapes=(IMAGE, IMAGE, SMALL, SMALL, SMALL), constants=(2,), outputs=(4,),
        )
    )  # fmt: skip
    assert [(p.float, p.quantized) for p in match_tensors(plain, converted)] == [(0, 1), (2, 3)]


def test_what_only_one_graph_has_is_left_out():
    first = graph_of(
        ("CONV_2D", (0, 1), (2,)), ("ADD", (2, 2), (3,)), ("CONV_2D", (3, 1), (4,)),
        shapes=(IMAGE, SMALL, SMALL, SMALL, SMALL), constants=(1,), outputs=(4,),
    )  # fmt: skip
    second = renamed(
        graph_of(
            ("CONV_2D", (0, 1), (2,)), ("CONV_2D", (2, 1), (3,)),
            shapes=(IMAGE, SMALL, SMALL, SMALL), constants=(1,), outputs=(3,),
        )
    )  # fmt: skip
    assert [(p.float, p.quantized) for p in match_tensors(first, second)] == [(0, 0), (2, 2), (4, 3)]


def test_ancestors_are_the_nearest_tensors_that_were_matched():
    graph = graph_of(
        ("CONV_2D", (0, 1), (2,)), ("RESHAPE", (2,), (3,)), ("ADD", (3, 0), (4,)),
        shapes=(IMAGE, SMALL, SMALL, SMALL, SMALL), constants=(1,), outputs=(4,),
    )  # fmt: skip
    assert ancestors(graph.primary, [0, 2, 4]) == {0: (), 2: (0,), 4: (0, 2)}
