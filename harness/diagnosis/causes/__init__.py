"""The causes by name. A new cause is one small file, with a function `examine`, and one line here.

    def examine(evidence: Evidence) -> Finding | None: ...

It returns None where its test found nothing, or could not be made.
"""

from __future__ import annotations

CAUSES: dict[str, str] = {
    # name                      module
}
