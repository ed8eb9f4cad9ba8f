"""A gate as JUnit XML."""

from xml.etree import ElementTree as ET

import pytest

from harness.comparison.compare import compare_results
from harness.comparison.expression import parse
from harness.comparison.gate import judge
from harness.comparison.junit import to_junit

NASTY = '<script>alert("x")</script> & \x1b[31m\x00\x0b\ufffe]]> é'


def check_schema(document):
    """Hold a document against the elements, attributes and sums that readers of JUnit XML agree on."""
    root = ET.fromstring(document)
    assert root.tag == "testsuites"
    for suite in root:
        assert suite.tag == "testsuite"
        assert {"name", "tests", "failures", "errors", "skipped", "time"} <= set(suite.attrib)
        cases = suite.findall("testcase")
        assert len(cases) == len(list(suite)) == int(suite.get("tests"))
        for tag, count in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
            assert len(suite.findall(f"testcase/{tag}")) == int(suite.get(count))
        for case in cases:
            assert case.get("name") and case.get("classname") and float(case.get("time")) >= 0
            assert len(case) <= 1
            assert {part.tag for part in case} <= {"failure", "error", "skipped", "system-out"}
            assert all(
                part.get("message") and part.get("type") for part in case if part.tag in {"failure", "error"}
            )
    assert root.get("tests") == str(len(root.findall("testsuite/testcase")))
    return root


@pytest.fixture
def document(make_run):
    def make(*expressions):
        base, new = make_run("base"), make_run("new")
        for name, pace in (("good", 1.0), ("slow", 1.5), (NASTY, 1.5)):
            base.cell(name), new.cell(name, median_ms=4.2 * pace)
        base.cell("gone")
        for side in (base, new):
            side.cell("known", "edgetpu", status="skipped", median_ms=None, map_=None)
        compared = compare_results([base.folder], [new.folder])
        return to_junit(compared, judge(compared, [parse(text) for text in expressions]))

    return make


def test_passes_failures_and_errors_are_what_readers_of_junit_expect(document):
    root = check_schema(document("latency_median_ms > 5%", "size_bytes > 0"))
    counts = {name: root.get(name) for name in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": "10", "failures": "2", "errors": "2", "skipped": "1"}


def test_without_a_condition_each_matched_cell_is_a_case_that_passed(document):
    root = check_schema(document())
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("4", "0", "0")


def test_a_name_is_text_whatever_it_holds(document):
    text = document("latency_median_ms > 5%").decode("utf-8")
    assert "<script>" not in text and "\x1b" not in text
    root = check_schema(text)
    names = [case.get("classname") for case in root.iter("testcase")]
    assert any('<script>alert("x")</script> & ' in name for name in names)
