#!/usr/bin/env bash
# An annotation whose id is 0 can never be found, says pycocotools; hotcoco finds it.
#
# pycocotools 2.0.11 keeps, for each detection, the id of the annotation that it matched, and reads 0 as "none"
# (COCOeval.evaluateImg and accumulate). Data sets that count annotations from 0 therefore lose one object: three
# perfect boxes give an AP of 0.442, not 1. hotcoco 1.3.0, which states the same figures as pycocotools, gives 1.0. So the two
# disagree on a file that is valid COCO, and a mAP of such a data set needs its engine named, or its ids moved.
#
# Seen (x86-64, Python 3.11):
#   first annotation id 1: pycocotools 1.0000 hotcoco 1.0000
#   first annotation id 0: pycocotools 0.4422 hotcoco 1.0000
# The script fails if either line changes.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pycocotools==2.0.11 hotcoco==1.3.0 'numpy>=1.23'
cat > compare.py <<'PY'
import contextlib
import io
import json
from pathlib import Path

import hotcoco
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

BOXES = [[10 + 60 * n, 10, 40, 40] for n in range(3)]


def ap(api, evaluator, load):
    truth = api("truth.json")
    run = evaluator(truth, getattr(truth, load)("found.json"), "bbox")
    with contextlib.redirect_stdout(io.StringIO()):
        run.evaluate()
        run.accumulate()
        run.summarize()
    return run.stats[0]


Path("found.json").write_text(
    json.dumps([{"image_id": 1, "category_id": 1, "bbox": box, "score": 0.9} for box in BOXES])
)
for first in (1, 0):
    objects = [
        {"id": first + n, "image_id": 1, "category_id": 1, "bbox": box, "area": 1600, "iscrowd": 0}
        for n, box in enumerate(BOXES)
    ]
    images, categories = [{"id": 1, "width": 400, "height": 400}], [{"id": 1, "name": "cup"}]
    Path("truth.json").write_text(
        json.dumps({"images": images, "categories": categories, "annotations": objects})
    )
    with contextlib.redirect_stdout(io.StringIO()):
        reference = ap(COCO, COCOeval, "loadRes")
    fast = ap(hotcoco.COCO, hotcoco.COCOeval, "load_res")
    print(f"first annotation id {first}: pycocotools {reference:.4f} hotcoco {fast:.4f}")
PY
venv/bin/python compare.py | grep '^first annotation' > seen
cat seen
diff seen - <<'EXPECTED'
first annotation id 1: pycocotools 1.0000 hotcoco 1.0000
first annotation id 0: pycocotools 0.4422 hotcoco 1.0000
EXPECTED
