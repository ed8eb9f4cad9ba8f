"""Device profiles: the bundled ones, the keys' documentation, and what a wrong profile is answered with."""

import ast
import re
from pathlib import Path
from typing import get_args, get_type_hints

import msgspec
import pytest

from harness.delegates import KINDS
from harness.drivers.registry import DRIVERS
from harness.errors import SchemaError, UsageError
from harness.profiles import (
    Connection,
    ConnectionKind,
    DeviceProfile,
    Fact,
    list_profiles,
    load_profile,
)
from harness.workspace import Workspace
from tests.support.paths import REPOSITORY

README = REPOSITORY / "devices" / "README.md"
BUNDLED = sorted((REPOSITORY / "devices").glob("*.toml"))
MINIMAL = 'name = "bench"\n[connection]\nkind = "local"\n'


def table_under(title: str) -> dict[str, list[str]]:
    parts = re.split(r"^## ", README.read_text(encoding="utf-8"), flags=re.MULTILINE)
    text = next(part for part in parts if part.startswith(title + "\n"))
    rows = [re.split(r"(?<!\\)\|", line) for line in text.splitlines() if line.startswith("| `")]
    return {row[1].strip(" `").replace("\\|", "|"): [cell.strip() for cell in row[2:]] for row in rows}


def write(folder: Path, text: str = MINIMAL, name: str = "bench") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.toml").write_text(text)
    return folder / f"{name}.toml"


@pytest.mark.parametrize(
    ("title", "struct"),
    [("The profile", DeviceProfile), ("`[connection]`", Connection), ("`[[facts]]`", Fact)],
    ids=["profile", "connection", "facts"],
)
def test_the_documented_keys_are_the_keys_of_the_schema(title: str, struct: type[msgspec.Struct]) -> None:
    fields = {field.encode_name: field for field in msgspec.structs.fields(struct)}
    table = table_under(title)
    assert table.keys() == fields.keys()
    for key, field in fields.items():
        assert (table[key][1] == "required") == field.required, key
    assert table.get("repetitions", ["", "`5`"])[1] == f"`{DeviceProfile.__struct_defaults__[2]}`"


def test_the_documented_spellings_are_those_of_the_delegates() -> None:
    assert set(table_under("How delegates are spelt")) == {kind.spelling for kind in KINDS.values()}


def test_every_kind_of_connection_is_documented_and_has_a_driver() -> None:
    kinds = get_args(get_type_hints(Connection)["kind"])
    assert set(kinds) == set(DRIVERS)
    assert all(f"`{kind}`" in table_under("`[connection]`")["kind"][0] for kind in kinds)


def test_what_a_bundled_profile_knows_of_delegates_has_a_source() -> None:
    facts = [fact for path in BUNDLED for fact in load_profile(path).data.facts]
    assert facts
    assert all(fact.source.startswith("https://") for fact in facts)


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        ('serial = "a"\nhost = "b"', "found both serial and host"),
        ("port = 0", "connection.port': found 0"),
        ('root = "/"', "connection.root': found '/'"),
        ('root = "relative/x"', "connection.root': found 'relative/x'"),
    ],
)
def test_a_connection_that_cannot_be_meant_is_refused(tmp_path: Path, more: str, complaint: str) -> None:
    with pytest.raises(SchemaError, match=complaint):
        load_profile(write(tmp_path, f'name = "x"\n[connection]\nkind = "adb"\n{more}\n'))


def test_only_drivers_and_profiles_know_what_a_kind_of_connection_is_called() -> None:
    """Whoever else wants to know something of a device asks it: `DeviceInfo` has the answers."""
    kinds = set(get_args(ConnectionKind)) - {"local"}  # which is the name of a device as well
    for path in sorted((REPOSITORY / "harness").rglob("*.py")):
        if "drivers" in path.parts or path.name == "profiles.py":
            continue
        words = {
            node.value
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
            if isinstance(node, ast.Constant)
        }
        named = (kinds & words) - ({"emulator"} if path.name == "vocabulary.py" else set())  # the engine
        assert not named, f"{path} names {named}: ask the device"


def test_the_example_of_the_documentation_is_a_valid_profile(tmp_path: Path) -> None:
    text = README.read_text(encoding="utf-8").split("```toml\n")[1].split("```")[0]
    profile = load_profile(write(tmp_path, text))
    assert (profile.name, profile.data.facts[0].works) == ("this-laptop", False)


@pytest.mark.parametrize("path", BUNDLED, ids=lambda path: path.stem)
def test_a_bundled_profile_loads_and_is_called_like_its_file(path: Path) -> None:
    assert load_profile(path).name == path.stem


def test_there_is_a_profile_of_this_computer() -> None:
    assert "local" in {path.stem for path in BUNDLED}


@pytest.mark.parametrize(
    ("text", "error", "complaint"),
    [
        (MINIMAL.replace("bench", "../bench"), SchemaError, "key 'name': found '../bench'"),
        ("repetitions = 0\n" + MINIMAL, SchemaError, "key 'repetitions': found 0, expected at least 1"),
        (MINIMAL.replace("local", "telnet"), SchemaError, "found 'telnet', expected one of local, fake"),
        (MINIMAL + 'user = "pi"\n', SchemaError, "key 'connection.user': found with kind 'local', where it means"),
        (MINIMAL.replace("local", "ssh") + 'serial = "0A1B"\n', SchemaError, "known there: host, port, user, identity"),
        (MINIMAL.replace("local", "ssh") + 'root = "~/"\n', SchemaError, "key 'connection.root': found '~/'"),
        (MINIMAL.replace("local", "ssh") + "port = 70000\n", SchemaError, "found 70000, expected 1 to 65535"),
        ("delegate = []\n" + MINIMAL, SchemaError, "unknown key 'delegate'; did you mean delegates"),
        ('delegates = "cpu"\n' + MINIMAL, SchemaError, "key 'delegates': found 'cpu', expected `array`"),
        ('delegates = ["gpu:fp64"]\n' + MINIMAL, UsageError, "delegate 'gpu:fp64': expected the form gpu"),
        (MINIMAL + '[[facts]]\ndelegate = "npuu"\nworks = false\nreason = "x"\n', UsageError, "Did you mean npu?"),
        (MINIMAL + '[[facts]]\ndelegate = "gpu"\nworks = false\n', SchemaError, "missing key 'facts[0].reason'"),
    ],
    ids=lambda value: value[-25:].strip() if isinstance(value, str) else "",
)  # fmt: skip
def test_a_profile_that_cannot_be_right_is_named_with_its_file(
    tmp_path: Path, text: str, error: type[Exception], complaint: str
) -> None:
    with pytest.raises(error, match=re.escape(complaint)) as caught:
        load_profile(write(tmp_path, text))
    assert "bench.toml: " in str(caught.value)


def test_profiles_are_listed_by_name(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    write(workspace.devices, name="zzz")
    write(workspace.devices, MINIMAL.replace("bench", "alpha"), name="yyy")
    assert [profile.name for profile in list_profiles(workspace)] == ["alpha", "bench"]


def test_all_cores_are_of_this_computer_alone(tmp_path):
    path = tmp_path / "pi.toml"
    path.write_text('name = "pi"\ndelegates = ["cpu:all"]\n[connection]\nkind = "ssh"\nhost = "pi"\n')
    with pytest.raises(SchemaError, match=r"cpu:all.*give a number of threads"):
        load_profile(path)
