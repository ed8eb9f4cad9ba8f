"""The example of every public function runs as it stands in its docstring, on the bundled models."""

import doctest
import importlib.util
import inspect
import subprocess
import sys

import pytest

import harness
from tests.support.paths import MODELS, REPOSITORY

FUNCTIONS = ("run", "load_results", "compare", "evaluate", "detect", "inspect", "quantize", "diagnose")
SAVED_MODEL = """
import numpy as np, tensorflow as tf

class Net(tf.Module):
    def __init__(self):
        self.weights = tf.Variable(np.full((3, 3, 3, 8), 0.01, np.float32))

    @tf.function(input_signature=[tf.TensorSpec([1, 32, 32, 3], tf.float32, name="image")])
    def serve(self, image):
        return {"found": tf.nn.conv2d(image, self.weights, 2, "SAME")}

net = Net()
tf.saved_model.save(net, "saved_model", signatures=net.serve)
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder such as a user has, with the bundled models; runs go to its `results/`."""
    (tmp_path / "devices").symlink_to(REPOSITORY / "devices")
    (tmp_path / "models").symlink_to(MODELS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def execute(name):
    """Run the example of a public function; a line that prints something else is a failure that shows both."""
    text = inspect.getdoc(getattr(harness, name))
    example = doctest.DocTestParser().get_doctest(text, {}, f"harness.{name}", None, None)
    assert len(example.examples) > 1, "an example and the import before it"
    said = []
    doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(example, out=said.append)
    assert said == [], "".join(said)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_example_of_a_public_function_runs(name, place):
    if name == "quantize":
        pytest.importorskip("litert_quantizer", reason="litert-quantizer (extra `quantize`) is not installed")
    execute(name)


@pytest.mark.tensorflow
def test_the_example_of_convert_runs(place):
    if importlib.util.find_spec("tensorflow") is None:
        pytest.skip("tensorflow (extra `convert`) is not installed")
    subprocess.run([sys.executable, "-c", SAVED_MODEL], check=True, timeout=200, capture_output=True)
    execute("convert")


def test_every_public_function_has_an_example_and_says_what_it_raises():
    functions = {name for name in harness.__all__ if inspect.isfunction(getattr(harness, name))}
    assert functions == {*FUNCTIONS, "convert"}
    for name in functions:
        text = inspect.getdoc(getattr(harness, name))
        assert [part in text for part in ("Args:\n", "Returns:\n", "Raises:\n", "Example:\n")] == [
            True
        ] * 4, name
