"""Damaged models through inspect and edit: our error or a sound result, soon. 100,000: `bench_fuzz_edit.py`.

Each edit reads its own result before it gives it back, so a result is a model that the reader accepts.
"""

import json
import random
import struct
import time

import pytest

from harness.edit.attach import attach, head_format
from harness.edit.cut import cut
from harness.edit.nms import NmsChange
from harness.edit.shapes import change_nms
from harness.errors import ModelError
from harness.tflite.inspect.model import inspect

CASES = 120
LIMIT_S = 5.0  # of this process: a loaded machine is no reason to fail
WORDS = (0, 1, 4, 0x7F, 0xFFFF, 0xFFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)


@pytest.fixture(scope="module")
def whole(make_detector, metadata_buffer, with_archive):
    """A small detector with everything that an edit reads: metadata, an archive, signatures, NMS."""
    network = make_detector(n_classes=2, size=(8, 8))
    network.metadata("TFLITE_METADATA", metadata_buffer([127.5], [127.5], "labels.txt"))
    return with_archive(network.bytes(), labels__txt="cat\ndog\n")


def damaged(data, rng):
    """Flip, overwrite or move words where offsets, lengths and small numbers stand, and sometimes cut the end."""
    result = bytearray(data)
    words = struct.unpack_from(f"<{len(data) // 4}I", data)
    places = [4 * k for k, word in enumerate(words) if 0 < word < len(data) or word > 0xFFFF0000]
    for _ in range(rng.choice((1, 1, 2, 4))):
        at = min(rng.choice(places) if rng.random() < 0.8 else rng.randrange(len(result)), len(result) - 4)
        way = rng.randrange(4)
        if way == 0:
            result[at + rng.randrange(4)] ^= 1 << rng.randrange(8)
        elif way == 1:
            struct.pack_into("<I", result, at, rng.choice(WORDS))
        elif way == 2:
            struct.pack_into("<I", result, at, rng.randrange(len(result)))
        else:
            result[at : at + 4] = data[(other := rng.choice(places)) : other + 4]
    if rng.random() < 0.1:
        del result[rng.randrange(8, len(result)) :]
    return bytes(result)


def set_nms(path, data):
    change_nms(data, NmsChange(regular=True, score_threshold=0.1, max_detections=33), path)


def cut_and_attach(path, data):
    found = cut(data, path)
    attach(found.data, found.anchors, head_format(found.decoder("a.npy"), path), path)


def look(path, data):
    json.dumps(inspect(path), allow_nan=False)


def test_damaged_models_give_our_error_or_a_sound_result_within_five_seconds(whole, tmp_path):
    path, outcomes = tmp_path / "model.tflite", {"ok": 0, "refused": 0}
    for case in range(CASES):
        data = damaged(whole, random.Random(f"edit/{case}"))
        path.write_bytes(data)
        for step in (look, set_nms if case % 2 else cut_and_attach):
            started = time.process_time()
            try:
                step(path, data)
                outcomes["ok"] += 1
            except ModelError:
                outcomes["refused"] += 1
            except BaseException as error:
                raise AssertionError(f"case {case}") from error
            assert time.process_time() - started < LIMIT_S, f"case {case}"
    assert min(outcomes.values()) > CASES // 10, outcomes
