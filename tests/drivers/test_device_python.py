"""The Python on a device, and whether our worker can run with it."""

import pytest

from harness.drivers.device_python import DevicePython

ALL = {"ai-edge-litert": "2.3", "numpy": "2", "msgspec": "1", "pillow": "11"}


@pytest.mark.parametrize(
    ("version", "lacks", "accuracy", "reason"),
    [
        ((3, 11, 2), (), True, None),
        ((3, 10, 0), (), False, None),
        ((3, 9, 9), (), False, "its Python is 3.9.9, 3.10 or later is needed"),
        (None, (), False, "no Python was found"),
        ((3, 12), ("ai-edge-litert",), False, "its Python lacks ai-edge-litert (or tflite-runtime)"),
        ((3, 12), ("pillow",), False, None),
        ((3, 12), ("pillow", "numpy"), True, "its Python lacks numpy, pillow"),
    ],
)
def test_a_python_that_cannot_run_our_worker_says_what_it_lacks(version, lacks, accuracy, reason):
    python = DevicePython(version, {name: v for name, v in ALL.items() if name not in lacks})
    assert python.why_unusable(accuracy=accuracy) == reason
