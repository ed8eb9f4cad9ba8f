"""What the README says is so."""

import importlib
import json
import re
import shlex

import pytest

from harness.cli.main import COMMANDS
from tests.support.paths import REPOSITORY


@pytest.fixture
def readme(repository):
    return (repository / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_documented_and_has_help_with_examples(readme, name):
    assert f"| `harness {name}" in readme
    command = importlib.import_module(COMMANDS[name].module).command
    assert command.help and "xample" in (command.epilog or ""), f"harness {name} has no examples"


def test_every_command_that_is_documented_exists(readme):
    documented = re.findall(r"^\| `harness ([a-z]+)", readme, flags=re.MULTILINE)
    assert documented and set(documented) <= set(COMMANDS)


def examples(*pages):
    """The command lines of the documents, without their remarks; continued lines are one."""
    for page in pages:
        for block in re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL):
            for line in block.replace("\\\n", " ").splitlines():
                if line.startswith("harness "):
                    yield line.partition("  #")[0].strip()


PAGES = [
    REPOSITORY / name for name in ("README.md", "devices/README.md", "models/README.md", "results/README.md")
]


@pytest.mark.parametrize("line", sorted(set(examples(*PAGES))))
def test_an_example_is_a_command_line_that_is_understood(line, tmp_path, monkeypatch):
    """Its options are there, and their values are of their kind; nothing is run."""
    monkeypatch.chdir(a_folder_with_what_examples_name(tmp_path))
    name, *args = shlex.split(line)[1:]
    command = importlib.import_module(COMMANDS[name].module).command
    if args and args[0] in getattr(command, "commands", {}):
        name, command = args[0], command.commands[args.pop(0)]
    command.make_context(name, args).close()


def a_folder_with_what_examples_name(folder):
    """Files and folders under the names that the examples use."""
    for name in ("coco", "train", "calibration", "photos", "saved_model", "VOC2007", "why", "found"):
        (folder / name).mkdir()
    for name in ("ptq.log", "qat.log", "pipeline.config", "data.yaml", "found.json", "ids.txt", "old.tflite"):
        (folder / name).touch()
    return folder


def test_the_examples_for_a_model_and_a_data_set_of_one_s_own_run(readme, tmp_path, monkeypatch, capsys):
    """With the bundled detector as the model; what would be measured is planned."""
    from harness.cli.main import main

    section = readme.partition("### your model and your data set")[2].partition("\n### ")[0]
    lines = [
        line for line in re.findall(r"^harness .*$", section, re.M) if not line.startswith("harness report")
    ]
    for name in ("best", "fp16", "int8", "ssd", "a/best", "b/best"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.tflite").symlink_to(REPOSITORY / "models/shapes/shapes_full_integer.tflite")
    make_data_sets(tmp_path)
    monkeypatch.chdir(tmp_path)
    for line in lines:
        args = shlex.split(line.partition("  #")[0])[1:]
        with pytest.raises(SystemExit) as left:
            main([*args, "--dry-run"] if args[0] == "run" else args)
        assert left.value.code == 0, (line, capsys.readouterr().err)


def make_data_sets(folder):
    """Two pictures of the example as COCO, as YOLO and as Pascal VOC, and one to look at."""
    source = REPOSITORY / "models/shapes/dataset"
    whole = json.loads((source / "instances_val.json").read_text())
    images = whole["images"][:2]
    ids = {image["id"] for image in images}
    boxes = [box for box in whole["annotations"] if box["image_id"] in ids]
    names = [category["name"] for category in whole["categories"]]
    for place in ("coco/images", "images/val", "labels/val", "VOC2007/Annotations", "VOC2007/JPEGImages"):
        (folder / place).mkdir(parents=True)
    (folder / "coco/instances_val.json").write_text(
        json.dumps({**whole, "images": images, "annotations": boxes})
    )
    (folder / "data.yaml").write_text(f"val: images/val\nnames: {json.dumps(names)}\n")
    number = {category["id"]: place for place, category in enumerate(whole["categories"])}
    for image in images:
        file, stem = source / "images" / image["file_name"], image["file_name"].rpartition(".")[0]
        for place in ("coco/images", "images/val", "VOC2007/JPEGImages"):
            (folder / place / image["file_name"]).symlink_to(file)
        own = [box for box in boxes if box["image_id"] == image["id"]]
        (folder / f"labels/val/{stem}.txt").write_text(
            "".join(f"{number[box['category_id']]} {yolo_box(box['bbox'], image)}\n" for box in own)
        )
        (folder / f"VOC2007/Annotations/{stem}.xml").write_text(voc_page(image, own, names, number))
    (folder / "street.jpg").symlink_to(source / "images" / images[0]["file_name"])


def yolo_box(box, image):
    x, y, width, height = box
    wide, high = image["width"], image["height"]
    return f"{(x + width / 2) / wide} {(y + height / 2) / high} {width / wide} {height / high}"


def voc_page(image, boxes, names, number):
    objects = "".join(
        f"<object><name>{names[number[one['category_id']]]}</name><bndbox><xmin>{one['bbox'][0] + 1}</xmin>"
        f"<ymin>{one['bbox'][1] + 1}</ymin><xmax>{one['bbox'][0] + one['bbox'][2]}</xmax>"
        f"<ymax>{one['bbox'][1] + one['bbox'][3]}</ymax></bndbox></object>"
        for one in boxes
    )
    size = f"<size><width>{image['width']}</width><height>{image['height']}</height></size>"
    return f"<annotation><filename>{image['file_name']}</filename>{size}{objects}</annotation>"


def test_it_is_short_and_its_contents_are_ten_lines_that_lead_somewhere(readme):
    assert len(readme.splitlines()) <= 250
    contents = readme.partition("\n- [Install]")[2].partition("\n\n")[0]
    assert len(contents.splitlines()) == 10
    headings = re.findall(r"^#+ (.*)$", readme, re.M)
    anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    assert set(re.findall(r"\]\(#([^)]+)\)", readme)) <= anchors


def test_the_table_fits_100_columns_and_nothing_is_installed_from_an_index(readme):
    table = readme.partition("<!-- example-output -->\n```\n")[2].partition("```")[0]
    assert table and max(map(len, table.splitlines())) <= 100
    for page in PAGES:
        assert not re.findall(r"pip install [^\n]*ondevice-harness", page.read_text(encoding="utf-8")), page


def test_the_links_between_the_documents_lead_to_headings():
    for page in PAGES:
        for target, anchor in re.findall(
            r"\]\(([\w./-]*README\.md)#([^)]+)\)", page.read_text(encoding="utf-8")
        ):
            text = (page.parent / target).read_text(encoding="utf-8")
            headings = re.findall(r"^#+ (.*)$", text, re.M)
            anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert anchor in anchors, (page, target, anchor)


@pytest.mark.parametrize("marker", ["install and measure the bundled example", "run the tests"])
def test_the_two_commands_that_ci_runs_are_marked(readme, marker):
    assert len(re.findall(rf"^\S.*  # {marker}$", readme, flags=re.MULTILINE)) == 1


def test_the_links_lead_to_files(readme, repository):
    for target in re.findall(r"\]\(([^)#:]+)\)", readme):
        assert (repository / target).exists(), target


def test_the_python_example_runs(readme, monkeypatch, tmp_path, repository):
    code = re.search(r"```python\n(.*?)```", readme, flags=re.DOTALL)[1]
    monkeypatch.chdir(repository)
    code = code.replace("limit=50)", f"limit=10, output={str(tmp_path)!r}, repetitions=1, min_seconds=0.05)")
    code = code.replace('"results"', repr(str(tmp_path)))
    scope = {}
    exec(compile(code, "README.md", "exec"), scope)
    assert list(scope["frame"]["model"]) == ["shapes-float32", "shapes-full-integer"]
    assert len(scope["everything"]) == 2


def test_the_plan_of_the_results_is_a_plan(repository, tmp_path):
    from harness.bench.plan_file import load_plan

    path = tmp_path / "plan.toml"
    text = (repository / "results" / "README.md").read_text(encoding="utf-8")
    path.write_text(re.search(r"```toml\n(.*?)```", text, flags=re.DOTALL)[1])
    request = load_plan(path)
    assert request.repetitions == 5 and request.settings.limit == 500
    assert request.override[0].set.given() == {"repetitions": 10}
