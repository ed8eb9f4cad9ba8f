"""Model cards: the bundled ones, the keys' documentation, and what a wrong card is answered with."""

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness import cards
from harness.cards import (
    AnchorSpec,
    DecoderSpec,
    ExampleDataset,
    InputSpec,
    Labels,
    ModelCard,
    NmsSpec,
    Published,
    Source,
    cache_folder,
    list_cards,
    load_card,
)
from harness.detectors.registry import DECODERS
from harness.errors import ModelError, SchemaError, UnknownNameError
from harness.recognize.find import find_model
from harness.workspace import Workspace
from tests.support.paths import REPOSITORY

BUNDLED = sorted((REPOSITORY / "models").glob("*.toml"))
SECTIONS = {
    "The card": ModelCard,
    "`[source]`": Source,
    "`[input]`": InputSpec,
    "`[decoder]`": DecoderSpec,
    "`[decoder.nms]`": NmsSpec,
    "`[decoder.anchors]`": AnchorSpec,
    "`[labels]`": Labels,
    "`[dataset]`": ExampleDataset,
    "`[[published]]`": Published,
}
MINIMAL = """
name = "ssd"
[source]
{source}
[input]
width = 300
height = 300
[decoder]
name = "ssd-postprocess"
"""


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def write(folder: Path, source: str = 'path = "ssd.tflite"', old: str = "", new: str = "") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "ssd.toml"
    path.write_text(MINIMAL.format(source=source).replace(old, new) if old else MINIMAL.format(source=source))
    return path


def documented(readme: Path, title: str) -> dict[str, str]:
    """Return the keys of the table under a heading, with their documented defaults."""
    section = re.split(r"^## ", readme.read_text(encoding="utf-8"), flags=re.MULTILINE)
    text = next(part for part in section if part.startswith(title + "\n"))
    rows = [re.split(r"(?<!\\)\|", line) for line in text.splitlines() if line.startswith("| `")]
    return {row[1].strip(" `"): row[3].strip() for row in rows}


def default(field: msgspec.structs.FieldInfo) -> Any:
    return field.default if field.default is not msgspec.NODEFAULT else field.default_factory


@pytest.mark.parametrize(("title", "struct"), SECTIONS.items(), ids=lambda value: str(value)[:12])
def test_the_documented_keys_are_the_keys_of_the_schema(title: str, struct: type[msgspec.Struct]) -> None:
    fields = {field.encode_name: field for field in msgspec.structs.fields(struct)}
    table = documented(REPOSITORY / "models" / "README.md", title)
    assert table.keys() == fields.keys()
    for key, field in fields.items():
        assert (table[key] == "required") == field.required, key
        if isinstance(default(field), (int, str)) and default(field) != "":
            text = str(default(field)).lower() if isinstance(default(field), bool) else default(field)
            assert table[key] == f"`{text}`", key


def test_the_example_of_the_documentation_is_a_valid_card(tmp_path: Path) -> None:
    text = (REPOSITORY / "models" / "README.md").read_text(encoding="utf-8")
    (tmp_path / "my-detector.toml").write_text(text.split("```toml\n")[1].split("```")[0])
    assert load_card(tmp_path / "my-detector.toml").name == "my-detector"


@pytest.mark.parametrize("path", BUNDLED, ids=lambda path: path.stem)
def test_a_bundled_card_loads_and_is_called_like_its_file(path: Path) -> None:
    model = load_card(path)
    assert model.name == path.stem
    assert model.card.license
    assert model.card.description


@pytest.mark.parametrize("path", BUNDLED, ids=lambda path: path.stem)
def test_every_published_figure_of_a_bundled_card_has_a_source_and_a_plausible_value(path: Path) -> None:
    for figure in load_card(path).card.published:
        assert figure.source.strip()
        if figure.metric.startswith(("map", "ap", "ar")):
            assert 0 < figure.value < 1
        else:
            assert figure.unit
            assert figure.value > 0


@pytest.mark.parametrize("path", BUNDLED, ids=lambda path: path.stem)
def test_a_bundled_card_names_a_decoder_that_there_is(path: Path) -> None:
    assert load_card(path).card.decoder.name in DECODERS


def test_a_model_that_is_to_be_converted_says_so_in_its_description() -> None:
    graphs = [model for path in BUNDLED if (model := load_card(path)).card.source.format != "tflite"]
    assert graphs
    for model in graphs:
        made = "to be made: " if model.card.source.made_by else "a frozen graph, to be converted to "
        assert model.why_missing.startswith(made) and "`harness convert " in model.why_missing
        assert "convert" in model.card.description or model.card.source.made_by
        assert model.card.source.mode and not model.available


def test_the_catalogue_holds_the_starter_model_with_the_hash_that_is_known(shared_data: Path) -> None:
    from harness.hashing import hash_file

    card = load_card(REPOSITORY / "models" / "coco-ssd-mobilenet-v1-quant.toml").card
    assert card.source.sha256 == hash_file(shared_data / "models" / "ssd_mobilenet_v1_coco_quant.tflite")


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("", "expected exactly one of 'path' and 'url'"),
        ('path = "a"\nurl = "https://h/a"', "expected exactly one of 'path' and 'url'"),
        ('url = "file:///etc/passwd"', "key 'source.url': found 'file:///etc/passwd', expected an http://"),
        ('url = "ftp://h/a.tflite"', "expected an http:// or https:// address"),
        ('url = "https:///a.tflite"', "expected an http:// or https:// address"),
        ('url = "http://[::1/a.tflite"', "expected an http:// or https:// address"),
        ('url = "https://me:secret@h/a.tflite"', "without a user name"),
        ('url = "https://h/a.zip"', "expected 'member' where, and only where, 'url' is an archive"),
        ('url = "https://h/a.tflite"\nmember = "b"', "expected 'member' where, and only where"),
        ('path = "a"\nmember = "b"', "expected 'member' and 'format' only beside 'url'"),
        ('path = "a"\nformat = "saved-model"', "expected 'member' and 'format' only beside 'url'"),
        ('path = "a"\nsha256 = "abc"', "key 'source.sha256': found 'abc', expected 64 lower-case"),
        (f'path = "a"\nsha256 = "{"A" * 64}"', "expected 64 lower-case hexadecimal digits"),
        (
            'url = "https://h/a.tflite"\nmode = "int8"',
            "key 'source.mode': found 'int8', expected it where there is",
        ),
        ('url = "https://h/a.tflite"\nmade_by = "x"', "key 'source.made_by': expected it beside a 'format'"),
        ('path = "a"\nformat = "onnx"', "expected one of tflite, frozen-graph, saved-model"),
    ],
    ids=lambda value: value[:30].replace("\n", " "),
)
def test_a_source_that_cannot_be_right_is_named(tmp_path: Path, source: str, complaint: str) -> None:
    with pytest.raises(SchemaError, match=re.escape(complaint)):
        load_card(write(tmp_path, source))


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('"ssd"', '"../ssd"', "key 'name': found '../ssd'"),
        ("width = 300", "width = 0", "found 0×300, expected a width and a height of at least 1"),
        ("width = 300", "width = 300\nmean = [1, 2, 3]", "expected both 'mean' and 'std', or neither"),
        ("width = 300", "width = 300\nmean = [1, 2, 3]\nstd = [1, 0, 1]", "expected numbers other than 0"),
        (
            "width = 300",
            "width = 300\npad_value = 256",
            "key 'input.pad_value': found 256, expected 0 to 255",
        ),
        ("width = 300", "widht = 300", "unknown key 'input.widht'; did you mean width"),
    ],
)
def test_a_card_that_cannot_be_right_is_named(tmp_path: Path, old: str, new: str, complaint: str) -> None:
    with pytest.raises(SchemaError, match=re.escape(complaint)):
        load_card(write(tmp_path, old=old, new=new))


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ('url = "https://h/x/a.tflite"', "a.tflite"),
        ('url = "https://h/a.tflite?raw=true#part"', "a.tflite"),
        ('url = "https://h/"', "model.tflite"),
        ('url = "https://h/x/.."', "model.tflite"),
        ('url = "https://h/a.zip"\nmember = "deep/down/b.tflite"', "b.tflite"),
        ('url = "https://h/a.zip"\nmember = "../../evil"', "evil"),
        ('url = "https://h/a.zip"\nmember = "x/.."', "model.tflite"),
        ('url = "https://h/a.tar.gz"\nmember = "g/graph.pb"\nformat = "frozen-graph"', "ssd.tflite"),
    ],
)
def test_a_fetched_file_has_a_plain_name_below_the_cache(
    tmp_path: Path, own_cache: Path, source: str, name: str
) -> None:
    model = load_card(write(tmp_path, source))
    assert model.file == own_cache / "models" / "ssd" / name
    assert model.download is not None
    assert model.download.parent == model.file.parent


def test_a_local_file_lies_beside_its_card_and_is_not_downloaded(tmp_path: Path) -> None:
    model = load_card(write(tmp_path))
    assert (model.file, model.download) == (tmp_path / "ssd.tflite", None)
    assert model.why_missing == f"no such file: {tmp_path / 'ssd.tflite'}"
    model.file.touch()
    assert (model.available, model.why_missing) == (True, "")


def test_a_model_that_is_not_fetched_says_how_to_fetch_it(tmp_path: Path) -> None:
    model = load_card(write(tmp_path, 'url = "https://h/a.tflite"'))
    assert model.why_missing == "not fetched; run `harness models fetch ssd`"


def test_the_example_dataset_lies_beside_the_card(tmp_path: Path) -> None:
    path = write(tmp_path, old="[decoder]", new='[dataset]\npath = "images"\n[decoder]')
    assert load_card(path).dataset_path == tmp_path / "images"


def test_a_model_is_found_by_name_by_card_and_by_a_name_other_than_its_file(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    path = write(workspace.models)
    assert find_model("ssd", workspace).origin == path
    assert find_model(str(path), workspace).name == "ssd"
    path.rename(path.with_name("other.toml"))
    assert find_model("ssd", workspace).origin == path.with_name("other.toml")


def test_an_unknown_model_is_answered_with_near_misses(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    write(workspace.models)
    with pytest.raises(UnknownNameError, match=r"unknown model 'sssd'\. Did you mean ssd\?"):
        find_model("sssd", workspace)


@pytest.mark.parametrize("text", ["absent.tflite", "~no-such-user-here/absent.tflite"])
def test_a_model_file_that_is_absent_is_named(tmp_path: Path, text: str) -> None:
    with pytest.raises(ModelError, match="no such model file"):
        find_model(text, Workspace(tmp_path))


def test_two_cards_of_one_name_are_an_error_that_names_both(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    first = write(workspace.models)
    (workspace.models / "twin.toml").write_text(first.read_text())
    with pytest.raises(SchemaError, match=r"twin\.toml: key 'name': 'ssd' is also the name in .*ssd\.toml"):
        list_cards(workspace)


def test_cards_are_listed_by_name(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    first = write(workspace.models)
    (workspace.models / "zzz.toml").write_text(first.read_text().replace('"ssd"', '"alpha"', 1))
    assert [model.name for model in list_cards(workspace)] == ["alpha", "ssd"]


def test_the_cache_is_where_the_user_says_else_in_the_users_cache_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, own_cache: Path
) -> None:
    assert cache_folder() == own_cache
    monkeypatch.delenv("HARNESS_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "ondevice-harness"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache_folder() == tmp_path / "home" / ".cache" / "ondevice-harness"


def test_an_archive_is_told_by_the_end_of_its_address() -> None:
    assert set(cards.ARCHIVES) == {".zip", ".tar.gz", ".tgz", ".tar"}
