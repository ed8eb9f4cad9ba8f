"""Operators that a runtime lacks are named before anything runs."""

import subprocess
import sys

import pytest

from harness.errors import ModelError
from harness.tflite.model import describe
from harness.tflite.runnable import (
    BUILTIN_CUSTOM_OPERATORS,
    RUNTIME_CUSTOM_OPERATORS,
    check_runnable,
)

ASK = """
import sys
from ai_edge_litert.interpreter import Interpreter, OpResolverType
Interpreter(
    sys.argv[1], experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
).allocate_tensors()
"""


@pytest.fixture
def with_operator(make_network, write_model):
    def make(*names):
        network = make_network()
        last = network.input([1, 4])
        for name in names:
            last = network.operator(name, [last], [network.tensor(name, [1, 4])])
        network.graph.outputs = [last]
        return write_model(network)

    return make


@pytest.mark.parametrize(
    "name", [*sorted(BUILTIN_CUSTOM_OPERATORS - {"TFLite_Detection_PostProcess"}), "Unheard"]
)
def test_the_list_of_known_operators_is_what_the_interpreter_says(with_operator, name):
    pytest.importorskip("ai_edge_litert.interpreter", reason="ai-edge-litert is not installed")
    # An operator that is registered fails otherwise (most crash without their options), hence the other process.
    asked = subprocess.run(
        [sys.executable, "-c", ASK, str(with_operator(name))], capture_output=True, text=True, check=False
    )
    assert asked.returncode != 0
    assert ("unresolved custom op" in asked.stderr) == (name not in RUNTIME_CUSTOM_OPERATORS)


def test_real_models_are_runnable(shared_models):
    for path in shared_models:
        check_runnable(describe(path))


def test_an_edge_tpu_model_needs_the_edge_tpu(with_operator):
    description = describe(with_operator("edgetpu-custom-op"))
    with pytest.raises(ModelError, match=r"compiled for the Edge TPU.*--delegate edgetpu"):
        check_runnable(description)
    check_runnable(description, RUNTIME_CUSTOM_OPERATORS | {"edgetpu-custom-op"})


def test_flex_operators_need_the_flex_delegate(with_operator):
    with pytest.raises(ModelError, match=r"FlexErf, FlexRoll need TensorFlow's flex delegate"):
        check_runnable(describe(with_operator("FlexErf", "FlexRoll")))


def test_other_custom_operators_are_named(with_operator):
    with pytest.raises(ModelError, match="unknown custom operators 'MyNms'"):
        check_runnable(describe(with_operator("MyNms")))


def test_all_that_is_missing_is_said_at_once(with_operator):
    with pytest.raises(ModelError) as caught:
        check_runnable(describe(with_operator("edgetpu-custom-op", "FlexErf", "MyNms")))
    assert all(
        word in str(caught.value) for word in ("edgetpu-custom-op", "FlexErf", "MyNms", "model.tflite")
    )


def test_an_operator_newer_than_the_schema_is_named(make_network, write_model):
    network = make_network()
    network.graph.outputs = [network.logistic(network.input([1, 4]))]
    network.model.operatorCodes[0].builtinCode = 9999
    with pytest.raises(ModelError, match="BUILTIN_9999 are newer"):
        check_runnable(describe(write_model(network)))
