"""`--delegate npu:openvino` on this computer: LiteRT's real NPU path, here on OpenVINO's CPU."""

from dataclasses import replace

import pytest

from harness.delegates import parse_delegate
from harness.drivers.checkup.host import check_npu
from harness.drivers.local_npu import find_npu, why_unavailable
from harness.session import carry_out

pytest.importorskip("openvino", reason="openvino is not installed")
OTHER_KERNELS = 0.02


@pytest.fixture
def run(prepared, recorder, quick):
    """Run a model over a few images and return the records."""

    def measure(*delegates, accuracy=False):
        settings = replace(quick, accuracy=accuracy, limit=12)
        asked = prepared(models=("shapes-float32",), delegates=delegates, settings=settings, repetitions=1)
        return carry_out(asked, recorder).records

    return measure


def test_a_plugin_that_was_applied_is_the_npu_path_with_what_it_left(run):
    on_cpu, on_npu = run("cpu:1", "npu:openvino:cpu", accuracy=True)
    assert (on_npu.status, on_npu.delegate.actual, on_npu.delegate.hardware) == (
        "partial",
        "npu",
        "OpenVINO CPU",
    )
    assert (on_npu.delegate.delegated_nodes, on_npu.delegate.total_nodes) == (54, 55)
    assert "left to the CPU: CUSTOM" in on_npu.reasons[0]
    maps = [record.accuracy.figures.map for record in (on_cpu, on_npu)]
    assert maps[1] == pytest.approx(maps[0], abs=OTHER_KERNELS)


def test_a_device_that_is_not_there_is_a_fallback_though_no_exception_came(run):
    (record,) = run("npu:openvino")
    if record.delegate.actual == "npu":
        pytest.skip("this computer has an NPU of Intel's")
    assert record.status == "fallback" and record.delegate.actual == "xnnpack"
    assert "LiteRT applied no compiler plugin: Cannot load library" in record.reasons[0]


def test_what_openvino_needs_is_told_before_a_run():
    assert find_npu().version and why_unavailable(parse_delegate("npu:openvino")) is None
    assert check_npu().found == f"OpenVINO {find_npu().version}"
    assert "write npu:openvino" in why_unavailable(parse_delegate("npu"))
