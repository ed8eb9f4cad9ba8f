"""`harness evaluate`, through the command's own entry point."""

import csv
import json
import subprocess
import sys

import pytest
from PIL import Image

from harness.accuracy.bootstrap import PairedDifference
from harness.cli.main import main
from harness.report.evaluation import AGAINST_COLUMNS, BREAKDOWN_COLUMNS, COLUMNS, against_row

SIZE = {"width": 640, "height": 480}
BOXES = [[300, 200, 120, 90], [10, 20, 100, 200], [400, 100, 200, 300], [250, 240, 60, 60]]
FIGURES = ["map", "ap50", "ap75", "ap_small", "ap_medium", "ap_large"]
FIGURES += ["ar1", "ar10", "ar100", "ar_small", "ar_medium", "ar_large"]
ROW_KEYS = [*FIGURES, "n_images", "map_low", "map_high", "engine", "status", "checks"]


@pytest.fixture
def files(tmp_path):
    """Annotations of two images with every box of them found; returns a function that spoils and runs."""
    truth = [
        {
            "id": k + 1,
            "image_id": 1 + k % 2,
            "category_id": 1,
            "bbox": box,
            "area": box[2] * box[3],
            "iscrowd": 0,
        }
        for k, box in enumerate(BOXES)
    ]
    document = {
        "images": [{"id": k, **SIZE} for k in (1, 2)],
        "annotations": truth,
        "categories": [{"id": 1, "name": "person"}],
    }
    found = [
        {"image_id": row["image_id"], "category_id": 1, "bbox": row["bbox"], "score": 0.5} for row in truth
    ]
    (tmp_path / "truth.json").write_text(json.dumps(document))
    (tmp_path / "found.json").write_text(json.dumps(found))
    return tmp_path


@pytest.fixture
def evaluate(files, capsys):
    """Run the command on the files; returns the exit status, stdout and stderr."""

    def run(*more, found=None):
        if found is not None:
            (files / "found.json").write_text(json.dumps(found))
        paths = ["--annotations", str(files / "truth.json"), "--detections", str(files / "found.json")]
        with pytest.raises(SystemExit) as end:
            main(["evaluate", *paths, *more])
        return end.value.code, *capsys.readouterr()

    return run


def detection(image=1, box=BOXES[0], category=1):
    return {"image_id": image, "category_id": category, "bbox": box, "score": 0.5}


@pytest.mark.parametrize("engine", ["harness", "hotcoco", "pycocotools"])
def test_json_is_one_object_with_the_promised_keys(evaluate, engine):
    status, out, err = evaluate("--format", "json", "--engine", engine)
    (row,) = json.loads(out)
    assert status == 0
    assert "classes are in fewer than 10 images" in err
    assert tuple(row) == COLUMNS == tuple(ROW_KEYS)
    assert row["map"] == pytest.approx(1.0, abs=1e-9)
    assert row["ap_small"] is None
    assert row["n_images"] == 2
    assert (row["map_low"], row["map_high"]) == (pytest.approx(1.0), pytest.approx(1.0))
    assert row["engine"].startswith(engine)


@pytest.fixture
def shapes(repository, tmp_path, capsys):
    """Evaluate what stands for detections of the bundled images: their objects, changed by a function."""
    truth = repository / "models" / "shapes" / "dataset" / "instances_val.json"

    def run(change, *more, each=1):
        rows = [
            {
                "image_id": row["image_id"],
                "category_id": row["category_id"],
                "bbox": row["bbox"],
                "score": 0.9 - k % 7 / 10,
            }
            for k, row in enumerate(json.loads(truth.read_text(encoding="utf-8"))["annotations"])
        ]
        (tmp_path / "found.json").write_text(json.dumps(each * list(filter(None, map(change, rows)))))
        with pytest.raises(SystemExit) as end:
            main(
                ["evaluate", "--annotations", str(truth), "--detections", str(tmp_path / "found.json"), *more]
            )
        return end.value.code, *capsys.readouterr()

    return run


def test_figures_that_cannot_be_right_end_with_1_and_a_check_in_every_format(shapes):
    def swapped(row):
        x, y, width, height = row["bbox"]
        return {**row, "bbox": [y, x, height, width]}

    status, out, err = shapes(swapped, "--format", "json")
    (row,) = json.loads(out)
    assert (status, row["status"]) == (1, "incorrect")
    assert [check["name"] for check in row["checks"] if check["verdict"] == "certain"] == [
        "coordinates read wrongly"
    ]
    assert "x and y swapped" in err and "harness models probe" in err
    status, out, _ = shapes(swapped)
    assert status == 1 and "coordinates read wrongly" in out and "incorrect" in out


def test_detections_of_some_of_the_images_are_partial_data(shapes):
    def several(row):
        return row if row["image_id"] <= 30 else None

    status, out, err = shapes(several, "--format", "json", each=3)
    (row,) = json.loads(out)
    assert (status, row["status"], [check["name"] for check in row["checks"]]) == (
        1,
        "partial-data",
        ["images without detections"],
    )
    assert row["checks"][0]["figures"]["without"] == 190 and "--image-ids" in err


def test_images_without_detections_of_a_detector_that_finds_little_are_its_own_affair(shapes):
    seen = set()

    def first(row):
        if row["image_id"] in seen or row["image_id"] % 5 == 0:
            return None
        seen.add(row["image_id"])
        return row

    status, out, _ = shapes(first, "--format", "json")
    assert (status, json.loads(out)[0]["status"]) == (0, "ok")


def test_the_published_figures_come_out_of_the_command(shared_data, capsys):
    folder = shared_data / "cocoapi_demo"
    paths = (folder / "instances_val2014_100.json", folder / "instances_val2014_fakebbox100_results.json")
    with pytest.raises(SystemExit):
        main(["evaluate", "--annotations", str(paths[0]), "--detections", str(paths[1]), "--format", "json"])
    (row,) = json.loads(capsys.readouterr().out)
    assert [round(row[key], 3) for key in FIGURES] == [
        *(0.505, 0.697, 0.573, 0.586, 0.519, 0.501),
        *(0.387, 0.594, 0.595, 0.640, 0.566, 0.564),
    ]


def test_the_table_has_the_figures_in_cocos_order(evaluate):
    status, out, _ = evaluate()
    assert status == 0
    lines = [line.split() for line in out.splitlines() if line.startswith((" AP", " AR", "AP", "AR"))]
    assert len(lines) == 12
    assert lines[0][-1] == "1.000"
    assert lines[3][-1] == "–"  # small: there is none


@pytest.mark.parametrize("format_", ["csv", "markdown"])
def test_other_formats_have_the_same_columns(evaluate, format_):
    _, out, _ = evaluate("--format", format_)
    header = out.splitlines()[0].replace("|", " ").replace(",", " ").split()
    assert header == ROW_KEYS


@pytest.mark.parametrize("text", ["1\n\n", "[1]", " 1 \r\n"])
def test_image_ids_are_read_from_lines_or_json(evaluate, files, text):
    (files / "ids.txt").write_text(text)
    _, out, _ = evaluate("--image-ids", str(files / "ids.txt"), "--format", "json", found=[detection()])
    (row,) = json.loads(out)
    assert row["n_images"] == 1
    assert row["map"] == pytest.approx(51 / 101, abs=1e-9)  # one of the image's two objects: recall 0…0.50


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1\nx.jpg\n", "ids.txt: 1 of 2 are neither the id nor the file name of an image of"),
        ('[1, "y"]', "truth.json: y"),
        ("[1, 2.5]", "expected a JSON list of image ids or file names"),
        ("", "no image ids"),
        ("1\n8\n9\n", "2 of 3 image ids are not in"),
    ],
)
def test_wrong_image_ids_are_wrong_use(evaluate, files, text, message):
    (files / "ids.txt").write_text(text)
    status, out, err = evaluate("--image-ids", str(files / "ids.txt"))
    assert (status, out) == (2, "")
    assert message in err


def test_no_detections_is_zero_with_a_warning(evaluate):
    status, out, err = evaluate("--format", "json", found=[])
    assert status == 0
    assert json.loads(out)[0]["map"] == 0
    assert "no detections; every figure is 0" in err


def test_nothing_annotated_in_the_chosen_images_is_said(evaluate, files):
    document = json.loads((files / "truth.json").read_text())
    document["images"].append({"id": 3, **SIZE})
    (files / "truth.json").write_text(json.dumps(document))
    (files / "ids.txt").write_text("3")
    status, out, err = evaluate("--image-ids", str(files / "ids.txt"), "--format", "json")
    assert status == 0
    assert json.loads(out)[0]["map"] is None
    assert "nothing to average" in err


def test_unknown_image_ids_are_counted_and_named(evaluate):
    status, out, err = evaluate(found=[detection(image=k) for k in (1, 50, 51, 52, 53)])
    assert (status, out) == (2, "")
    assert "4 of 5 detections are of 4 image id(s)" in err
    assert "50, 51, 52, …" in err


def test_unknown_category_ids_are_counted_and_named(evaluate):
    status, _, err = evaluate(found=[detection(), detection(category=0), detection(category=91)])
    assert status == 2
    assert "2 of 3 detections have 2 category id(s)" in err
    assert "0, 91; expected its category ids (1 from 1 to 1)" in err


def test_corners_given_as_sizes_are_refused_with_the_remedy(evaluate):
    corners = [detection(1 + k % 2, [x, y, x + w, y + h]) for k, (x, y, w, h) in enumerate(BOXES)]
    status, out, err = evaluate(found=corners)
    assert (status, out) == (2, "")
    assert "75% of the boxes leave their image" in err
    assert "100% fit as corners x_min, y_min, x_max, y_max" in err


def test_normalized_boxes_are_refused_with_the_remedy(evaluate):
    shares = [detection(box=[x / 640, y / 480, w / 640, h / 480]) for x, y, w, h in BOXES]
    status, out, err = evaluate(found=shares)
    assert (status, out) == (2, "")
    assert "normalized" in err
    assert "multiply by the image's size" in err


def test_boxes_that_overshoot_a_little_are_evaluated(evaluate):
    status, _, _ = evaluate(found=[detection(box=[300, 250, 345, 235]), detection(2, [-5, -5, 650, 490])])
    assert status == 0


def test_boxes_in_images_of_unknown_size_are_evaluated(evaluate, files):
    document = json.loads((files / "truth.json").read_text())
    document["images"] = [{"id": 1}, {"id": 2}]
    (files / "truth.json").write_text(json.dumps(document))
    assert evaluate(found=[detection(box=[0.1, 0.1, 0.2, 0.2])])[0] == 0


@pytest.mark.parametrize("missing", ["truth.json", "found.json"])
def test_a_missing_file_is_named(evaluate, files, missing):
    (files / missing).unlink()
    status, out, err = evaluate()
    assert (status, out) == (2, "")
    assert missing in err
    assert "cannot be read" in err


def test_a_file_that_is_not_json_is_named(evaluate, files):
    (files / "truth.json").write_text("{")
    status, _, err = evaluate()
    assert status == 2
    assert "truth.json: not valid JSON" in err


@pytest.mark.parametrize(
    "arguments", [[], ["--annotations", "a.json"], ["--engine", "guess"], ["--format", "xml"]]
)
def test_wrong_options_are_wrong_use(arguments, capsys):
    with pytest.raises(SystemExit) as end:
        main(["evaluate", *arguments])
    assert end.value.code == 2
    assert capsys.readouterr().out == ""


def test_help_needs_neither_numpy_nor_an_engine():
    code = (
        "import sys; from harness.cli.main import main\n"
        "try: main(['evaluate', '--help'])\n"
        "except SystemExit: pass\n"
        "print([m for m in ('numpy', 'pandas', 'hotcoco', 'pycocotools') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "--image-ids" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"


# -- parts -------------------------------------------------------------------------------------------------------


def rows_of(out):
    return json.loads(out)


def test_a_breakdown_has_a_row_for_each_class_size_and_kind_of_error(evaluate):
    status, out, err = evaluate("--breakdown", "--format", "json", found=[detection(), detection(2)])
    rows = rows_of(out)
    assert (status, err) == (0, "")
    assert {tuple(row) for row in rows} == {BREAKDOWN_COLUMNS}
    assert [row["part"] for row in rows] == ["class"] + ["size"] * 3 + ["error"] * 6
    (person,) = [row for row in rows if row["part"] == "class"]
    assert (person["name"], person["annotations"], person["detections"]) == ("person", 4, 2)
    assert person["ap50"] == pytest.approx(26 / 101, abs=1e-9)  # one of four objects: recalls 0…0.25
    assert {row["name"]: row["count"] for row in rows if row["part"] == "error"}["missed"] == 3
    assert rows[0]["count"] is None
    assert rows[-1]["map"] is None


def test_the_breakdown_as_tables_is_readable_in_100_columns(evaluate):
    status, out, _ = evaluate("--breakdown", found=[detection(), detection(2)])
    assert status == 0
    assert max(map(len, out.splitlines())) <= 100
    lines = [line.split() for line in out.splitlines() if line.strip()]
    assert [line[0] for line in lines if line[0] in {"class", "size", "error"}][:2] == ["class", "size"]
    assert any(line[:2] == ["missed", "3"] for line in lines)


def test_curves_are_written_as_csv_beside_the_figures(evaluate, files):
    status, out, _ = evaluate("--curves", str(files / "curves.csv"), "--format", "json")
    assert status == 0
    assert tuple(rows_of(out)[0]) == COLUMNS
    with (files / "curves.csv").open(newline="") as file:
        points = list(csv.DictReader(file))
    assert len(points) == 2 * 3 * 101
    assert points[0] == {"class": "(all)", "iou": "0.50:0.95", "recall": "0.00", "precision": "1"}


def test_the_worst_images_are_drawn_and_listed(evaluate, files):
    document = json.loads((files / "truth.json").read_text())
    for image in document["images"]:
        image["file_name"] = f"{image['id']}.png"
        Image.new("RGB", (640, 480)).save(files / image["file_name"])
    (files / "truth.json").write_text(json.dumps(document))
    arguments = ["--worst", "5", "--images", str(files), "-o", str(files / "out"), "--format", "json"]
    status, out, _ = evaluate(*arguments, found=[detection()])
    rows = rows_of(out)
    assert status == 0
    assert [(row["image_id"], row["image"], row["missed"]) for row in rows] == [
        (2, "2.png", 2),
        (1, "1.png", 1),
    ]
    assert rows[0]["file"] == str(files / "out" / "worst-001-image-2.png")
    assert sorted(path.name for path in (files / "out").iterdir()) == [
        "worst-001-image-2.png",
        "worst-002-image-1.png",
    ]
    again = evaluate(*arguments)
    assert (again[0], again[1]) == (2, "")
    assert "is there already and is not replaced" in again[2]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--worst", "2"], "--worst needs --images DIR"),
        (
            ["--worst", "2", "--breakdown", "--images", ".", "-o", "x"],
            "use just one of --against, --breakdown and --worst",
        ),
        (["--images", "."], "--images is used with --worst only"),
    ],
)
def test_options_that_do_not_fit_together_are_wrong_use(evaluate, options, message):
    status, out, err = evaluate(*options)
    assert (status, out) == (2, "")
    assert message in err


def test_wrong_image_ids_are_wrong_use_for_every_part(evaluate, files):
    (files / "ids.txt").write_text("9")
    for more in (["--breakdown"], ["--worst", "1", "--images", str(files), "-o", str(files / "out")]):
        status, out, err = evaluate("--image-ids", str(files / "ids.txt"), *more)
        assert (status, out) == (2, "")
        assert "1 of 1 image ids are not in" in err


def test_a_model_is_compared_with_another_on_the_same_images(evaluate, files):
    (files / "base.json").write_text((files / "found.json").read_text())
    status, out, _ = evaluate("--against", str(files / "base.json"), "--format", "json", found=[detection()])
    (row,) = rows_of(out)
    assert (status, tuple(row)) == (0, AGAINST_COLUMNS)
    assert row["base_map"] == pytest.approx(1.0, abs=1e-9)
    assert row["new_map"] == pytest.approx(26 / 101, abs=1e-9)
    assert row["difference"] == pytest.approx(26 / 101 - 1, abs=1e-9)
    assert row["low"] <= row["difference"] <= row["high"]
    assert (row["decision"], row["n_images"]) == ("~", 2)  # two images decide nothing


def test_the_decision_needs_a_small_p():
    decided = [
        against_row(PairedDifference(0.3, 0.3 + change, change, None, None, p, 50), (0, 0))["decision"]
        for change, p in ((-0.1, 0.01), (0.1, 0.01), (0.1, 0.06))
    ]
    assert decided == ["worse", "better", "~"]


def test_the_figures_can_be_written_to_a_file(evaluate, files):
    status, out, _ = evaluate("-o", str(files / "figures.json"), "--format", "json")
    assert (status, out) == (0, "")
    assert tuple(rows_of((files / "figures.json").read_text())[0]) == COLUMNS


def test_annotations_may_be_a_folder_of_yolo_labels(files, capsys, monkeypatch):
    monkeypatch.setenv("HARNESS_CACHE", str(files / "cache"))
    for name in ("images", "labels"):
        (files / "set" / name).mkdir(parents=True)
    Image.new("RGB", (640, 480)).save(files / "set" / "images" / "1.png")
    (files / "set" / "labels" / "1.txt").write_text("1 0.5 0.5 0.25 0.5\n")
    (files / "set" / "data.yaml").write_text("val: images\nnames: [cat, dog]\n")
    (files / "found.json").write_text(json.dumps([detection(box=[240, 120, 160, 240])]))
    with pytest.raises(SystemExit):
        main([*("evaluate", "--annotations", str(files / "set"), "--detections"), str(files / "found.json")])
    assert "1.000" in capsys.readouterr().out


def test_the_interval_holds_the_map_of_real_detections(shared_data, capsys):
    folder = shared_data / "cocoapi_demo"
    paths = (folder / "instances_val2014_100.json", folder / "instances_val2014_fakebbox100_results.json")
    with pytest.raises(SystemExit):
        main(["evaluate", "--annotations", str(paths[0]), "--detections", str(paths[1]), "--format", "json"])
    (row,) = rows_of(capsys.readouterr().out)
    assert 0.40 < row["map_low"] < row["map"] < row["map_high"] < 0.56
