from harness.api.compare import compare as compare
from harness.api.convert import convert as convert
from harness.api.detect import detect as detect
from harness.api.diagnose import diagnose as diagnose
from harness.api.evaluate import evaluate as evaluate
from harness.api.inspect import inspect as inspect
from harness.api.load_results import load_results as load_results
from harness.api.quantize import quantize as quantize
from harness.api.run import run as run
from harness.errors import HarnessError as HarnessError
from harness.report.notebook import Run as Run
from harness.version import __version__ as __version__

__all__ = [
    "Run",
    "__version__",
    "compare",
    "convert",
    "detect",
    "diagnose",
    "evaluate",
    "inspect",
    "load_results",
    "quantize",
    "run",
]
