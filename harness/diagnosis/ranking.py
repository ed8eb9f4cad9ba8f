"""Which cause to look at first."""

from __future__ import annotations

from collections.abc import Sequence

from harness.diagnosis.findings import EFFORTS, Finding

_CONFIDENCES = ("certain", "likely", "possible")


def rank(findings: Sequence[Finding]) -> list[Finding]:
    """Sort by confidence, then by the gain that was measured, then by effort."""
    return sorted(findings, key=_key)


def _key(finding: Finding) -> tuple[int, float, int]:
    gain = finding.gain.difference if finding.gain is not None else None
    return _CONFIDENCES.index(finding.confidence), -(gain or 0.0), EFFORTS.index(finding.effort)
