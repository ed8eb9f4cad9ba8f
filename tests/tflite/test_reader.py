"""Whatever the bytes are, a sound model is read and anything else is a ModelError, soon."""

import contextlib
import os
import struct
import time

import flatbuffers
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import ModelError
from harness.recognize.card import infer_card
from harness.tflite.model import describe
from harness.tflite.reader import MAX_TABLES, read_bytes, read_graph
from harness.tflite.runnable import check_runnable

s = pytest.importorskip("ai_edge_litert.schema_py_generated", reason="ai-edge-litert is not installed")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ModelError, match=r"absent\.tflite: no such model file"):
        describe(tmp_path / "absent.tflite")


def test_a_folder_is_not_a_model(tmp_path):
    with pytest.raises(ModelError, match=r"found a folder, expected a \.tflite file"):
        describe(tmp_path)


def test_a_device_is_not_read(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(ModelError, match="found a device"):
        describe(pipe)


def test_an_unreadable_file_says_why(write_model, monkeypatch):
    path = write_model(b"x")

    def refuse(_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("harness.tflite.reader.content_of", refuse)
    with pytest.raises(ModelError, match="cannot be read \\(Permission denied\\)"):
        describe(path)


def test_an_empty_file_is_said_to_be_empty(write_model):
    with pytest.raises(ModelError, match="the file is empty"):
        describe(write_model(b""))


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        (b"PK\x03\x04" + bytes(60), "zip archive"),
        (b"\x1f\x8b" + bytes(60), "gzip"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
        (b"<!DOCTYPE html><html></html>", "web page"),
        (b"\x89HDF\r\n\x1a\n" + bytes(60), "Keras"),
        (b"TFL3", "found b'' at offset 4 of 4 bytes, expected b'TFL3'"),
        (bytes(64), "give a .tflite file"),
    ],
)
def test_other_files_are_refused_with_what_they_look_like(write_model, content, hint):
    with pytest.raises(ModelError) as caught:
        describe(write_model(content))
    assert hint in str(caught.value)
    assert "not a TFLite model" in str(caught.value)


@pytest.mark.parametrize("offset", [0, 1, 7, 8, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
def test_absurd_root_offsets_are_damage(write_model, offset):
    with pytest.raises(ModelError, match="damaged or incomplete"):
        describe(write_model(struct.pack("<I", offset) + b"TFL3" + bytes(24)))


@pytest.fixture(scope="module")
def sound(make_detector):
    """A model whose parts the reader all looks at, with metadata."""
    network = make_detector(n_classes=3, stored="float16")
    network.metadata("TFLITE_METADATA", b"\x00" * 32)
    return network.bytes()


@pytest.mark.parametrize("share", [0.01, 0.3, 0.5, 0.9, 0.99])
def test_a_download_that_was_cut_off_is_damage(write_model, sound, share):
    with pytest.raises(ModelError, match="damaged or incomplete"):
        describe(write_model(sound[: int(share * len(sound))]))


def test_real_models_that_were_cut_off_are_damage(shared_models, write_model):
    for path in shared_models:
        data = path.read_bytes()
        with pytest.raises(ModelError):
            describe(write_model(data[: len(data) // 2]))


def change(data, edit):
    """Return the model after `edit(ModelT)`."""
    model = s.ModelT.InitFromObj(s.Model.GetRootAs(data, 0))
    edit(model)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda m: m.__setattr__("version", 2), "found schema version 2, expected 3"),
        (lambda m: m.metadata[0].__setattr__("buffer", 500), "found buffer 500"),
        (lambda m: m.subgraphs.clear(), "found no subgraph"),
        (lambda m: m.subgraphs[0].__setattr__("outputs", [99999]), "found tensor index 99999, expected 0…"),
        (lambda m: m.subgraphs[0].__setattr__("inputs", [-1]), "found tensor index -1"),
        (lambda m: m.subgraphs[0].operators[0].__setattr__("opcodeIndex", 77), "found operator code 77"),
        (lambda m: m.subgraphs[0].tensors[0].__setattr__("buffer", 4000), "found buffer 4000"),
        (lambda m: m.subgraphs[0].tensors[0].__setattr__("shape", [1] * 40), "40 dimensions"),
        (lambda m: m.subgraphs[0].tensors[1].__setattr__("shape", [10**6]), "expected 2000000"),
    ],
)
def test_parts_that_contradict_each_other_are_named(write_model, sound, edit, message):
    with pytest.raises(ModelError) as caught:
        describe(write_model(change(sound, edit)))
    assert message in str(caught.value)


@pytest.mark.parametrize("options", [b"", b"\x01", b"\xff" * 40, b"\x00" * 70_000, b"\x05\x01\x02"])
def test_damaged_postprocess_options_are_a_model_error(write_model, sound, options):
    def edit(model):
        model.subgraphs[0].operators[-1].customOptions = list(options)

    with pytest.raises(ModelError):
        describe(write_model(change(sound, edit)))


def shared_parts(n):
    """Return a small file that lists the same tensor `n` times."""
    builder = flatbuffers.Builder(1024)
    name = builder.CreateString("x" * 1000)
    s.TensorStart(builder)
    s.TensorAddName(builder, name)
    tensor = s.TensorEnd(builder)
    s.SubGraphStartTensorsVector(builder, n)
    for _ in range(n):
        builder.PrependUOffsetTRelative(tensor)
    tensors = builder.EndVector()
    s.SubGraphStart(builder)
    s.SubGraphAddTensors(builder, tensors)
    subgraph = s.SubGraphEnd(builder)
    s.ModelStartSubgraphsVector(builder, 1)
    builder.PrependUOffsetTRelative(subgraph)
    subgraphs = builder.EndVector()
    s.BufferStart(builder)
    buffer = s.BufferEnd(builder)
    s.ModelStartBuffersVector(builder, 1)
    builder.PrependUOffsetTRelative(buffer)
    buffers = builder.EndVector()
    s.ModelStart(builder)
    s.ModelAddVersion(builder, 3)
    s.ModelAddSubgraphs(builder, subgraphs)
    s.ModelAddBuffers(builder, buffers)
    builder.Finish(s.ModelEnd(builder), b"TFL3")
    return bytes(builder.Output())


@pytest.mark.parametrize(
    ("n", "message"), [(MAX_TABLES + 1, "parts"), (20_000, "parts"), (MAX_TABLES * 8, "parts")]
)
def test_a_part_that_is_shared_a_thousand_times_costs_no_time(write_model, n, message):
    path = write_model(shared_parts(n))
    started = time.monotonic()
    with pytest.raises(ModelError, match=message):
        describe(path)
    assert time.monotonic() - started < 60


def test_a_long_name_that_is_shared_costs_no_memory(write_model):
    path = write_model(shared_parts(20_000) + bytes(200_000))
    with pytest.raises(ModelError, match="together larger"):
        describe(path)


def ask_everything(path):
    """Ask all that the reader offers; only ModelError is caught."""
    started = time.monotonic()
    for step in (describe, infer_card, lambda p: check_runnable(describe(p))):
        with contextlib.suppress(ModelError):
            step(path)
    assert time.monotonic() - started < 60


@st.composite
def damage(draw):
    """Draw one to six changes: (where, how, value), places as shares of the file."""
    place = st.floats(0, 1, exclude_max=True)
    how = st.sampled_from(["flip", "word", "copy", "cut", "grow"])
    return draw(st.lists(st.tuples(place, how, st.integers(0, 2**32 - 1)), min_size=1, max_size=6))


def apply(data, changes):
    result = bytearray(data)
    for place, how, value in changes:
        at = int(place * max(len(result) - 4, 1))
        if how == "flip":
            result[at] ^= 1 << (value % 8)
        elif how == "word":
            struct.pack_into("<I", result, at // 4 * 4, value)
        elif how == "copy":
            start = value % len(data)
            result[at : at + 32] = data[start : start + 32]
        elif how == "grow":
            result[at:at] = value.to_bytes(4, "little")
        elif at > 16:
            del result[at:]
        if len(result) < 16:
            break
    return bytes(result)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=damage())
def test_damaged_models_are_read_or_refused(sound, tmp_path, changes):
    path = tmp_path / "damaged.tflite"
    path.write_bytes(apply(sound, changes))
    ask_everything(path)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=400))
def test_random_bytes_behind_the_magic_are_read_or_refused(tmp_path, content):
    path = tmp_path / "random.tflite"
    path.write_bytes(b"\x10\x00\x00\x00TFL3" + content)
    ask_everything(path)


def test_a_damaged_real_model_is_read_or_refused(shared_data, tmp_path):
    data = (shared_data / "models" / "yolov5n-int8.tflite").read_bytes()
    path = tmp_path / "damaged.tflite"
    for i in range(24):
        end = len(data) - 4 * (i * 997 % 20_000) - 4
        path.write_bytes(data[:end] + struct.pack("<I", (i * 2654435761) % 2**32) + data[end + 4 :])
        ask_everything(path)


def test_the_graph_keeps_what_later_work_needs(write_model, sound):
    path = write_model(sound)
    graph = read_graph(read_bytes(path), path)
    conv = next(operator for operator in graph.primary.operators if operator.name == "CONV_2D")
    bias = graph.primary.tensors[conv.inputs[2]]
    assert len(graph.data(bias)) == 4 * bias.n_elements
    assert graph.primary.producers()[conv.outputs[0]] is conv
    assert graph.metadata == {"TFLITE_METADATA": b"\x00" * 32}
