"""Where the checkout and what lies in it are."""

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
MODELS = REPOSITORY / "models"
DATASET = MODELS / "shapes" / "dataset"
RECORDS_FORMATS = REPOSITORY / "tests" / "records_formats"
STAND_IN = REPOSITORY / "tests" / "stand_in"
SHARED_DATA = REPOSITORY.parent / "shared" / "data"
