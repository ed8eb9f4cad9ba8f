"""Small TensorFlow graphs, and images to quantize with."""

import importlib.util
import os
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.frozen_graphs import ssd_graph
from tests.support.prepared_process import CONVERSION, PreparedProcess


@pytest.fixture(scope="session")
def tensorflow():
    """TensorFlow; skips where it is not installed."""
    if importlib.util.find_spec("tensorflow") is None:
        pytest.skip("tensorflow (extra `convert`) is not installed")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import tensorflow as tf
    return tf


@pytest.fixture(scope="session")
def prepared_tensorflow(tensorflow):
    """What forks a process for each conversion."""
    prepared = PreparedProcess(CONVERSION)
    yield prepared
    prepared.close()


@pytest.fixture(autouse=True)
def conversions(request, monkeypatch):
    """Let conversions begin where TensorFlow is imported, but for tests that ask for `new_processes`."""
    if request.node.get_closest_marker("tensorflow") and "new_processes" not in request.fixturenames:
        prepared = request.getfixturevalue("prepared_tensorflow")
        monkeypatch.setattr("harness.child_process.ask", prepared.ask)


@pytest.fixture
def new_processes():
    """Each conversion starts a Python of its own and imports TensorFlow, as it does for a user."""


@pytest.fixture(scope="session")
def frozen(tensorflow, tmp_path_factory) -> Callable[..., Path]:
    """Makes a frozen graph of a small SSD as `tflite_graph.pb`, as the TF Object Detection API exports it."""

    def make(fake_quant=False, postprocess=True) -> Path:
        path = tmp_path_factory.mktemp("frozen") / "tflite_graph.pb"
        path.write_bytes(ssd_graph(tensorflow, fake_quant, postprocess).SerializeToString())
        return path

    return make


@pytest.fixture(scope="session")
def images(tmp_path_factory) -> Path:
    """A folder of 20 noisy images."""
    folder, random = tmp_path_factory.mktemp("images"), np.random.default_rng(3)
    for index in range(20):
        small = random.integers(0, 256, (6, 8, 3), dtype=np.uint8)
        Image.fromarray(small).resize((80, 60), Image.Resampling.BICUBIC).save(folder / f"{index:02}.png")
    return folder


@pytest.fixture(scope="session")
def inference_graph(tensorflow, repository, tmp_path_factory) -> Path:
    """The bundled detector as `frozen_inference_graph.pb`, with loops before and behind it."""
    from tests.support.detection_graph import inference_graph

    definition = inference_graph(tensorflow, repository / "models" / "shapes" / "shapes_float32.tflite")
    path = tmp_path_factory.mktemp("inference") / "frozen_inference_graph.pb"
    path.write_bytes(definition.SerializeToString())
    return path


@pytest.fixture(scope="session")
def saved(tensorflow, tmp_path_factory):
    """Makes a SavedModel: one convolution, with or without fake-quant, of a fixed or an open size."""
    tf = tensorflow

    def make(fake_quant=False, size=32, low=-1.0):
        weights = tf.Variable(np.random.default_rng(0).normal(0, 0.3, (3, 3, 3, 64)).astype(np.float32))

        def faked(tensor, low, high):
            return tf.quantization.fake_quant_with_min_max_args(tensor, low, high) if fake_quant else tensor

        class Net(tf.Module):
            @tf.function(input_signature=[tf.TensorSpec([1, size, size, 3], tf.float32, "image")])
            def serve(self, image):
                image = faked(image, -1.0, 1.0 - 1 / 128)
                found = tf.nn.relu6(tf.nn.conv2d(image, faked(self.weights, low, 1.0), 2, "SAME"))
                return {"heads": faked(found, 0.0, 6.0)}

        net = Net()
        net.weights = weights
        folder = tmp_path_factory.mktemp("saved")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tf.saved_model.save(net, str(folder), signatures=net.serve)
        return folder

    return make
