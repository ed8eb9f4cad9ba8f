"""The job that the native worker is sent, and the frames that it answers with."""

import contextlib
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.native.job import Cut, Setup, escape, infer_command, input_file, time_command, unescape
from harness.native.protocol import (
    Accelerator,
    Done,
    Failure,
    FrameReader,
    Hello,
    ProtocolError,
    stage_lines,
)


def frame(kind, payload):
    return kind + struct.pack("<I", len(payload)) + payload


def read(*frames):
    return list(FrameReader().feed(b"".join(frames)))


def test_a_setup_states_only_what_is_set_and_ends_with_compile():
    setup = Setup("/data/my libs/libLiteRt.so", "/m.tflite", "gpu", 4, precision="fp32")
    assert setup.lines() == (
        b"harness-worker 1\nlibrary /data/my libs/libLiteRt.so\nmodel /m.tflite\naccelerator gpu\n"
        b"option xnnpack num_threads = 4\\n\noption gpu_options precision = 2\\n\ncompile\n"
    )


def test_an_option_of_several_lines_stands_on_one():
    lines = Setup("/l", "/m", kernels="builtin").lines()
    assert b'option xnnpack num_threads = 1\\nkernel_mode = "builtin"\\n\n' in lines


@pytest.mark.parametrize("path", ["/a\nb", "/" + "x" * 5000, "/a\0b"])
def test_a_path_that_cannot_stand_on_a_line_is_refused_before_it_is_sent(path):
    with pytest.raises(UsageError, match="line break or is longer"):
        Setup(path, "/m").lines()
    with pytest.raises(UsageError):
        input_file(0, 1, path)


@given(st.text())
def test_every_text_survives_its_way_on_one_line(text):
    assert unescape(escape(text)) == text and "\n" not in escape(text)


def test_commands_state_how_many_bytes_follow():
    assert infer_command(7, np.arange(3, dtype=np.int16)) == b"infer 7 raw 6\n\0\0\1\0\2\0"
    assert infer_command(0, np.zeros((1, 2), np.uint8), mapped=True) == b"infer 0 mapped 2\n\0\0"
    assert time_command(50, 1.5, 60, hold=True) == b"time 50 1.500000 60.000000 hold\n"


def test_a_threshold_is_sent_to_the_last_bit():
    assert Cut(1, 1, 0, 90, 0.1, ((0, 1),)).line() == b"cut 1 1 0 90 0x1.999999999999ap-4 0:1\n"


def test_the_first_word_and_the_compiled_model_are_read():
    hello, info = read(
        frame(b"HELO", b"protocol 1\nbuild ab12\nabi arm64\nos android\npid 77\n"),
        frame(
            b"INFO",
            b"library /l\ninterface 2.3\ninit_ns 12\nmemory_before_bytes 4096\naccelerator Cpu Accelerator 1 1.0.0\n"
            b"fully_accelerated 1\nsignature <placeholder>\noperators 64\n",
        ),
    )
    assert hello == Hello("ab12", "arm64", "android", 77)
    assert info.accelerators == (Accelerator("Cpu Accelerator", 1, "1.0.0"),)
    assert (info.fully_accelerated, info.non_cpu_fully_accelerated, info.operators) == (True, None, 64)


def test_another_protocol_is_refused_by_its_number():
    with pytest.raises(ProtocolError, match="speaks protocol 2, expected 1"):
        read(frame(b"HELO", b"protocol 2\nbuild a\nabi arm64\nos linux\npid 1\n"))


def test_a_tensors_name_may_hold_anything():
    (tensor,) = read(
        frame(
            b"TENS",
            b"side output\nindex 2\ntensor 7\nname a:0 \\\\ \\n b\ndtype uint8\nshape 1,300,4\n"
            b"scale 0.0078125\nzero_point 128\nbytes 1200\nbuffer 1\n",
        )
    )
    assert (tensor.name, tensor.shape, tensor.scale, tensor.zero_point) == (
        "a:0 \\ \n b",
        (1, 300, 4),
        0.0078125,
        128,
    )


def test_what_the_machine_does_not_say_is_none():
    unknown = -(2**63)
    (state,) = read(
        frame(
            b"STAT",
            struct.pack("<12q", 5, 6, unknown, 7, unknown, 1800000, 41500, 2, 41500, 30000, 1, 1800000),
        )
    )
    assert (state.peak_bytes, state.busy_ns, state.celsius, state.mhz) == (None, None, 41.5, 1800.0)
    assert (state.zones_celsius, state.clocks_mhz) == ((41.5, 30.0), (1800.0,))


def test_samples_are_starts_and_durations():
    (samples,) = read(frame(b"SAMP", struct.pack("<6q", 10, 2, 100, 200, 7, 8)))
    assert samples.first == 10
    assert (samples.starts_ns.tolist(), samples.durations_ns.tolist()) == ([100, 200], [7, 8])


def test_rows_that_were_cut_come_with_their_places():
    whole = struct.pack("<IBBH1iQf", 3, 1, 1, 0, 1, 4, 10.0)
    rows = struct.pack("<IBBH2iQ", 0, 9, 2, 0, 2, 3, 6) + bytes([1, 2, 3, 255, 254, 253])
    (outputs,) = read(frame(b"OUTP", struct.pack("<qqII2I", 9, 1234, 2, 2, 5, 8) + rows + whole))
    assert (outputs.number, outputs.duration_ns, outputs.rows.tolist()) == (9, 1234, [5, 8])
    assert outputs.tensors[0].tolist() == [[1, 2, 3], [-1, -2, -3]]
    assert outputs.tensors[3].tolist() == [10.0]


def test_a_failure_says_what_was_refused():
    (failure,) = read(frame(b"FAIL", b"reason compile\nmessage no adapter\nfunction LiteRtX\nstatus 3\n"))
    assert failure == Failure("compile", "no adapter", "LiteRtX", 3, None)


def test_frames_are_read_from_any_pieces():
    stream = frame(b"DONE", b"compile") + frame(b"TEXT", "ä".encode()) + frame(b"DONE", b"end")
    reader = FrameReader()
    answers = [answer for byte in stream for answer in reader.feed(bytes([byte]))]
    assert answers[0] == Done("compile") and answers[-1] == Done("end") and reader.is_between_frames


@pytest.mark.parametrize("n", [1, 4, 7, 8, 14])
def test_a_stream_that_is_cut_off_is_no_whole_answer(n):
    reader = FrameReader()
    assert list(reader.feed(frame(b"DONE", b"compile")[:n])) == [] and not reader.is_between_frames


@pytest.mark.parametrize(
    "junk",
    [
        b"/system/bin/sh: not found\n",
        frame(b"SAMP", b"\0" * 17),
        frame(b"SAMP", struct.pack("<2q", 0, 5)),
        frame(b"OUTP", struct.pack("<qqII", 1, 1, 4000, 0xFFFFFFFF)),
        frame(b"STAT", struct.pack("<8q", 0, 0, 0, 0, 0, 0, 0, 99)),
        frame(b"FAIL", b""),
        b"DONE\xff\xff\xff\xff",
    ],
)
def test_what_is_no_answer_is_refused_with_what_came(junk):
    with pytest.raises(ProtocolError, match="worker on the device"):
        read(junk)


@given(
    st.binary(max_size=200), st.sampled_from([b"INFO", b"TENS", b"STAT", b"SAMP", b"OUTP", b"FAIL", b"HELO"])
)
def test_any_bytes_of_a_frame_are_an_answer_or_refused(payload, kind):
    with contextlib.suppress(ProtocolError):
        assert len(read(frame(kind, payload))) == 1


def test_the_log_is_divided_by_the_workers_marks():
    log = "a\nondevice-harness: stage compile\nINFO: b\nc\nondevice-harness: stage compiled\nd\n"
    assert stage_lines(log, "compile") == ["INFO: b", "c"] and stage_lines(log, "compiled") == ["d"]
