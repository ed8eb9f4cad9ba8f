from harness.api import compare as compare
from harness.api import load_results as load_results
from harness.api import run as run
from harness.errors import HarnessError as HarnessError
from harness.report.notebook import Run as Run
from harness.version import __version__ as __version__

__all__ = ["HarnessError", "Run", "__version__", "compare", "load_results", "run"]
