"""How delegates are spelt."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.bench.engines.native.evaluation import DELEGATES as EVALUATED
from harness.delegates import KINDS, Delegate, Kind, available_cores, kind_in, parse_delegate
from harness.drivers.benchmark_tool.flags import EXTERNAL_OPTIONS, LIBRARIES, TABLES
from harness.drivers.benchmark_tool.truth import kind_of
from harness.errors import UnknownNameError, UsageError
from harness.tflite.support.predict import TABLES as SUPPORT
from harness.worker.operators import KERNELS

NAMES = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_.", min_size=1, max_size=20)
CANONICAL = st.one_of(
    st.builds("{}:{}".format, st.sampled_from(["cpu", "cpu-reference"]), st.integers(1, 256)),
    st.sampled_from(["gpu", "gpu:fp16", "gpu:fp32", "gpu:cl", "gpu:gl", "gpu:fp16:cl", "gpu:fp32:gl"]),
    st.sampled_from(
        [
            "nnapi",
            "hexagon",
            "npu",
            "npu:openvino",
            "npu:openvino:cpu",
            "qnn",
            "qnn:htp",
            "qnn:gpu",
            "edgetpu",
        ]
    ),
    st.builds("nnapi:{}".format, NAMES),
    st.builds("edgetpu:{}:{}".format, st.sampled_from(["usb", "pci"]), st.integers(0, 99)),
    st.builds("external:/{}/{}.so".format, NAMES, NAMES),
)


@settings(deadline=None)  # the machine may be busy
@given(CANONICAL)
def test_every_canonical_spelling_comes_back_unchanged(text: str) -> None:
    assert str(parse_delegate(text)) == text


@settings(deadline=None)  # the machine may be busy
@given(
    st.one_of(CANONICAL, st.text(max_size=30), st.builds("{}:{}".format, st.sampled_from([*KINDS]), NAMES))
)
def test_any_text_is_either_refused_in_words_or_means_the_same_when_read_again(text: str) -> None:
    with contextlib.suppress(UsageError):
        delegate = parse_delegate(text)
        assert parse_delegate(str(delegate)) == delegate


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("cpu", "cpu:1"), ("cpu-reference", "cpu-reference:1"), ("cpu:04", "cpu:4"), (" gpu ", "gpu"),
        ("gpu:cl:fp32", "gpu:fp32:cl"), ("edgetpu:usb", "edgetpu:usb:0"), ("edgetpu:pci:007", "edgetpu:pci:7"),
    ],
)  # fmt: skip
def test_two_spellings_of_one_thing_are_the_same_delegate(text: str, canonical: str) -> None:
    assert str(parse_delegate(text)) == canonical
    assert parse_delegate(text) == parse_delegate(canonical)


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("gpu:fp64", "gpu[:fp16|fp32][:cl|gl]"), ("gpu:fp16:fp32", "gpu[:fp16|fp32][:cl|gl]"),
        ("qnn:dsp", "qnn[:htp|gpu]"), ("hexagon:1", "hexagon"), ("external", "external:PATH"),
        ("npu:fast", "npu[:openvino[:cpu|gpu|npu]]"),
        ("external:", "external:PATH"),
        ("edgetpu:wifi", "edgetpu[:usb:N|pci:N]"), ("edgetpu:usb:x", "edgetpu[:usb:N|pci:N]"),
        ("edgetpu:usb:-1", "edgetpu[:usb:N|pci:N]"),
    ],
)  # fmt: skip
def test_a_misspelling_is_answered_with_the_expected_form(text: str, form: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_delegate(text)
    assert str(caught.value) == f"delegate {text!r}: expected the form {form}"


@pytest.mark.parametrize("threads", ["0", "257", "-1", "1.5", "many", "²"])
def test_a_number_of_threads_that_makes_no_sense_is_refused(threads: str) -> None:
    with pytest.raises(UsageError, match="expected a whole number from 1 to 256"):
        parse_delegate(f"cpu:{threads}")


def test_an_unknown_delegate_is_answered_with_a_near_miss() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown delegate 'hexagone'\. Did you mean hexagon\?"):
        parse_delegate("hexagone")


@pytest.mark.parametrize("kind", KINDS)
def test_every_delegate_of_the_table_can_be_parsed(kind: str) -> None:
    text = "external:lib.so" if kind == "external" else kind
    assert parse_delegate(text).kind == kind


def test_only_the_two_cpu_delegates_run_the_whole_graph_on_the_cpu() -> None:
    kinds = {kind for kind in KINDS if Delegate(kind).is_cpu}
    assert kinds == {"cpu", "cpu-reference"}


@pytest.mark.parametrize("kind", KINDS)
def test_every_delegate_can_be_asked_of_one_of_the_two_benchmark_models(kind: str) -> None:
    assert any(kind in {row[0] for row in table} for table in TABLES.values())


def test_every_table_beside_the_kinds_is_of_known_kinds() -> None:
    asked = {row[0] for table in TABLES.values() for row in table}
    tables = [asked, LIBRARIES, EXTERNAL_OPTIONS, EVALUATED, KERNELS, {table.delegate for table in SUPPORT}]
    assert set().union(*tables) <= set(KINDS)
    assert set(KERNELS) == {kind.name for kind in KINDS.values() if kind.on_cpu}


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_what_a_delegate_is_called_in_logs_is_read_as_what_ran(kind: Kind) -> None:
    assert {kind_of(f"TfLite{name.title()}Delegate") for name in kind.log_names} <= {kind.runs_as}
    assert kind.spelling.startswith(kind.name)


@pytest.mark.parametrize("kind", KINDS)
def test_the_kind_is_found_in_every_spelling_and_with_options(kind: str) -> None:
    assert {kind_in(kind), kind_in(f"{kind}:1"), kind_in(f"{kind}[a=b]")} == {kind}


def test_options_are_found_by_name_and_unknown_ones_are_none() -> None:
    delegate = parse_delegate("gpu:fp32")
    assert (delegate.option("precision"), delegate.option("backend")) == ("fp32", None)


def test_at_least_one_core_is_available() -> None:
    assert available_cores() >= 1
