"""Accuracies that are shown to be of the same images, and those that are not."""

import pytest
from msgspec.structs import replace

from harness import schema
from harness.records.records import load_records
from harness.rows.published import published_rows
from harness.rows.same_images import Evaluated, evaluated, why_other_images
from harness.workspace import Workspace

KEY = ("run", "now", "m", "local", "cpu:1")


def why(dataset, n_images, published, n_published, **known):
    run_id, started_at, model, device, delegate = KEY
    row = {"run_id": run_id, "started_at": started_at, "model": model, "device": device}
    row |= {"delegate_requested": delegate, "dataset": dataset, "n_images": n_images}
    return why_other_images(
        row, {"dataset": published, "n_images": n_published}, {KEY: Evaluated(**known)} if known else {}
    )


@pytest.mark.parametrize(
    ("dataset", "annotations"),
    [
        ("COCO val2017", ""),
        ("coco_val2017", "whatever_val2017"),
        ("coco", "instances_val2017"),
        ("val2017", "coco_val2017"),
    ],
)
def test_a_folder_and_its_file_say_data_set_and_split_together(dataset, annotations):
    assert why(dataset, 5000, "COCO val2017", 5000, annotations=annotations) == ""


@pytest.mark.parametrize(
    ("dataset", "annotations", "n_images"),
    [
        ("coco", "instances_val2017", 50),
        ("coco50", "instances_val2017", 5000),
        ("coco", "instances_val2014", 5000),
        ("coco", "", 5000),
        ("coco-persons", "instances_val2017", 5000),
        (None, "", 5000),
    ],
)
def test_other_names_and_other_numbers_of_images_are_named(dataset, annotations, n_images):
    words = why(dataset, n_images, "COCO val2017", 5000, annotations=annotations)
    assert "the published mAP is of COCO val2017, 5,000 images" in words
    assert f"yours of {dataset or 'images without a name'}" in words and f"{n_images:,} images" in words


def test_where_a_source_does_not_say_how_many_images_only_a_whole_data_set_is_the_same():
    assert why("ours", 20, "ours", None, limited=False) == ""
    assert "does not say of how many images" in why("ours", 20, "ours", None, limited=True)
    assert "does not say of how many images" in why("ours", 20, "ours", None)


def test_a_source_that_names_no_images_gives_no_ratio():
    assert "does not say of which images" in why("coco", 5000, None, 5000)


def test_the_mean_over_chosen_classes_is_another_figure():
    assert "(--classes)" in why("COCO val2017", 5000, "COCO val2017", 5000, classes=True)


def test_what_a_record_says_of_its_images_is_known(make_run):
    run = make_run()
    run.cell("m", "cpu:1")
    (stored,) = load_records(run.folder)
    chosen = replace(stored.record, settings={"limit": 50, "classes": ("person",)})
    ((key, found),) = evaluated([replace(stored, record=chosen)]).items()
    assert key[2:] == KEY[2:]
    assert (found.limited, found.classes) == (True, True)
    ((_, unsaid),) = evaluated([stored]).items()
    assert (unsaid.limited, unsaid.classes) == (None, False)


def test_every_published_map_says_its_images_and_how_many(repository):
    rows = [row for row in published_rows(Workspace(repository)) if row["map"] is not None]
    assert rows and all(row["dataset"] and row["n_images"] for row in rows)


def test_the_zoos_images_are_not_those_of_val2017(repository):
    zoo = schema.load_toml(repository / "results" / "published" / "tf1-detection-zoo.toml")
    assert (zoo["dataset"], zoo["n_images"]) == ("COCO 2014 minival", 8059)
