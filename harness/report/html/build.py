"""Build the page: template, style, scripts and data in one text that makes no network request.

Nothing in the data can become markup: it is embedded as JSON without `<`, `>` and `&`, and the scripts write it as text
only. The content security policy names the hashes of the two inline blocks, so that nothing else can run or be loaded.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

import msgspec

from harness.report.html import tables
from harness.report.html.data import make_document, shown_pairs
from harness.report.shown import PairedAccuracy
from harness.rows.beside import Pair
from harness.rows.frame import Results, Row

SCRIPTS = ("format", "dom", "data", "choose", "plot", "scatter", "decision", "charts", "operators", "images",
           "detail", "table", "tables", "overview", "main")  # fmt: skip
"""The scripts in the order they are read; each file has one idea."""
_ESCAPES = {char: f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}


def render(
    results: Results,
    rows: list[Row],
    sort: str | None = None,
    *,
    group_by: str | None = None,
    beside: Sequence[Row] = (),
    pairs: Sequence[Pair] = (),
) -> str:
    """Return the report as one HTML document.

    Args:
        results: The records, and the folders of their runs.
        rows: One row of public columns for each of the records, in the same order.
        sort: The column that the table is first sorted by; with a leading `-` descending.
        group_by: A column; the page then has a pivot for each of its values.
        beside: Published rows, for the pivots.
        pairs: Published rows, each with one that was measured, which the page shows in a table of their own.
    """
    is_shown = PairedAccuracy(results)
    document = make_document(results, rows, sort)
    document["shown"] = shown_pairs(rows, is_shown)
    document["pivots"] = tables.pivots([*rows, *beside], group_by, is_shown)
    document["published"] = tables.published(pairs)
    return fill(
        "page.html",
        title=escape(document["title"].encode("utf-8", "replace").decode()),
        style=read_part("style.css"),
        script=page_script(),
        data=to_script_json(document),
    )


def fill(template: str, *, title: str, style: str, script: str | None = None, **values: str) -> str:
    """Return a page: the head that all pages have, and a body with its values.

    Args:
        template: The file of the body.
        title: Title, safe as markup.
        style: The style sheet.
        script: The only script that may run; None for a page without one.
        values: Further values of the body, safe as markup.
    """
    whole = Template(read_part("head.html") + read_part(template))
    return whole.substitute(
        values, title=title, style=style, script=script or "", policy=_policy(style, script)
    )


def to_script_json(document: Any) -> str:
    """Return JSON that is safe in a `<script>` element: no character of it can end or open a tag."""
    text = _json(document)
    for char, escape_ in _ESCAPES.items():  # on megabytes a tenth of the time of `translate`
        text = text.replace(char, escape_)
    return text.encode("utf-8", "backslashreplace").decode()


def _json(document: Any) -> str:
    """Return JSON, in a fifth of the time of the standard library but for text that is not Unicode."""
    try:
        return msgspec.json.encode(document).decode()
    except UnicodeEncodeError:
        return json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _policy(style: str, script: str | None) -> str:
    """Return the content security policy of a page with images of its own, its style and at most its script."""
    runs = "" if script is None else f"script-src {_hash(script)}; "
    return f"default-src 'none'; img-src data:; style-src {_hash(style)}; {runs}base-uri 'none'; form-action 'none'"


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def page_script() -> str:
    """Return the script of the page, all its parts in one scope."""
    parts = "\n".join(read_part(f"js/{name}.js") for name in SCRIPTS)
    return f'(() => {{\n"use strict";\n{parts}\n}})();\n'


def read_part(name: str) -> str:
    """Return a file of this package as text."""
    return files(__package__).joinpath(name).read_text(encoding="utf-8").replace("\r\n", "\n")
