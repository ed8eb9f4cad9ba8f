"""An SSD of another input size, by its graph: its anchors are made again, or it is said why they cannot be."""

import json

import numpy as np
import pytest

from harness.cards import AnchorSpec
from harness.cli.main import main
from harness.conversion import carving, other_size
from harness.conversion.facts import Order
from harness.detectors import anchors as generators
from harness.detectors.base import ModelContext
from harness.errors import ModelError
from harness.tflite.anchors import find_anchors
from harness.tflite.model import describe
from tests.support.frozen_graphs import sized_ssd_graph

SIZE = 64


def ssd_anchors(width, height, **settings):
    return generators.ssd(AnchorSpec(source="ssd", **settings), ModelContext(width, height))


@pytest.fixture(scope="module")
def sized(tensorflow, tmp_path_factory):
    """The graph of an untrained SSD for 64×64, in a file."""
    path = tmp_path_factory.mktemp("sized") / "tflite_graph.pb"
    definition = sized_ssd_graph(tensorflow, SIZE, ssd_anchors(SIZE, SIZE))
    path.write_bytes(definition.SerializeToString())
    return path


@pytest.mark.parametrize("size", [(300, 300), (320, 320), (320, 192)])
def test_the_generator_that_gives_the_graphs_own_anchors_gives_the_new_ones(size):
    anew = ssd_anchors(*size)
    found, words = other_size.anchors_of(ssd_anchors(SIZE, SIZE), (SIZE, SIZE), size, len(anew), None)
    np.testing.assert_array_equal(found, anew)
    assert words == "the generator ssd, which gives the graph's own for 64×64"


def test_the_parameters_of_a_pipeline_config_are_tried_first(tmp_path):
    config = tmp_path / "pipeline.config"
    own = ssd_anchors(SIZE, SIZE, min_scale=0.15)
    with pytest.raises(ModelError, match=r"lay the pipeline\.config beside it"):
        other_size.anchors_of(own, (SIZE, SIZE), (96, 96), len(ssd_anchors(96, 96)), None)
    config.write_text(
        "anchor_generator { ssd_anchor_generator { num_layers: 6 min_scale: 0.15 max_scale: 0.95 } }"
    )
    found, _ = other_size.anchors_of(own, (SIZE, SIZE), (96, 96), len(ssd_anchors(96, 96)), config)
    np.testing.assert_array_equal(found, ssd_anchors(96, 96, min_scale=0.15))


def test_another_number_of_boxes_than_the_generator_gives_is_refused():
    with pytest.raises(ModelError, match=r"than the graph gives boxes \(7\)"):
        other_size.anchors_of(ssd_anchors(SIZE, SIZE), (SIZE, SIZE), (96, 96), 7, None)


@pytest.mark.tensorflow
def test_a_trained_detector_with_anchors_of_its_own_is_refused_with_the_way_out(inference_graph, tensorflow):
    graph = tensorflow.compat.v1.GraphDef()
    graph.ParseFromString(inference_graph.read_bytes())
    order = Order(
        source=str(inference_graph),
        kind="frozen-graph",
        mode="float32",
        output="",
        size=(192, 192),
        resize=True,
    )
    with pytest.raises(ModelError, match="1756 anchors for 144×144 are not those of ssd_anchor_generator"):
        carving.carve(graph, order, tensorflow)


@pytest.mark.tensorflow
def test_the_command_measures_an_ssd_by_its_graph(sized, repository, tmp_path, capsys):
    options = ["--sizes", "96", "--card", "shapes-float32", "--limit", "2", "--repetitions", "1"]
    where = ["-o", str(tmp_path / "sizes"), "--format", "json"]
    with pytest.raises(SystemExit) as end:
        main(["--workspace", str(repository), "resize", str(sized), *options, *where])
    (row,) = json.loads(capsys.readouterr().out)
    made = tmp_path / "sizes" / "tflite_graph_96x96.tflite"
    assert (end.value.code, row["input"], row["n_images"]) == (0, "96x96", 2)
    # One process on a busy computer may never settle: then it has no latency.
    assert "latency_median_ms" in row and row["map"] is not None
    assert describe(made).inputs[0].shape == (1, 96, 96, 3)
    np.testing.assert_allclose(find_anchors(made), ssd_anchors(96, 96), atol=1e-6)
