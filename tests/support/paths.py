"""Where the checkout and what lies in it are."""

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
MODELS = REPOSITORY / "models"
DATASET = MODELS / "shapes" / "dataset"
RECORDS_FORMATS = REPOSITORY / "tests" / "records_formats"
STAND_IN = REPOSITORY / "tests" / "stand_in"
SHARED_DATA = REPOSITORY.parent / "shared" / "data"
SHARED_MODELS = (
    # further files may lie beside these; no test takes them in
    "ssd_mobilenet_v1_coco_quant",
    "ssd_mobilenet_v2_fpnlite_10_256_int8",
    "yolov5n-fp16",
    "yolov5n-int8",
)
