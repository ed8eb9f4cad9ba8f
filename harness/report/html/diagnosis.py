"""Render a diagnosis as one HTML page without any script: plain text, tables, a chart and pictures.

Every text from outside is escaped here, in `_e`; the policy lets nothing run or be loaded.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from html import escape
from typing import TYPE_CHECKING, Any

from harness import units
from harness.diagnosis.document import command_text, document
from harness.diagnosis.pictures import Picture, pictures
from harness.report.diagnosis_sheet import (
    attempt_text,
    attribution_lines,
    between,
    break_sentence,
    number_text,
    short_name,
    shown_layers,
    signed,
    signed_between,
    verdict,
)
from harness.report.diagnosis_words import also_seen_lines, left_after, remainder_lines, side_name
from harness.report.html.build import fill, read_part
from harness.report.html.levels import chart
from harness.text import clean
from harness.version import __version__

if TYPE_CHECKING:
    from harness.diagnosis.attempt import Attempt
    from harness.diagnosis.diagnose import Diagnosis

Values = Mapping[str, Any]
QUALITY, WIDEST = 80, 1100
_NAME_WIDTH = 48
_BADGES = {"certain": "bad", "likely": "warn", "possible": ""}
_SECTIONS = (
    ("bad", "How bad"),
    ("parts", "Of what the loss consists"),
    ("where", "Where it arises"),
    ("why", "Why"),
    ("do", "What to do"),
    ("pictures", "The most different images"),
)


def render(diagnosis: Diagnosis, attempts: Sequence[Attempt] = ()) -> str:
    """Return the page of a diagnosis."""
    found = document(diagnosis, attempts)
    drawn = list(pictures(diagnosis.evidence))
    bodies = {
        "bad": _loss_section(found),
        "parts": _parts_section(found["attribution"]),
        "where": _layers_section(found["layers"]),
        "why": _causes_section(found),
        "do": _remedies_section(found),
        "pictures": _pictures(drawn),
    }
    shown = [(key, title) for key, title in _SECTIONS if bodies[key]]
    return fill(
        "diagnosis.html",
        title=_e(f"Why {found['quantized']['model']} lost accuracy" if _lost(found) else _healthy(found)),
        subtitle=_e(_subtitle(diagnosis, found)),
        style=read_part("style.css") + read_part("diagnosis.css"),
        sections="".join(f'<a href="#{key}">{title}</a>' for key, title in shown),
        body="\n".join(_section(key, title, bodies[key]) for key, title in shown),
        foot=_e(
            f"Made by ondevice-harness {__version__}. This file asks no network for anything. mAP is COCO's; intervals "
            "are 95 % intervals over images."
        ),
    )


def _lost(found: Values) -> bool:
    return bool(found["loss"]["decision"] == "worse")


def _healthy(found: Values) -> str:
    return f"Diagnosis of {found['quantized']['model']}"


def _subtitle(diagnosis: Diagnosis, found: Values) -> str:
    made = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M")
    return f"{diagnosis.evidence.dataset.name}, {units.count(found['loss']['n_images'])} images · made {made}"


def _e(text: object) -> str:
    """Escape a text from outside, on one line and without control characters."""
    return escape(clean(text).encode("utf-8", "replace").decode())


def _section(key: str, title: str, body: str) -> str:
    return f'<section id="{key}" aria-labelledby="{key}-title">\n<h2 id="{key}-title">{title}</h2>\n{body}\n</section>'


def _paragraphs(lines: Iterable[object], style: str = "") -> str:
    kind = f' class="{style}"' if style else ""
    return "".join(f"<p{kind}>{_e(line)}</p>" for line in lines if line)


def _table(caption: str, columns: Sequence[tuple[str, str]], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of (title, class) columns; the cells are HTML already, the first of each row its heading."""
    head = "".join(f'<th scope="col" class="{kind}">{_e(title)}</th>' for title, kind in columns)
    body = []
    for row in rows:
        cells = [
            f'<td class="{kind}">{cell}</td>' for cell, (_, kind) in zip(row[1:], columns[1:], strict=True)
        ]
        body.append(f'<tr><th scope="row">{row[0]}</th>{"".join(cells)}</tr>')
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{_e(caption)}"><table>'
        f'<caption class="hidden">{_e(caption)}</caption><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )


def _loss_section(found: Values) -> str:
    columns = [("side", ""), ("model", ""), ("quantization", ""), ("ran on", ""), ("mAP", "n")]
    columns += [("95 % interval", "n"), ("AP50", "n"), ("small", "n"), ("medium", "n"), ("large", "n")]
    models = [(name, found[name]) for name in ("float", "quantized") if found[name] is not None]
    rows = (_model_row(side_name(found, name), model) for name, model in models)
    table = _table("Accuracy of both sides", columns, rows)
    return f'<p class="answer">{_e(verdict(found["loss"]))}</p>{table}{_paragraphs(found["loss"]["remarks"], "note")}'


def _model_row(name: str, model: Values) -> list[str]:
    figures = [units.metric(model[key]) for key in ("ap50", "ap_small", "ap_medium", "ap_large")]
    place = f"{model['delegate_actual']} on {model['device']}"
    cells = [name, model["model"], model["quantization"], place, units.metric(model["map"])]
    return [_e(cell) for cell in (*cells, between(model["map_low"], model["map_high"]), *figures)]


def _parts_section(found: Values | None) -> str:
    if found is None:
        return ""
    largest = max((abs(part["loss"]) for part in found["parts"]), default=0.0)
    columns = [("part", ""), ("mAP lost", "n"), ("95 % interval", "n"), ("share", ""), ("alone", "n")]
    columns += [("rest", "n"), ("what it is", "")]
    rows = [_part(part, largest) for part in found["parts"]]
    rows.append(["total", _e(signed(found["total"])), "", "", "", "", "the sum of the parts"])
    table = _table("Parts of the loss", columns, rows)
    told = "alone: only this part is the second side's; rest: only this part is the float side's"
    return table + _paragraphs([told], "quiet small") + _paragraphs(attribution_lines(found))


def _part(part: Values, largest: float) -> list[str]:
    span = signed_between(part["low"], part["high"])
    figures = [_e(signed(part[key])) for key in ("alone", "rest")]
    return [
        *(_e(part["name"]), _e(signed(part["loss"])), _e(span), _meter(part["loss"], largest)),
        *figures,
        _e(part["meaning"]),
    ]


def _meter(value: float, largest: float) -> str:
    """Return a bar; gains have another color, which the figure beside it repeats in text."""
    width = 120 * abs(value) / largest if largest else 0
    kind = "gain" if value < 0 else "loss"
    bar = f'<rect class="{kind}" width="{width:.1f}" height="11"></rect>'
    return f'<svg class="meter" viewBox="0 0 120 11" width="120" height="11" aria-hidden="true">{bar}</svg>'


def _layers_section(found: Values | None) -> str:
    if found is None:
        return ""
    layers = found["layers"]
    everything = _table(
        "All tensors in the order of execution", _COLUMNS, (_layer(layer) for layer in layers)
    )
    method = f"{found['method'][:1].upper()}{found['method'][1:]}." if found["method"] else ""
    return (
        _paragraphs([break_sentence(found)])
        + f'<div class="card scroll" tabindex="0" role="region" aria-label="Chart of the SNR">{chart(found)}</div>'
        + "<p></p>"
        + _table("The tensors to look at", _COLUMNS, (_layer(layer) for layer in shown_layers(found)))
        + _paragraphs([method], "quiet small")
        + f"<details><summary>All {len(layers)} tensors</summary>{everything}</details>"
    )


_COLUMNS = (
    ("tensor", ""),
    ("operator", ""),
    ("type", ""),
    ("SNR dB", "n"),
    ("drop dB", "n"),
    ("cosine", "n"),
    ("range use", "n"),
    ("clipped", "n"),
    ("mean error", "n"),
    ("mAP lost alone", "n"),
)


def _layer(layer: Values) -> list[str]:
    cosine = units.MISSING if layer["cosine"] is None else f"{layer['cosine']:.4f}"
    alone = "" if layer["loss"] is None else signed(layer["loss"])
    name = f'<span title="{_e(layer["name"])}">{_e(short_name(layer["name"], _NAME_WIDTH))}</span>'
    return [name] + [
        _e(cell)
        for cell in (
            *(layer["operator"], layer["dtype"], units.decibels(layer["snr_db"])),
            *(
                units.decibels(layer["drop_db"]),
                cosine,
                units.share(layer["range_use"]),
                units.share(layer["clipped"]),
            ),
            *(f"{layer['mean_error']:.3g}", alone),
        )
    ]


def _causes_section(found: Values) -> str:
    steps = "".join(_cause(cause, found["loss"]) for cause in found["causes"])
    listed = f'<ol class="steps">{steps}</ol>' if steps else ""
    return listed + _paragraphs(remainder_lines(found)) + _paragraphs(also_seen_lines(found), "quiet small")


def _cause(cause: Values, loss: Values) -> str:
    badge = f'<span class="badge {_BADGES.get(cause["confidence"], "")}">{_e(cause["confidence"])}</span>'
    gain = ""
    if cause["gain"] is not None:
        span = signed_between(cause["gain_low"], cause["gain_high"])
        gain = _paragraphs([f"Without it: mAP {signed(cause['gain'])} (95 % interval {span})."])
    numbers = "".join(
        f"<div><dt>{_e(number['name'])}</dt><dd>{_e(number_text({**number, 'name': ''}).strip())}</dd></div>"
        for number in cause["numbers"]
    )
    facts = f'<dl class="facts">{numbers}</dl>' if numbers else ""
    rule = _paragraphs([f"Rule: {cause['rule']}"], "quiet small")
    left = left_after(cause, loss)
    title = f"<h3>{cause['rank']}. {_e(cause['cause'])} {badge} {_e(left)}</h3>"
    return f'<li class="card">{title}{_paragraphs([cause["sentence"]])}{gain}{facts}{rule}</li>'


def _remedies_section(found: Values) -> str:
    left = found["remainder"]
    steps = [*map(_remedy, found["remedies"]), *([] if left is None else [_step("What is left", left, "")])]
    return f'<ol class="steps">{"".join(steps)}</ol>' if steps else ""


def _remedy(remedy: Values) -> str:
    attempt = _paragraphs([attempt_text(remedy["tried"])]) if remedy["tried"] else ""
    return _step(f"{remedy['rank']}. {remedy['cause']}", remedy, attempt)


def _step(title: str, remedy: Values, attempt: str) -> str:
    command = command_text(remedy["command"])
    shown = f'<pre tabindex="0"><code>{_e(command)}</code></pre>' if command else ""
    return f'<li class="card"><h3>{_e(title)}</h3>{_paragraphs([remedy["sentence"]])}{shown}{attempt}</li>'


def _pictures(drawn: Sequence[Picture]) -> str:
    if not drawn:
        return ""
    keys = "".join(
        f'<li><span class="key {kind}"></span>{text}</li>'
        for kind, text in (
            ("found", "object that was found"),
            ("missed", "object that was missed"),
            ("right", "right detection"),
            ("wrong", "wrong detection"),
        )
    )
    return f'<ul class="legend">{keys}</ul><ul class="pictures">{"".join(map(_picture, drawn))}</ul>'


def _picture(picture: Picture) -> str:
    told = _e(f"{picture.name}: {picture.caption}")
    image = picture.image.copy()
    image.thumbnail((WIDEST, WIDEST))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=QUALITY, optimize=True)
    data = base64.b64encode(buffer.getvalue()).decode()
    size = f'width="{image.width}" height="{image.height}"'
    return (
        f'<li><figure class="card"><img src="data:image/jpeg;base64,{data}" {size} alt="{told}">'
        f"<figcaption>{told}</figcaption></figure></li>"
    )
