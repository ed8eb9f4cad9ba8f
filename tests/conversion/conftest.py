"""Small TensorFlow graphs, and images to quantize with."""

import importlib.util
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.frozen_graphs import ssd_graph


@pytest.fixture(scope="session")
def tensorflow():
    """TensorFlow; skips where it is not installed."""
    if importlib.util.find_spec("tensorflow") is None:
        pytest.skip("tensorflow (extra `convert`) is not installed")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import tensorflow as tf
    return tf


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
