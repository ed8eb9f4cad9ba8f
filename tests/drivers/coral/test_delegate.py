"""The delegate `edgetpu` on this computer: what is in its way."""

from harness.delegates import parse_delegate
from harness.drivers.coral.delegate import why_mismatched, why_unavailable


def test_edgetpu_is_refused_in_advance_with_the_reason(computer):
    assert "is not installed" in why_unavailable(parse_delegate("edgetpu"))
    computer.library()
    assert "no Edge TPU is attached" in why_unavailable(parse_delegate("edgetpu"))
    computer.usb("2-1")
    assert why_unavailable(parse_delegate("edgetpu")) is None
    assert why_unavailable(parse_delegate("edgetpu:usb:0")) is None
    assert why_unavailable(parse_delegate("edgetpu:usb:1")) == "there is no Edge TPU usb:1, only usb:0"
    assert "only usb:0" in why_unavailable(parse_delegate("edgetpu:pci:0"))


def test_a_model_and_a_delegate_that_do_not_go_together_are_told_apart():
    edgetpu, cpu = parse_delegate("edgetpu"), parse_delegate("cpu:2")
    assert "`harness edgetpu compile m.tflite`" in why_mismatched("m.tflite", False, edgetpu)
    assert "use the file it was made from" in why_mismatched("m_edgetpu.tflite", True, cpu)
    assert why_mismatched("m_edgetpu.tflite", True, edgetpu) is None
    assert why_mismatched("m.tflite", False, cpu) is None
    assert why_mismatched("m.tflite", False, parse_delegate("external:x.so")) is None
