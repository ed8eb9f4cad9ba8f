"""The words of closed vocabularies: each has one home, and is nothing but its text wherever it is written."""

import ast
import json
import pickle
import re
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path

import msgspec
import pandas as pd
import pytest

import harness
from harness.delegates import KINDS
from harness.vocabulary import (
    CUT_SHORT,
    FAILURES,
    FLOAT_WEIGHTS,
    MEASURED,
    NO_ACCURACY,
    WORST_FIRST,
    Quantization,
    Status,
    Verdict,
    Word,
)

PACKAGE = Path(harness.__file__).parent
WORDS = frozenset(map(str, (*Status, *Verdict)))
NO_STATUS = {
    ("comparison/junit.py", "skipped"): "an attribute and an element of JUnit's XML",
    ("diagnosis/causes/emulations.py", "emulated"): "the name of a change",
    ("drivers/content.py", "ok"): "what a script on the device prints",
    ("drivers/coral/attached.py", "throttled"): "a folder of libedgetpu's builds",
    ("report/comparison_summary.py", "failed"): "a word of a sentence",
    ("bench/engines/native_worker/session.py", "timeout"): "a reason that the worker gives",
    ("worker/events.py", "failed"): "a kind of event",
}
"""Literals that read like a status or a verdict and are none."""


NO_DELEGATE = {
    ("bench/engines/native/evaluation.py", "gpu"): "a value of a flag of eval_coco_object_detection",
    ("bench/engines/native/evaluation.py", "hexagon"): "a value of a flag of eval_coco_object_detection",
    ("bench/engines/native/evaluation.py", "nnapi"): "a value of a flag of eval_coco_object_detection",
    ("cli/edgetpu.py", "edgetpu"): "a command",
    ("cli/main.py", "edgetpu"): "a command",
    ("cli/main.py", "npu"): "a command",
    ("cli/npu.py", "npu"): "a command",
    ("drivers/adb/describe.py", "gpu"): "a fact of a phone",
    ("drivers/adb/facts.py", "gpu"): "a part of what a script on the phone prints",
    ("drivers/linux_facts.py", "cpu"): "a part of what a script on the device prints",
    ("drivers/benchmark_tool/flags.py", "gpu"): "a back end of QNN",
    ("native/job.py", "xnnpack"): "a table of LiteRT's options",
    ("worker/litert_c.py", "xnnpack"): "a table of LiteRT's options",
}
"""Literals that read like a kind of delegate and are none."""


def test_a_status_or_verdict_is_never_spelt_out_in_the_package() -> None:
    assert spelt_out(WORDS) == set(NO_STATUS)


NO_QUANTIZATION = {
    ("conversion/facts.py", "qat-uint8"),
    ("conversion/routes.py", "qat-uint8"),
    ("conversion/workflow.py", "qat-uint8"),
    ("conversion/graph_def.py", "qat-uint8"),
    ("conversion/request.py", "qat-uint8"),
    ("vocabulary.py", "qat-uint8"),
    ("quantization/modes.py", "weight-only"),
    ("quantization/request.py", "weight-only"),
    *(
        ("rows/pareto.py", str(word))
        for word in Quantization
        if word not in FLOAT_WEIGHTS | {Quantization.UNKNOWN}
    ),
}
"""Names of ways to quantize and convert, and words in names of models."""


def test_a_quantization_is_never_spelt_out_in_the_package() -> None:
    types = {*FLOAT_WEIGHTS, Quantization.UNKNOWN}  # these are types of tensors too, and what any fact can be
    assert spelt_out(set(Quantization) - types) == NO_QUANTIZATION


def test_a_kind_of_delegate_is_spelt_out_in_its_table_alone() -> None:
    found = spelt_out({*KINDS, *(kind.runs_as for kind in KINDS.values())})
    assert {(file, word) for file, word in found if file != "delegates.py"} == set(NO_DELEGATE)


def spelt_out(words: Collection[str]) -> set[tuple[str, str]]:
    """Every file of the package with the words of a vocabulary that stand in it as literals."""
    return {(file, word) for file, found in all_literals().items() for word in found if word in words}


@cache
def all_literals() -> dict[str, frozenset[str]]:
    """The strings that stand in each file of the package as literals."""
    return {
        path.relative_to(PACKAGE).as_posix(): frozenset(literals(ast.parse(path.read_text(encoding="utf-8"))))
        for path in PACKAGE.rglob("*.py")
    }


def literals(tree: ast.AST) -> Iterator[str]:
    """The strings of a module without those that are members of a vocabulary."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif not is_vocabulary(node):
            yield from literals(node)


def is_vocabulary(node: ast.AST) -> bool:
    return isinstance(node, ast.ClassDef) and [ast.unparse(base) for base in node.bases] == ["Word"]


def test_the_scripts_of_the_page_know_no_other_status_or_verdict() -> None:
    scripts = "\n".join(path.read_text(encoding="utf-8") for path in PACKAGE.rglob("report/html/js/*.js"))
    compared = re.findall(
        r'(?:text\(row, "(?:status|verdict)"\)|label\(row\)|status) [!=]== "([^"]+)"', scripts
    )
    assert {"ok", "fallback", "trusted"} <= set(compared) <= WORDS


@pytest.mark.parametrize("word", [*Status, *Verdict, *Quantization])
def test_a_word_is_its_text_however_it_is_written(word: Word) -> None:
    text = word.value
    assert type(text) is str
    assert (str(word), f"{word}", f"{word:>20}", repr(word)) == (text, text, f"{text:>20}", repr(text))
    assert json.dumps({word: word}) == json.dumps({text: text})
    assert msgspec.json.encode({word: [word]}) == msgspec.json.encode({text: [text]})
    assert msgspec.msgpack.encode(word) == msgspec.msgpack.encode(text)
    assert pd.Series([word], dtype="string").tolist() == [text]
    assert pickle.loads(pickle.dumps(word)) is word


@pytest.mark.parametrize("word", [*Status, *Verdict, *Quantization])
def test_a_word_and_its_text_are_interchangeable(word: Word) -> None:
    assert word == word.value
    assert hash(word) == hash(word.value)
    assert msgspec.convert(word.value, type(word)) is word


def test_every_status_but_ok_and_skipped_has_its_weight() -> None:
    assert {*WORST_FIRST, Status.OK, Status.SKIPPED} == set(Status)


def test_the_sets_of_statuses_say_what_a_row_may_show() -> None:
    assert MEASURED.isdisjoint(FAILURES | NO_ACCURACY)
    assert CUT_SHORT < FAILURES
    assert not FAILURES & NO_ACCURACY
