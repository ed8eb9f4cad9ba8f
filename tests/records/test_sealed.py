"""A checksum over the rest of a JSON file: every flipped bit of what the file says is noticed."""

import json

import msgspec
import pytest

from harness.errors import RecordError
from harness.records import records
from harness.records.records import RunFacts
from harness.records.sealed import is_intact, lay_out, seal

FACTS = {
    "name": "Bjørn’s run\n",
    "figure": 0.1,
    "large": 1e22,
    "whole": 2**62,
    "none": None,
    "list": [1, -0.0],
}


def test_every_flipped_bit_is_noticed_or_changes_nothing_that_the_file_says():
    whole = seal(lay_out(FACTS))
    unnoticed = []
    for at in range(8 * len(whole)):
        data = bytearray(whole)
        data[at // 8] ^= 1 << at % 8
        try:
            if is_intact(data):
                unnoticed.append(json.loads(bytes(data).decode()))
        except (msgspec.MsgspecError, ValueError):  # no JSON any more
            continue
    assert all({key: found[key] for key in FACTS} == FACTS for found in unnoticed)
    assert len(unnoticed) < 100  # bits of blanks, and of the checksum's own name


def test_a_tool_that_lays_a_file_out_anew_does_it_no_harm():
    document = json.loads(seal(lay_out(FACTS)))
    assert all(is_intact(json.dumps(document, indent=indent).encode()) for indent in (None, 4))
    document["figure"] = 0.2
    assert not is_intact(json.dumps(document).encode())


@pytest.mark.parametrize("older", [b"{}", b'{"format": 1}', b'{"a": {"crc32": 3}}', b'["crc32"]'])
def test_a_file_without_a_checksum_is_taken_as_it_is(older):
    assert is_intact(older)


def test_a_fact_that_was_changed_on_the_disk_is_a_record_error(tmp_path):
    path = tmp_path / "run.json"
    records.save(path, RunFacts(format=1, run_id="a", started_at="now", harness_version="1"))
    assert records.load(path, RunFacts).run_id == "a"
    path.write_bytes(path.read_bytes().replace(b'"now"', b'"not"'))
    with pytest.raises(RecordError, match=r"run\.json: damaged since it was written"):
        records.load(path, RunFacts)
