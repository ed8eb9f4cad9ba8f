"""The page and the sheet of a diagnosis, with text that tries to steer them."""

import re
from html.parser import HTMLParser

import pytest

from harness.accuracy.dataset import find_dataset
from harness.diagnosis.diagnose import Case, Diagnosis, gather
from harness.diagnosis.document import document
from harness.diagnosis.findings import Finding, Number, Remedy
from harness.diagnosis.runs.model_pair import ModelPair, load_model
from harness.recognize.find import find_model
from harness.report.diagnosis_sheet import further_numbers, sheet, short_name, signed, verdict
from harness.report.html.diagnosis import render
from harness.report.html.levels import chart
from harness.workspace import find_workspace

HOSTILE = "<script>alert(1)</script>\x1b[31m\u202e"


@pytest.fixture(scope="module")
def diagnosis(repository):
    """The bundled pair with a finding whose every text is hostile."""
    workspace = find_workspace(str(repository))
    pair = ModelPair(
        load_model("float", find_model("shapes-float32", workspace)),
        load_model("quantized", find_model("shapes-full-integer", workspace)),
    )
    dataset = find_dataset(repository / "models/shapes/dataset").limited(8)
    finding = Finding(
        cause=HOSTILE, confidence="likely", rule=HOSTILE, sentence=HOSTILE,
        numbers=(Number(HOSTILE, HOSTILE, HOSTILE), Number("share", 0.25)), gain=None, effort="edit",
        remedy=Remedy(HOSTILE, ("harness", "edit", "a b; rm -rf /", HOSTILE)),
    )  # fmt: skip
    return Diagnosis(gather(Case(pair, dataset, layer_images=2)), (finding,))


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.seen, self.ids = [], set(), []

    def handle_starttag(self, tag, attrs):
        self.seen.add(tag)
        self.ids += [value for name, value in attrs if name == "id"]
        assert not any(name.startswith("on") for name, _ in attrs)
        if tag not in {"meta", "img", "br", "link", "hr"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_no_text_becomes_markup_and_every_element_is_closed(diagnosis):
    page = render(diagnosis)
    tags = Tags()
    tags.feed(page)
    assert not tags.open and "script" not in tags.seen
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page and "\x1b" not in page and "\u202e" not in page
    assert len(tags.ids) == len(set(tags.ids))


def test_the_policy_lets_nothing_run_or_be_loaded(diagnosis):
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', render(diagnosis))[1]
    assert "default-src 'none'" in policy and "script-src" not in policy and "unsafe" not in policy


def test_commands_are_quoted_for_a_shell(diagnosis):
    assert "&#x27;a b; rm -rf /&#x27;" in render(diagnosis)


def test_the_sheet_fits_100_columns_and_steers_no_terminal(diagnosis):
    from harness.report.consoles import make_console

    console = make_console(width=100, color_system=None)
    with console.capture() as capture:
        console.print(sheet(document(diagnosis)))
    text = capture.get()
    assert max(map(len, text.splitlines())) <= 100 and "\x1b" not in text and "\u202e" not in text


def test_the_chart_marks_every_tensor_once(diagnosis):
    layers = document(diagnosis)["layers"]
    text = chart(layers)
    assert text.count("<circle") == len(layers["layers"]) and 'role="img"' in text


def test_numbers_that_the_sentence_tells_are_not_told_again():
    numbers = [
        {"name": n, "value": v, "unit": ""}
        for n, v in (("a", 0.0612), ("b", 17), ("c", 0.5), ("d", 9), ("e", None))
    ]
    cause = {"sentence": "mAP goes up by +0.061 on 17 images", "numbers": numbers}
    cause |= {"gain": 0.5, "gain_low": None, "gain_high": None}
    assert [number["name"] for number in further_numbers(cause)] == ["d"]


@pytest.mark.parametrize(
    ("value", "text"), [(0.0004, "0.000"), (-0.0004, "0.000"), (0.25, "+0.250"), (None, "–")]
)
def test_differences_that_round_to_nothing_have_no_sign(value, text):
    assert signed(value) == text


def test_a_long_name_keeps_its_telling_end():
    assert short_name("a/b/c/Relu6;folded/stuff") == "a/b/c/Relu6"
    assert short_name("x" * 40 + "/end", 10) == "…xxxxx/end"


@pytest.mark.parametrize(
    ("lost", "decision", "words"),
    [
        (0.3, "worse", "mAP -0.300 on 2 images (95 % interval -0.400 to -0.200): accuracy was lost."),
        (-0.3, "better", "the second side is better."),
        (0.0, "~", "no difference that so many images could show."),
        (None, "~", "2 images without any annotated object"),
        (None, None, "without a float model"),
    ],
)
def test_the_verdict_says_what_the_images_show(lost, decision, words):
    ends = {"low": None, "high": None} if lost is None else {"low": lost - 0.1, "high": lost + 0.1}
    assert words in verdict({"map": lost, "decision": decision, "n_images": 2, **ends})
