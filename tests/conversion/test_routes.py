"""Which settings fit which graph, and what is refused with which reason; no TensorFlow is needed for that."""

import sys

import pytest

from harness.cli.main import main
from harness.conversion import routes, sources, workflow
from harness.conversion.facts import MODES, Facts, Order, Tensor
from harness.conversion.inspect import qat_configured
from harness.errors import JobError, MissingExtraError, ModelError, UsageError
from harness.quantization.stats import InputStats

FAKE = ("input_quant", "first/act_quant")
IMAGE = Tensor("normalized_input_image_tensor", (1, 320, 320, 3), "float32")


def order(mode="float32", **settings):
    return Order(source="tflite_graph.pb", kind="frozen-graph", mode=mode, output="", **settings)


def facts(fake_quant=(), inputs=(IMAGE,), **settings):
    settings.setdefault("outputs", ("TFLite_Detection_PostProcess",))
    return Facts(inputs=inputs, n_nodes=100, fake_quant=fake_quant, postprocess=True, **settings)


def test_a_trained_graph_takes_stats_and_no_optimization_and_no_images():
    route = routes.find_route(order("qat-uint8", stats=(128.0, 128.0)), facts(FAKE))
    assert (route.name, route.inference_uint8, route.input_stats) == ("qat", True, (128.0, 128.0))
    assert not (route.optimize or route.representative or route.integer_only)
    assert "scale 0.0078125 and zero point 128" in route.reasons[1]


def test_a_float_graph_takes_images_and_no_stats():
    route = routes.find_route(order("int8", representative=("a.jpg",)), facts())
    assert (route.name, route.representative, route.integer_only, route.optimize) == (
        "calibrated",
        True,
        True,
        True,
    )
    assert route.input_stats is None


@pytest.mark.parametrize(("mode", "float16"), [("dynamic", False), ("float16", True)])
def test_the_cpu_variant_takes_128_128_and_the_default_optimization(mode, float16):
    route = routes.find_route(order(mode), facts())
    assert (route.name, route.optimize, route.float16, route.input_stats) == (
        "cpu-variant",
        True,
        float16,
        (128.0, 128.0),
    )
    assert not route.representative


@pytest.mark.parametrize("mode", MODES)
def test_every_route_gives_its_reasons(mode):
    given = facts(FAKE) if mode == "qat-uint8" else facts()
    assert routes.find_route(order(mode, representative=("a.jpg",)), given).reasons


@pytest.mark.parametrize("mode", ["dynamic", "float16", "int8"])
def test_a_trained_graph_is_sent_to_qat_uint8(mode):
    with pytest.raises(
        UsageError, match=r"has 2 fake-quant nodes \(such as input_quant\).*Use --mode qat-uint8"
    ):
        routes.find_route(order(mode, representative=("a.jpg",)), facts(FAKE))


def test_a_graph_without_fake_quant_nodes_is_no_trained_one_although_it_was_configured():
    configured = facts(qat_configured="The pipeline.config beside it configures it.")
    with pytest.raises(UsageError, match=r"no fake-quant node among 100 nodes.*pipeline.config.*--mode int8"):
        routes.find_route(order("qat-uint8"), configured)


def test_int8_without_images_is_refused():
    with pytest.raises(UsageError, match="--representative DIR"):
        routes.find_route(order("int8"), facts())


def test_integer_results_of_postprocess_are_refused_with_the_converters_own_words():
    with pytest.raises(UsageError, match="Unsupported output type UINT8 for output tensor") as refusal:
        routes.find_route(order("qat-uint8", output_type="uint8"), facts(FAKE))
    assert "computes boxes and NMS in float32" in str(refusal.value)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (facts(inputs=()), "found 0 inputs"),
        (facts(inputs=(IMAGE, Tensor("b", (1,), "float32"))), "found 2 inputs"),
        (facts(outputs=()), "--outputs"),
        (facts(inputs=(Tensor("a", (1, 10), "float32"),)), r"is \[1, 10\], expected an image"),
        (facts(inputs=(Tensor("a", (1, -1, -1, 3), "float32"),)), "--size WIDTHxHEIGHT"),
    ],
)
def test_sources_without_one_image_input_are_refused(given, says):
    with pytest.raises(ModelError, match=says):
        routes.check_inputs(order(), given)


def test_a_graph_of_a_fixed_size_takes_no_other():
    with pytest.raises(ModelError, match="input is 320×320 and cannot be 300×300"):
        routes.check_inputs(order(size=(300, 300)), facts())
    routes.check_inputs(order(size=(320, 320)), facts())


def test_open_dimensions_take_the_size_that_was_asked_for():
    given = facts(inputs=(Tensor("a", (-1, -1, -1, 3), "float32"),))
    assert routes.input_shape(order(size=(320, 240)), given) == (1, 240, 320, 3)
    assert routes.input_shape(order(size=(999, 999)), facts()) == (1, 320, 320, 3)


def test_a_configured_but_ignored_training_is_found_beside_the_graph(tmp_path):
    config = "model {}\ngraph_rewriter {\n  quantization {\n    delay: 48000\n    weight_bits: 8\n  }\n}\n"
    assert qat_configured(tmp_path / "tflite_graph.pb") is None
    (tmp_path / "pipeline.config").write_text("model {}\n")
    assert qat_configured(tmp_path / "tflite_graph.pb") is None
    (tmp_path / "pipeline.config").write_text(config)
    assert "delay of 48000 steps" in qat_configured(tmp_path / "tflite_graph.pb")


@pytest.mark.parametrize(
    ("wanted", "given"),
    [
        (InputStats(127.5, 127.5), (128.0, 128.0)),
        (InputStats(0.0, 255.0), (0.0, 255.0)),
        (None, (128.0, 128.0)),
    ],
)
def test_the_default_stats_are_those_of_the_preparation(wanted, given):
    assert workflow.default_stats(wanted) == given


def test_integer_results_are_refused_before_tensorflow_is_even_looked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(workflow.importlib.util, "find_spec", lambda name: None)
    source = tmp_path / "tflite_graph.pb"
    source.write_bytes(b"\n\x1cTFLite_Detection_PostProcess")
    job = workflow.Job(source, "qat-uint8", tmp_path / "q.tflite", output_type="uint8")
    with pytest.raises(UsageError, match="no integer form"):
        workflow.convert(job, lambda *step: None, None)
    source.write_bytes(b"\x0a\x10\x0a\x01a\x12\x0bPlaceholder")  # one node
    with pytest.raises(MissingExtraError, match=r"\[convert\]"):
        workflow.convert(job, lambda *step: None, None)
    assert [path.name for path in tmp_path.iterdir()] == ["tflite_graph.pb"]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("absent.pb", "no such file"),
        ("model.tflite", r"a .tflite file, expected a frozen graph .*\. `harness quantize` takes a .tflite"),
        ("folder", "a folder without saved_model.pb"),
        ("notes.txt", "a .txt file"),
        ("best.onnx", r"found an ONNX model, expected .*\. `onnx2tf"),
        ("graph.pbtxt", "a graph as text"),
        ("saved_model.pb", r"the file of a SavedModel, expected .*\. Name its folder: "),
    ],
)
def test_what_is_no_tensorflow_model_is_refused_with_what_was_found(tmp_path, name, says):
    path = tmp_path / name
    if name == "folder":
        path.mkdir()
    elif not name.startswith("absent"):
        path.write_bytes(b"x")
    with pytest.raises(ModelError, match=says):
        sources.find_kind(path)


def test_a_crash_of_the_child_is_an_error_that_names_signal_and_step(tmp_path, monkeypatch):
    for number, says in ((11, "signal 11"), (9, "too little memory")):
        fake = tmp_path / f"python{number}"
        fake.write_text(
            f'#!/bin/sh\nprintf \'\\036%s\\n\' \'{{"event": "step", "text": "converting"}}\'\nkill -{number} $$\n'
        )
        fake.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(fake))
        with pytest.raises(JobError, match=f"{says}.*while converting"):
            workflow.run_child(order(), tmp_path, lambda *step: None)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--size", "0"], "expected a size"),
        (["--stats", "128"], "expected MEAN,STD"),
        (["--stats", "128,0"], "a std above 0"),
        ([], "-o FILE.tflite"),
    ],
)
def test_wrong_use_of_the_command_ends_with_status_2(tmp_path, arguments, says, capsys):
    source = tmp_path / "tflite_graph.pb"
    source.write_bytes(b"x")
    with pytest.raises(SystemExit) as end:
        main(["convert", str(source), "--mode", "float32", *arguments])
    assert (end.value.code, says in capsys.readouterr().err) == (2, True)
