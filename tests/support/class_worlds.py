"""Data sets with the same objects in every form that people have: numbered, ordered, spelled and laid out anew.

A world says what is in which image by the names of a model's own classes; a form says how a data set writes that down.
What the figures of a model are in a world is computed with pycocotools, on detections mapped by hand.
"""

import contextlib
import io
import json
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

SPELLINGS = {
    "as it is": lambda name: name,
    "upper case": str.upper,
    "title case": str.title,
    "spaces around": lambda name: f" {name} ",
    "underscores": lambda name: name.replace(" ", "_") + "_",
    "hyphens": lambda name: name.replace(" ", "-"),
    "joined": lambda name: name.replace(" ", "").capitalize(),
}
VOC_WORDS = {
    "airplane": "aeroplane",
    "motorcycle": "motorbike",
    "couch": "sofa",
    "tv": "tvmonitor",
    "potted plant": "pottedplant",
    "dining table": "diningtable",
}
COCO_LAYOUTS = {
    # name           annotations                            images
    "coco":          ("annotations/instances_val2017.json", "val2017"),
    "plain":         ("instances.json",                     "images"),
    "cvat":          ("annotations/instances_default.json", "images/default"),
    "fiftyone":      ("labels.json",                        "data"),
    "label studio":  ("result.json",                        "images"),
    "roboflow":      ("valid/_annotations.coco.json",       "valid"),
    "card":          ("somewhere.json",                     "photos"),
}  # fmt: skip
LAYOUTS = (*COCO_LAYOUTS, "yolo list", "yolo dict", "voc")
GROUPS = ("none", "objects", "like a class")


@dataclass(frozen=True)
class Box:
    """One object: the image's id, x, y, width, height in whole pixels, and its class in the model's own words."""

    image: int
    xywh: tuple
    name: str


@dataclass(frozen=True)
class World:
    """Images (id, file, width, height), their objects, and every class that there is in a model's own words."""

    images: tuple
    boxes: tuple
    names: tuple
    other_names: tuple = ()

    def of(self, kept, renamed):
        """The world of some classes only; objects of `renamed` are of a class that no model knows."""
        known = [name for name in self.names if name in kept]
        other = tuple(f"unheard of {name}" for name in renamed)
        boxes = tuple(
            replace(box, name=f"unheard of {box.name}") if box.name in renamed else box
            for box in self.boxes
            if box.name in kept or box.name in renamed
        )
        return World(self.images, boxes, tuple(name for name in known if name not in renamed), other)


@dataclass(frozen=True)
class Form:
    """How a data set writes a world down.

    Attributes:
        layout: One of `LAYOUTS`.
        order: How categories are numbered: `as they are`, `by the alphabet`, `backwards`.
        start: The first number.
        step: To the next one.
        spelling: One of `SPELLINGS`, by class.
        group: A category without objects that comes first: none, `objects`, or one called like a class.
        words: Whether VOC's words stand for COCO's.
    """

    layout: str = "plain"
    order: str = "as they are"
    start: int = 1
    step: int = 1
    spelling: tuple = ("as it is",)
    group: str = "none"
    words: bool = False

    def categories(self, world):
        """Id and written name of every class, and the group's."""
        names = [*world.names, *world.other_names]
        ordered = {"as they are": names, "by the alphabet": sorted(names), "backwards": names[::-1]}[
            self.order
        ]
        numbers = range(self.start, self.start + self.step * (len(ordered) + 1), self.step)
        group = {"none": None, "objects": "objects", "like a class": names[0]}[self.group]
        first = [] if group is None else [(self.start, group)]
        return {name: k for k, name in zip(numbers[len(first) :], ordered, strict=False)}, first

    def spelled(self, world):
        """How each class is written."""
        written = {}
        for k, name in enumerate([*world.names, *world.other_names]):
            word = VOC_WORDS.get(name, name) if self.words else name
            written[name] = SPELLINGS[self.spelling[k % len(self.spelling)]](word)
        return written


@st.composite
def forms(draw):
    """Any form."""
    return Form(
        layout=draw(st.sampled_from(LAYOUTS)),
        order=draw(st.sampled_from(["as they are", "by the alphabet", "backwards"])),
        start=draw(st.sampled_from([0, 1, 7])),
        step=draw(st.sampled_from([1, 3])),
        spelling=tuple(draw(st.lists(st.sampled_from(sorted(SPELLINGS)), min_size=1, max_size=4))),
        group=draw(st.sampled_from(GROUPS)),
        words=draw(st.booleans()),
    )


@st.composite
def parts(draw, world):
    """Some classes of a world: kept ones, and ones that become classes no model knows."""
    kept = draw(st.sets(st.sampled_from(world.names), min_size=1))
    renamed = draw(st.sets(st.sampled_from(world.names), max_size=2))
    return world.of(kept | renamed, renamed if kept - renamed else set())


def write(world, form, folder, images):
    """Write a data set; return the place that a user would name.

    Args:
        world: What is in the images.
        form: How it is written down.
        folder: An empty folder.
        images: The folder of the image files.
    """
    if form.layout.startswith("yolo"):
        return _write_yolo(world, form, folder, images)
    return (
        _write_voc(world, form, folder, images)
        if form.layout == "voc"
        else _write_coco(world, form, folder, images)
    )


def _write_coco(world, form, folder, images):
    annotations, place = COCO_LAYOUTS[form.layout]
    numbers, group = form.categories(world)
    written = form.spelled(world)
    categories = [*group, *((numbers[name], written[name]) for name in numbers)]
    document = {
        "images": [{"id": k, "file_name": f, "width": w, "height": h} for k, f, w, h in world.images],
        "categories": [{"id": k, "name": name, "supercategory": "any"} for k, name in categories],
        "annotations": [
            {
                "id": k,
                "image_id": box.image,
                "category_id": numbers[box.name],
                "bbox": list(box.xywh),
                "area": box.xywh[2] * box.xywh[3],
                "iscrowd": 0,
            }
            for k, box in enumerate(world.boxes, 1)
        ],
    }
    (folder / annotations).parent.mkdir(parents=True, exist_ok=True)
    (folder / annotations).write_text(json.dumps(document))
    (folder / place).mkdir(parents=True, exist_ok=True)
    for _, file, _, _ in world.images:
        (folder / place / file).symlink_to(images / file)
    if form.layout != "card":
        return folder
    (folder / "data.toml").write_text(f'name = "d"\nannotations = "{annotations}"\nimages = "{place}"\n')
    return folder / "data.toml"


def _write_yolo(world, form, folder, images):
    """YOLO numbers from 0 without gaps, so of a form the order and the spelling count."""
    numbers = {name: k for k, name in enumerate(form.categories(world)[0])}
    written = form.spelled(world)
    (folder / "images").mkdir()
    (folder / "images" / "val").symlink_to(images)
    (folder / "labels" / "val").mkdir(parents=True)
    for number, file, width, height in world.images:
        lines = []
        for box in world.boxes:
            if box.image == number:
                x, y, w, h = box.xywh
                shares = (x + w / 2) / width, (y + h / 2) / height, w / width, h / height
                lines.append(f"{numbers[box.name]} " + " ".join(repr(share) for share in shares))
        (folder / "labels" / "val" / file).with_suffix(".txt").write_text("\n".join(lines))
    words = [json.dumps(written[name]) for name in numbers]
    listed = f"names: [{', '.join(words)}]"
    if form.layout == "yolo dict":
        listed = "names:\n" + "\n".join(f"  {k}: {word}" for k, word in enumerate(words))
    (folder / "data.yaml").write_text(f"path: .\nval: images/val\nnc: {len(words)}\n{listed}\n")
    return folder / "data.yaml"


def _write_voc(world, form, folder, images):
    """VOC has names alone."""
    written = form.spelled(world)
    (folder / "JPEGImages").symlink_to(images)
    (folder / "Annotations").mkdir()
    for number, file, width, height in world.images:
        objects = "".join(
            f"<object><name>{written[box.name]}</name><difficult>0</difficult><bndbox>"
            f"<xmin>{box.xywh[0] + 1}</xmin><ymin>{box.xywh[1] + 1}</ymin>"
            f"<xmax>{box.xywh[0] + box.xywh[2]}</xmax><ymax>{box.xywh[1] + box.xywh[3]}</ymax></bndbox></object>"
            for box in world.boxes
            if box.image == number
        )
        size = f"<size><width>{width}</width><height>{height}</height><depth>3</depth></size>"
        text = f"<annotation><filename>{file}</filename>{size}{objects}</annotation>"
        (folder / "Annotations" / file).with_suffix(".xml").write_text(text)
    return folder


@dataclass(frozen=True)
class Seen:
    """What a model sees: rows of image id, x, y, width, height, score, class index; and the names of its classes."""

    rows: np.ndarray
    names: tuple
    world: World = field(repr=False)


def right_map(world, seen):
    """mAP by pycocotools; class k of the model is mapped to the world's class of that name by hand."""
    numbers = {name: k + 1 for k, name in enumerate(seen.names) if name}
    known = [numbers[name] for name in world.names]
    truth = COCO()
    truth.dataset = {
        "images": [{"id": k, "width": w, "height": h} for k, _, w, h in world.images],
        "categories": [{"id": k, "name": name} for name, k in numbers.items()],
        "annotations": [
            {
                "id": k,
                "image_id": box.image,
                "category_id": numbers[box.name],
                "bbox": list(box.xywh),
                "area": box.xywh[2] * box.xywh[3],
                "iscrowd": 0,
            }
            for k, box in enumerate(world.boxes, 1)
            if box.name in world.names
        ],
    }
    rows = seen.rows.copy()
    rows[:, 6] += 1
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        found = COCOeval(truth, truth.loadRes(rows), "bbox")
        found.params.catIds = known
        found.params.imgIds = [image[0] for image in world.images]
        found.evaluate()
        found.accumulate()
        found.summarize()
    return None if found.stats[0] == -1 else float(found.stats[0])


def images_of(world, source, folder):
    """Link the world's images into a folder of their own."""
    folder.mkdir()
    for _, file, _, _ in world.images:
        (folder / file).symlink_to(Path(source).resolve() / file)
    return folder
