"""A SavedModel and a Keras file of an open size in other sizes: one row each, and what TensorFlow computes."""

import json
import warnings

import numpy as np
import pytest

from harness.cli.main import main
from harness.conversion import routes
from harness.conversion.facts import Facts, Order, Tensor
from harness.errors import ModelError
from harness.tflite.model import describe
from tests.support.interpreters import outputs_of


@pytest.fixture(scope="module")
def keras(tensorflow, tmp_path_factory):
    """Writes a Keras file of one convolution, for a fixed or an open size."""
    layers = tensorflow.keras.layers

    def make(size=None):
        model = tensorflow.keras.Sequential([layers.Input((size, size, 3)), layers.Conv2D(4, 3, 2, "same")])
        path = tmp_path_factory.mktemp("keras") / "net.keras"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.save(path)
        return path

    return make


def resize(source, folder, sizes, *options):
    args = ["resize", str(source), "--sizes", sizes, "--format", "json", "-o", str(folder), *options]
    with pytest.raises(SystemExit) as end:
        main(args)
    return end.value.code


@pytest.mark.tensorflow
def test_a_saved_model_computes_in_another_size_what_tensorflow_computes(saved, tensorflow, tmp_path, capsys):
    source = saved(size=None)
    assert resize(source, tmp_path / "sizes", "48x64", "--no-latency") == 0
    (row,) = json.loads(capsys.readouterr().out)
    (made,) = (tmp_path / "sizes").iterdir()
    assert (row["input"], describe(made).inputs[0].shape) == ("48x64", (1, 64, 48, 3))
    image = np.random.default_rng(0).uniform(-1, 1, (1, 64, 48, 3)).astype(np.float32)
    net = tensorflow.saved_model.load(str(source))
    (found,) = outputs_of(made, image)
    np.testing.assert_allclose(found, net.serve(image)["heads"], atol=1e-5)


@pytest.mark.tensorflow
def test_a_keras_file_is_timed_in_the_size_that_is_asked_for(keras, tmp_path, capsys):
    source = keras()
    assert resize(source, tmp_path / "sizes", "96", "--repetitions", "1") == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["input"], row["status"]) == ("96x96", "ok")
    assert describe(tmp_path / "sizes" / "net_96x96.tflite").inputs[0].shape == (1, 96, 96, 3)


@pytest.mark.tensorflow
def test_a_keras_file_of_a_fixed_size_is_refused_with_what_would_help(keras, tmp_path, capsys):
    source = keras(32)
    assert resize(source, tmp_path / "sizes", "96", "--no-latency") == 2
    error = capsys.readouterr().err
    assert (
        "input is 32×32 and cannot be 96×96: export it with an open size, such as Input((None, None, 3))"
        in error
    )
    assert not (tmp_path / "sizes").exists()


@pytest.mark.parametrize(
    ("resized", "says"),
    [(True, "export it with an open size"), (False, "`harness resize` makes other sizes")],
)
def test_what_helps_a_fixed_size_depends_on_who_asks(resized, says):
    order = Order(source="net", kind="keras", mode="float32", output="", size=(96, 96), resize=resized)
    image = Tensor("image", (1, 32, 32, 3), "float32")
    facts = Facts(inputs=(image,), outputs=("out",), n_nodes=1, fake_quant=(), postprocess=False)
    with pytest.raises(ModelError, match=says):
        routes.check_inputs(order, facts)
