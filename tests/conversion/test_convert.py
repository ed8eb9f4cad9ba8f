"""Real conversions by TensorFlow, of graphs made here; what they give is read from the files."""

import json
import warnings

import msgspec
import numpy as np
import pytest

from harness.cli.main import main
from harness.conversion import inspect, routes, workflow
from harness.conversion.facts import Order
from harness.errors import JobError, ModelError, UsageError
from harness.quantization.representative import find_representative
from harness.tflite.model import describe

pytestmark = pytest.mark.tensorflow
POST = "TFLite_Detection_PostProcess"


def run(tmp_path, source, mode, **settings):
    job = workflow.Job(source, mode, tmp_path / f"{mode}.tflite", **settings)
    return workflow.convert(job, lambda *step: None, None), describe(job.output)


def representative(images, tmp_path):
    settings = {"representative": find_representative(images)}
    from harness.cards import InputSpec

    return settings | {"spec": InputSpec(width=1, height=1, mean=(127.5,) * 3, std=(127.5,) * 3)}


@pytest.mark.parametrize(
    ("mode", "quantization"), [("float32", "float32"), ("float16", "float16"), ("dynamic", "dynamic-range")]
)
def test_a_float_graph_with_postprocess_becomes_a_float_model(frozen, tmp_path, mode, quantization):
    report, made = run(tmp_path, frozen(), mode)
    assert made.quantization == quantization
    assert [info.name for info in made.inputs] == ["normalized_input_image_tensor"]
    assert [info.name for info in made.outputs] == [POST, f"{POST}:1", f"{POST}:2", f"{POST}:3"]
    assert [info.shape for info in made.outputs] == [(1, 10, 4), (1, 10), (1, 10), (1,)]
    assert made.postprocess.num_classes == 3
    assert report.rows[0]["fake_quant_nodes"] == 0


def test_a_trained_graph_becomes_qat_uint8_with_the_scale_of_the_stats(frozen, tmp_path):
    report, made = run(tmp_path, frozen(fake_quant=True), "qat-uint8")
    assert made.quantization == "qat-uint8"
    (image,) = made.inputs
    assert (image.dtype, image.scale, image.zero_point) == ("uint8", 0.0078125, 128)
    assert {info.dtype for info in made.outputs} == {"float32"}
    assert report.rows[0]["fake_quant_nodes"] == 10  # input, 4 × (weights, activations), scores
    assert any("computes boxes and NMS in float32" in text for text in report.remarks)


def test_stats_that_are_not_the_graphs_own_are_refused_with_those_that_are(frozen, tensorflow):
    order = Order(
        source=str(frozen(fake_quant=True)),
        kind="frozen-graph",
        mode="qat-uint8",
        output="",
        stats=(0.0, 255.0),
        stats_given=True,
    )
    facts, _ = inspect.frozen_graph(order, tensorflow)
    assert facts.input_range == pytest.approx((-1.0, 1 - 1 / 128))
    with pytest.raises(UsageError, match=r"lie in 0…1.*trained with -1…0\.9922.*give --stats 128,128"):
        routes.check_stats(order, facts)
    routes.check_stats(msgspec.structs.replace(order, stats=(127.5, 127.5)), facts)


def test_a_float_graph_is_calibrated_by_images(frozen, images, tmp_path, new_processes):
    steps = []
    job = workflow.Job(frozen(), "int8", tmp_path / "q.tflite", **representative(images, tmp_path))
    workflow.convert(job, lambda *step: steps.append(step), None)
    made = describe(job.output)
    assert made.quantization == "full-integer"
    assert made.inputs[0].scale == pytest.approx(2 / 255, rel=0.01)
    assert (20, 20, "calibrating, image 20/20") in steps
    assert steps[0][2] == "importing TensorFlow"


@pytest.mark.parametrize("mode", ["dynamic", "float16"])
def test_weights_of_a_trained_graph_are_refused_by_what_was_found_in_it(frozen, tmp_path, mode):
    with pytest.raises(UsageError, match=r"has 10 fake-quant nodes.*--mode qat-uint8"):
        run(tmp_path, frozen(fake_quant=True), mode)
    assert list(tmp_path.iterdir()) == []


def test_a_float_graph_is_no_trained_one(frozen, tmp_path):
    source = frozen()
    source.with_name("pipeline.config").write_text("graph_rewriter { quantization { delay: 2000 } }")
    with pytest.raises(UsageError, match=r"no fake-quant node.*delay of 2000 steps"):
        run(tmp_path, source, "qat-uint8")


def test_raw_heads_are_found_as_outputs_where_there_is_no_postprocess(frozen, tmp_path):
    _, made = run(tmp_path, frozen(postprocess=False), "float32")
    assert [info.name for info in made.outputs] == [
        "raw_outputs/box_encodings",
        "raw_outputs/class_predictions",
    ]
    assert [info.shape for info in made.outputs] == [(1, 16, 4), (1, 16, 4)]


def test_raw_heads_and_anchors_are_outputs_where_they_are_asked_for(frozen, tmp_path):
    heads = ("raw_outputs/box_encodings", "raw_outputs/class_predictions", "anchors")
    _, made = run(tmp_path, frozen(), "dynamic", outputs=heads)
    assert [tensor.shape[-1] for tensor in made.outputs][0::2] == [4, 4] and not made.custom_operators


def test_the_converted_graph_gives_what_tensorflow_gives(frozen, tensorflow, tmp_path):
    from harness.runtime import load_runtime, make_interpreter

    source = frozen(postprocess=False)
    run(tmp_path, source, "float32")
    image = np.random.default_rng(5).uniform(-1, 1, (1, 32, 32, 3)).astype(np.float32)
    engine = make_interpreter(load_runtime(), str(tmp_path / "float32.tflite"), "cpu", 1)
    engine.set_tensor(engine.get_input_details()[0]["index"], image)
    engine.invoke()
    found = [engine.get_tensor(entry["index"]) for entry in engine.get_output_details()]
    definition = tensorflow.compat.v1.GraphDef()
    definition.ParseFromString(source.read_bytes())
    with tensorflow.Graph().as_default() as graph, tensorflow.compat.v1.Session(graph=graph) as session:
        tensorflow.import_graph_def(definition, name="")
        names = ["raw_outputs/box_encodings:0", "raw_outputs/class_predictions:0"]
        expected = session.run(names, {"normalized_input_image_tensor:0": image})
    for got, wanted in zip(found, expected, strict=True):
        np.testing.assert_allclose(got, wanted, atol=1e-5)


@pytest.mark.parametrize(
    ("mode", "quantization"), [("float32", "float32"), ("float16", "float16"), ("dynamic", "dynamic-range")]
)
def test_a_saved_model_is_converted(saved, tmp_path, mode, quantization):
    _, made = run(tmp_path, saved(), mode)
    assert (made.quantization, made.inputs[0].shape) == (quantization, (1, 32, 32, 3))


def test_a_saved_model_is_calibrated_by_images(saved, images, tmp_path):
    _, made = run(tmp_path, saved(), "int8", **representative(images, tmp_path))
    assert (made.quantization, made.inputs[0].dtype) == ("full-integer", "uint8")


def test_a_saved_model_with_fake_quant_nodes_keeps_its_trained_ranges(saved, tmp_path):
    _, made = run(tmp_path, saved(fake_quant=True), "qat-uint8")
    assert made.quantization == "full-integer"
    assert made.inputs[0].scale == pytest.approx(1 / 128, rel=1e-4)


def test_weights_that_were_trained_asymmetric_are_refused_with_the_next_step(saved, tmp_path):
    with pytest.raises(
        JobError, match=r"1 weight tensors.*symmetric: true.*--mode qat-uint8: uint8 weights may"
    ):
        run(tmp_path, saved(fake_quant=True, low=-0.7), "qat-uint8")
    assert list(tmp_path.iterdir()) == []


def test_a_saved_model_of_open_size_needs_one_and_takes_it(saved, tmp_path):
    source = saved(size=None)
    with pytest.raises(ModelError, match="--size WIDTHxHEIGHT"):
        run(tmp_path, source, "float32")
    _, made = run(tmp_path, source, "float32", size=(48, 64))
    assert made.inputs[0].shape == (1, 64, 48, 3)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_keras_model_is_converted_and_calibrated(tensorflow, images, tmp_path, suffix):
    layers = tensorflow.keras.layers
    model = tensorflow.keras.Sequential(
        [layers.Input((32, 32, 3)), layers.Conv2D(64, 3), layers.BatchNormalization(), layers.ReLU()]
    )
    source = tmp_path / f"net{suffix}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.save(source)
    _, made = run(tmp_path, source, "dynamic")
    assert made.quantization == "dynamic-range"
    _, made = run(tmp_path, source, "int8", **representative(images, tmp_path))
    assert made.quantization == "full-integer"


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [("graph.pb", b"no graph at all", "not a frozen graph"), ("net.keras", b"no zip", "not a Keras model")],
)
def test_damaged_sources_are_model_errors(tensorflow, tmp_path, name, content, says):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelError, match=says):
        run(tmp_path, tmp_path / name, "float32")
    assert [path.name for path in tmp_path.iterdir()] == [name]


def read(source, tf, **settings):
    """Read a graph as the child process does, without the seconds that starting it takes."""
    order = Order(source=str(source), kind="frozen-graph", mode="float32", output="", **settings)
    return inspect.frozen_graph(order, tf)


def test_a_graph_with_loops_that_no_ssd_is_known_in_is_refused_by_them(tensorflow, tmp_path):
    definition = tensorflow.compat.v1.GraphDef()
    definition.node.add(name="image_tensor", op="Placeholder")
    definition.node.add(name="Postprocessor/while/Enter", op="Enter")
    source = tmp_path / "frozen_inference_graph.pb"
    source.write_bytes(definition.SerializeToString())
    with pytest.raises(ModelError, match=r"export tflite_graph\.pb with export_tflite_ssd_graph"):
        read(source, tensorflow)


def test_a_graph_with_variables_is_not_frozen(tensorflow, tmp_path):
    definition = tensorflow.compat.v1.GraphDef()
    definition.node.add(name="weights", op="VarHandleOp")
    source = tmp_path / "graph.pb"
    source.write_bytes(definition.SerializeToString())
    with pytest.raises(ValueError, match=r"not frozen: 1 variables \(weights"):
        read(source, tensorflow)


def test_an_unknown_output_is_told_with_what_there_is(frozen, tensorflow):
    with pytest.raises(ModelError, match="no node 'raw_outputs/boxes'; there is raw_outputs/box_encodings"):
        read(frozen(postprocess=False), tensorflow, outputs=("raw_outputs/boxes",))


def test_the_command_prints_source_and_result(frozen, tmp_path, capsys, new_processes):
    output = tmp_path / "d.tflite"
    with pytest.raises(SystemExit) as end:
        main(["convert", str(frozen()), "--mode", "dynamic", "-o", str(output), "--format", "json"])
    before, after = json.loads(capsys.readouterr().out)
    assert (end.value.code, before["model"], after["quantization"]) == (0, "tflite_graph.pb", "dynamic-range")
    assert after["route"] == "cpu-variant"
    assert after["size_bytes"] == output.stat().st_size < before["size_bytes"]
