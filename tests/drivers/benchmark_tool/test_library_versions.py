"""The libraries beside the tool: their hashes and versions, and a mix of versions."""

import hashlib

import pytest

from harness.drivers.benchmark_tool.library_versions import describe_libraries, mixed_versions

# As they stand in the libraries of Qualcomm's SDK 2.51, among other bytes.
TEXTS = {
    "libQnnHtp.so": b"\x7fELF\0AISW_VERSION: 2.51.0\0v2.51.0.260929181845\0",
    "libQnnSaver.so": b"\x7fELF\0v2.51.0.260929181845\0",
    "libQnnSystem.so": b"\x7fELF\0no version in here\0",
}


@pytest.fixture
def folder(tmp_path):
    for name, data in TEXTS.items():
        (tmp_path / name).write_bytes(data)
    return tmp_path


def test_each_library_has_its_hash_and_the_version_that_it_states(folder):
    found = describe_libraries(folder.iterdir())
    assert [library.name for library in found] == sorted(TEXTS)
    assert [library.version for library in found] == ["2.51.0", "2.51.0", None]
    assert found[0].sha256 == hashlib.sha256(TEXTS["libQnnHtp.so"]).hexdigest()
    assert mixed_versions(found) is None


def test_a_mix_of_versions_is_named_with_the_files_of_each(folder):
    (folder / "libQnnHtpV73Stub.so").write_bytes(b"\0v2.26.0.240828122328_97520\0")
    (folder / "libQnnHtpV75Stub.so").write_bytes(b"\0AISW_VERSION: 2.26.0\0")
    words = mixed_versions(describe_libraries(folder.iterdir()))
    assert (
        "libQnnHtpV73Stub.so, libQnnHtpV75Stub.so of 2.26.0; libQnnHtp.so, libQnnSaver.so of 2.51.0" in words
    )
    assert "one SDK" in words


def test_a_library_that_is_gone_is_left_out(folder):
    assert describe_libraries([folder / "gone.so"]) == ()
