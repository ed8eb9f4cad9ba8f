"""Without a float model: what the file and the labels alone can tell."""

from dataclasses import replace

import pytest

from tests.support.examining import examined
from tests.support.faults import library

NAMED = {
    "not_normalized": "likely",
    "swapped_outputs": "likely",
    "integer_outputs": "likely",
    "joined_heads": "possible",
    "per_tensor": "possible",
    "half_overflows": "possible",
    "pixels_calibrate": "possible",
}


@pytest.mark.parametrize("name", NAMED)
def test_the_cause_is_named_as_surely_as_the_file_alone_allows(workshop, scenes, name):
    fault = replace(library.BUNDLED[name](workshop), reference=None)
    found = {one.cause: one for one in examined(fault, 30, scenes=scenes).diagnosis.findings}
    assert fault.causes[0] in found
    assert found[fault.causes[0]].confidence == NAMED[name]


@pytest.mark.parametrize("name", ["full-integer", "requantized"])
def test_of_a_healthy_model_nothing_is_claimed(workshop, scenes, name):
    fault = replace(library.HEALTHY[name](workshop), reference=None)
    assert not [
        one for one in examined(fault, 30, scenes=scenes).diagnosis.findings if one.confidence != "possible"
    ]
