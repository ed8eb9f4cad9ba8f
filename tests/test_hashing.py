"""Hashes of files are those of their bytes, however many these are."""

import hashlib

from harness.hashing import hash_file


def test_a_file_of_several_chunks_has_the_hash_of_all_its_bytes(tmp_path):
    data = bytes(range(256)) * (3 << 12) + b"end"
    path = tmp_path / "data"
    path.write_bytes(data)
    assert hash_file(path) == hashlib.sha256(data).hexdigest()
    assert hash_file(path, "md5") == hashlib.md5(data, usedforsecurity=False).hexdigest()
