"""Samples on disk: what was written is what is read, in NumPy's file format and no other type."""

import io

import numpy as np
import pytest

from harness.errors import RecordError
from harness.records.samples import SAMPLE, load_samples, make_samples, to_bytes


@pytest.mark.parametrize("n", [0, 1, 7, 1000])
def test_samples_come_back_as_they_were_and_as_numpy_reads_them(tmp_path, n):
    file = tmp_path / "process-0.npy"
    samples = make_samples(np.arange(n) * 10, np.arange(n) + 5, 3)
    file.write_bytes(to_bytes(samples))
    assert np.array_equal(load_samples(file), samples) and np.array_equal(np.load(file), samples)
    assert load_samples(file).flags.writeable


def test_another_version_of_the_format_is_read_as_well(tmp_path):
    samples, buffer = make_samples([0, 10], [5, 6], 1), io.BytesIO()
    np.lib.format.write_array(buffer, samples, version=(2, 0))
    (tmp_path / "a.npy").write_bytes(buffer.getvalue())
    assert np.array_equal(load_samples(tmp_path / "a.npy"), samples)


@pytest.mark.parametrize("cut", [0, 5, 100, -1])
def test_a_file_that_was_cut_off_is_refused(tmp_path, cut):
    (tmp_path / "a.npy").write_bytes(to_bytes(make_samples([0, 10], [5, 6], 1))[:cut])
    with pytest.raises(RecordError, match="cannot be read"):
        load_samples(tmp_path / "a.npy")


def test_another_type_is_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros(3))
    with pytest.raises(RecordError, match=str(SAMPLE)[:8].replace("[", r"\[").replace("(", r"\(")):
        load_samples(tmp_path / "a.npy")


def test_a_file_larger_than_one_read_is_read_whole(tmp_path):
    n = 3 * 2**16 // SAMPLE.itemsize
    (tmp_path / "a.npy").write_bytes(to_bytes(make_samples(np.arange(n), np.arange(n), 1)))
    assert load_samples(tmp_path / "a.npy")["duration_ns"].tolist() == list(range(n))
