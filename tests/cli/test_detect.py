"""`harness detect`: what a model finds, as rows and as pictures."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from harness.cli.main import main
from harness.report.detected_objects import COLUMNS


@pytest.fixture
def harness(monkeypatch, capsys, repository):
    """Run the command from the checkout; return its status, stdout and stderr."""
    monkeypatch.chdir(repository)

    def run(*args):
        with pytest.raises(SystemExit) as ended:
            main(["detect", *map(str, args)])
        return (ended.value.code, *capsys.readouterr())

    return run


@pytest.fixture
def photos(repository, tmp_path):
    """Two pictures of the bundled data, one of them stored turned."""
    (tmp_path / "photos").mkdir()
    source = repository / "models" / "shapes" / "dataset" / "images"
    shutil.copy(source / "000001.jpg", tmp_path / "photos" / "a.jpg")
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = Image.open(source / "000001.jpg").transpose(Image.Transpose.ROTATE_90)
    stored.save(tmp_path / "photos" / "turned.png", exif=exif)
    return tmp_path / "photos"


def test_json_has_a_row_an_object_with_the_promised_keys(harness, photos):
    status, out, _ = harness("shapes-float32", photos / "a.jpg", "--format", "json")
    rows = json.loads(out)
    assert status == 0 and len(rows) >= 3
    assert all(tuple(row) == COLUMNS and row["score"] >= 0.3 for row in rows)
    assert {row["name"] for row in rows} >= {"square", "star"}
    assert [row["score"] for row in rows] == sorted((row["score"] for row in rows), reverse=True)


def test_a_folder_is_all_its_images_and_a_turned_picture_gives_the_same(harness, photos):
    _, out, _ = harness("shapes-float32", photos, "--format", "json")
    rows = json.loads(out)
    plain, turned = ([row for row in rows if row["image"].endswith(name)] for name in ("a.jpg", "turned.png"))
    assert len(plain) == len(turned)
    for first, second in zip(plain, turned, strict=True):
        assert first["name"] == second["name"]
        assert np.allclose(
            [first[key] for key in COLUMNS[4:]], [second[key] for key in COLUMNS[4:]], atol=0.05
        )


def test_a_higher_threshold_leaves_less(harness, photos):
    counts = [
        len(json.loads(harness("shapes-float32", photos, "--score-threshold", each, "--format", "json")[1]))
        for each in (0.1, 0.5, 1.0)
    ]
    assert counts[0] > counts[1] > counts[2] == 0


def test_boxes_are_drawn_where_the_objects_are_and_files_are_never_replaced(harness, photos, tmp_path):
    status, out, err = harness(
        "shapes-float32", photos / "a.jpg", "-o", tmp_path / "found", "--format", "json"
    )
    assert status == 0 and "drawn: 1" in err
    best = json.loads(out)[0]
    picture = np.asarray(Image.open(tmp_path / "found" / "a.png").convert("RGB")).astype(int)
    plain = Image.open(photos / "a.jpg").convert("RGB")
    scale = picture.shape[1] / plain.width
    resized = np.asarray(plain.resize((picture.shape[1], picture.shape[0]), Image.Resampling.BICUBIC)).astype(
        int
    )
    changed = np.abs(picture - resized).max(axis=-1) > 0
    middle = round((best["y"] + best["height"] / 2) * scale)
    assert changed[middle, round(best["x"] * scale)]
    status, _, err = harness("shapes-float32", photos / "a.jpg", "-o", tmp_path / "found")
    assert status == 2 and "is there already and is not replaced" in err


def test_pictures_of_one_name_get_a_number(harness, photos, tmp_path):
    (tmp_path / "more").mkdir()
    shutil.copy(photos / "a.jpg", tmp_path / "more" / "a.jpg")
    harness("shapes-float32", photos / "a.jpg", tmp_path / "more", "-o", tmp_path / "found")
    assert sorted(path.name for path in (tmp_path / "found").iterdir()) == ["a-2.png", "a.png"]


def test_an_unreadable_image_is_named_and_the_others_are_shown(harness, photos):
    (photos / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    status, out, err = harness("shapes-float32", photos, "--format", "json")
    assert status == 1 and json.loads(out)
    assert "not read: broken.jpg" in err and "1 of 3 images could not be read" in err


@pytest.mark.parametrize(
    ("places", "message"), [(["none.jpg"], "no such image"), (["findings"], "no images in it or below it")]
)
def test_what_is_no_image_is_wrong_use(harness, places, message):
    status, _, err = harness("shapes-float32", *places)
    assert status == 2 and message in err


def test_python_gives_the_same_rows(harness, photos, monkeypatch):
    import harness as package

    rows = json.loads(harness("shapes-float32", photos / "a.jpg", "--format", "json")[1])
    frame = package.detect("shapes-float32", photos / "a.jpg")
    assert frame.to_dict("records") == rows and frame.attrs["remarks"] == []
