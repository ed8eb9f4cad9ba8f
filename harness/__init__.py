"""On-device benchmarking and accuracy of TFLite/LiteRT object detectors.

import harness
frame = harness.run(["shapes-float32"], delegates=["cpu:1"])
frame = harness.load_results("results")
frame = harness.compare("results/base", "results/new")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

__all__ = ["HarnessError", "Run", "__version__", "compare", "load_results", "run"]

if TYPE_CHECKING:
    from harness.api import compare, load_results, run
    from harness.errors import HarnessError
    from harness.report.notebook import Run


def __getattr__(name: str) -> Any:
    """Import late: `harness --help` must not load numpy and pandas."""
    if name in {"run", "load_results", "compare"}:
        from harness import api

        return getattr(api, name)
    if name == "HarnessError":
        from harness.errors import HarnessError

        return HarnessError
    if name == "Run":
        from harness.report.notebook import Run

        return Run
    raise AttributeError(f"module 'harness' has no attribute {name!r}")
