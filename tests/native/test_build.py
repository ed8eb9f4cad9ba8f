"""The native worker as it is built: what its programs ask of a phone, their size, and that they are made alike."""

import json
import shutil
import subprocess

import pytest

from harness.errors import JobError
from harness.native.build import TARGETS, build
from harness.native.programs import LIST, SOURCE, NoProgramError, find_program, source_hash
from tests.support.elf import RPATH, RUNPATH, read_elf

MACHINES = {"arm64": 183, "x86_64": 62}
PAGE = 16384
ANDROID = [target for target in TARGETS if target.system == "android"]
ANDROID_SYMBOLS = {
    tuple(line.split())
    for line in (SOURCE / "android_symbols.txt").read_text("utf-8").splitlines()
    if not line.startswith("#")
}


@pytest.fixture(params=TARGETS, ids=lambda target: target.name)
def target(request):
    return request.param


@pytest.fixture
def elf(programs, target):
    return read_elf(programs / f"harness-worker-{target.name}")


def test_a_program_is_for_its_processor_and_begins_with_its_systems_linker(elf, target):
    linkers = {
        "linux-arm64": "/lib/ld-linux-aarch64.so.1",
        "linux-x86_64": "/lib64/ld-linux-x86-64.so.2",
    }
    assert elf.machine == MACHINES[target.abi]
    assert elf.interpreter == linkers.get(target.name, "/system/bin/linker64")


def test_a_program_needs_the_c_library_and_the_loader_and_nothing_else(elf, target):
    expected = ["libc.so", "libdl.so"] if target.system == "android" else ["libc.so.6", "libdl.so.2"]
    assert sorted(elf.needed) == expected
    assert not elf.tags & {RPATH, RUNPATH}


def test_a_program_loads_on_pages_of_16_kib_without_changing_its_text(elf):
    assert elf.alignments and all(alignment % PAGE == 0 for alignment in elf.alignments)
    assert not elf.text_relocations and not elf.executable_stack


@pytest.mark.parametrize("target", ANDROID, ids=lambda target: target.name)
def test_a_program_for_android_calls_only_what_every_64_bit_phone_has(programs, target):
    imported = read_elf(programs / f"harness-worker-{target.name}").imported
    assert {"dlopen", "__libc_init", "read"} <= imported
    assert imported <= {name for _, name in ANDROID_SYMBOLS}


def test_each_function_of_the_list_for_android_is_called(programs):
    """A name that nobody needs any more is not left among what a phone must have."""
    imported = set().union(
        *(read_elf(programs / f"harness-worker-{target.name}").imported for target in ANDROID)
    )
    assert {name for _, name in ANDROID_SYMBOLS} - imported <= {"memmove"}


def test_all_programs_together_are_smaller_than_200_kb(programs):
    assert sum((programs / f"harness-worker-{target.name}").stat().st_size for target in TARGETS) < 200_000


def test_the_same_source_gives_the_same_bytes_from_another_folder_and_an_empty_cache(
    programs, tmp_path, monkeypatch
):
    shutil.copytree(SOURCE, tmp_path / "elsewhere" / "source")
    monkeypatch.setenv("ZIG_GLOBAL_CACHE_DIR", str(tmp_path / "cache"))
    (target,) = (target for target in ANDROID if target.abi == "arm64")
    build(target, tmp_path / "again", tmp_path / "elsewhere" / "source")
    assert (tmp_path / "again").read_bytes() == (programs / "harness-worker-android-arm64").read_bytes()


def test_a_program_states_the_hash_of_its_source(worker):
    said = subprocess.run(worker.command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    assert f"build {source_hash()}".encode() in said.stdout and said.returncode == 4


def test_a_program_is_found_by_androids_word_and_by_linux_word_for_the_processor(programs):
    assert find_program("android", "arm64-v8a", programs).path.name == "harness-worker-android-arm64"
    assert find_program("linux", "aarch64", programs) == find_program("linux", "arm64", programs)


def test_what_cannot_be_had_is_named_with_what_there_is_or_what_to_do(programs, tmp_path):
    with pytest.raises(NoProgramError, match="android on armeabi-v7a; there is one for android-arm64"):
        find_program("android", "armeabi-v7a", programs)
    with pytest.raises(
        NoProgramError, match=r"not built here; to build it: .*ziglang.* -m harness\.native\.build"
    ):
        find_program("linux", "x86_64", tmp_path)
    shutil.copytree(programs, tmp_path / "changed")
    (tmp_path / "changed" / "harness-worker-linux-x86_64").write_bytes(b"no program")
    with pytest.raises(NoProgramError, match="has the hash"):
        find_program("linux", "x86_64", tmp_path / "changed")
    listed = json.loads((tmp_path / "changed" / LIST).read_text())
    (tmp_path / "changed" / LIST).write_text(json.dumps({**listed, "build": "0" * 64}))
    with pytest.raises(NoProgramError, match="another source"):
        find_program("linux", "x86_64", tmp_path / "changed")


def test_a_source_that_does_not_compile_is_an_error_with_the_compilers_words(tmp_path):
    shutil.copytree(SOURCE, tmp_path / "source")
    with (tmp_path / "source" / "words.c").open("a") as file:
        file.write("int wrong = \n")
    with pytest.raises(JobError, match=r"android-x86_64 cannot be built: .*error: expected expression"):
        build(ANDROID[1], tmp_path / "program", tmp_path / "source")
