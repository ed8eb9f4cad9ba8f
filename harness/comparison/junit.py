"""Write a gate as JUnit XML, which CI systems show beside their tests.

One test suite, one test case a cell and condition: `failure` where the gate fails, `error` where the data
cannot decide. The format as its readers agree on it: https://github.com/testmoapp/junitxml.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from xml.etree import ElementTree as ET

from harness.comparison import design
from harness.comparison.compare import RunComparison
from harness.comparison.gate import Finding, GateResult, Outcome, doubt
from harness.text import clean

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that no XML 1.0 document may hold, not even escaped (section 2.2 of the standard)."""

_TAGS = {Outcome.FAIL: "failure", Outcome.UNDECIDED: "error"}


def to_junit(compared: RunComparison, verdict: GateResult) -> bytes:
    """Return the document; without conditions each matched cell is one case that passed."""
    suite = ET.Element("testsuite", _counts("harness compare", verdict.findings, len(compared.comparisons)))
    cases = verdict.findings
    for finding in cases:
        suite.append(_case(finding))
    if not cases:
        suite.extend(_plain_cases(compared))
    pairs = [one.pair for one in compared.comparisons]
    said = "\n".join((*design.pairing(pairs), *design.remarks(pairs)))
    if said:
        ET.SubElement(suite, "system-out").text = _safe(said)
    root = ET.Element("testsuites", dict(suite.attrib))
    root.append(suite)
    ET.indent(root)
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def _counts(name: str, findings: Sequence[Finding], n_cells: int) -> dict[str, str]:
    outcomes = [finding.outcome for finding in findings]
    return {
        "name": name,
        "tests": str(len(findings) or n_cells),
        "failures": str(outcomes.count(Outcome.FAIL)),
        "errors": str(outcomes.count(Outcome.UNDECIDED)),
        "skipped": str(sum(not finding.judged for finding in findings)),
        "time": "0",
    }


def _case(finding: Finding) -> ET.Element:
    case = _empty_case(finding.cell, str(finding.condition))
    tag = _TAGS.get(finding.outcome)
    if not finding.judged:
        ET.SubElement(case, "skipped", {"message": _safe(finding.text)})
    elif tag is None:
        ET.SubElement(case, "system-out").text = _safe(finding.text)
    else:
        found = ET.SubElement(case, tag, {"message": _safe(finding.text), "type": finding.outcome})
        found.text = _safe(f"{finding.cell}: {finding.text}")
    return case


def _plain_cases(compared: RunComparison) -> Iterable[ET.Element]:
    for one in compared.comparisons:
        case = _empty_case(one.pair.name, "compared")
        doubts = {side: doubt(getattr(one, side)) for side in ("base", "new")}
        words = [f"the {side} is {word}" for side, word in doubts.items() if word]
        if words:
            ET.SubElement(case, "system-out").text = _safe(", ".join(words))
        yield case


def _empty_case(cell: str, name: str) -> ET.Element:
    return ET.Element("testcase", {"classname": _safe(cell), "name": _safe(name), "time": "0"})


def _safe(text: str) -> str:
    return _NOT_XML.sub("\ufffd", clean(text))
