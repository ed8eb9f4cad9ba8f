"""Quantizing with named layers left in float."""

import pytest

from harness.bench.observer import Silent
from harness.errors import UsageError
from harness.quantization.modes import find_mode
from harness.quantization.representative import find_representative
from harness.quantization.workflow import Job, quantize
from harness.tflite.model import load


class Steps:
    """Is told how far it is, and says nothing."""

    def update(self, done, total, text):
        pass


@pytest.fixture
def job(shapes, training_images, tmp_path, quantizer):
    def make(*patterns):
        return Job(
            model=shapes,
            mode=find_mode("int8"),
            representative=find_representative(training_images),
            output=tmp_path / "made.tflite",
            keep_float=patterns,
        )

    return make


def types(path):
    """Return each computing operator's output name → its type."""
    _, graph = load(path)
    tensors = graph.primary.tensors
    return {
        tensors[o.outputs[0]].name: tensors[o.outputs[0]].dtype
        for o in graph.primary.operators
        if o.name in {"CONV_2D", "DEPTHWISE_CONV_2D"}
    }


def test_the_named_layers_stay_float_and_the_others_do_not(job):
    quantize(job("class0_1/BiasAdd"), Steps(), Silent())
    found = types(job().output)
    kept = {name for name, dtype in found.items() if dtype == "float32"}
    assert len(kept) == 1 and "class0_1/BiasAdd" in kept.pop()
    assert list(found.values()).count("int8") == len(found) - 1


@pytest.mark.parametrize(
    ("pattern", "text"), [("no/such/layer", "no tensor"), ("(", "not a regular expression")]
)
def test_a_pattern_that_finds_nothing_is_refused(job, pattern, text):
    with pytest.raises(UsageError, match=text):
        quantize(job(pattern), Steps(), Silent())
