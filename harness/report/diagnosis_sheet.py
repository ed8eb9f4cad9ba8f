"""Render a diagnosis for a person, in 100 columns: how bad, where, why, what to do. Computes nothing, formats only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from harness import units
from harness.diagnosis import document
from harness.report.content import Content
from harness.report.diagnosis_words import also_seen_lines, layer_name, left_after, remainder_lines, side_name
from harness.text import clean

WIDTH = 100
BAR = 12
MOST_LAYERS = 8
_NAME_WIDTH = 28
_STYLES = {"certain": "bold red", "likely": "bold yellow", "possible": "bold"}
Values = Mapping[str, Any]


def content(found: Values) -> Content:
    """Return a diagnosis as content: a sheet for a person, one object as JSON, rows for formats with cells."""
    in_cells = dict.fromkeys(
        ("csv", "markdown"), lambda: Content(list(document.rows(found)), document.ROW_COLUMNS)
    )
    return Content([found], document.COLUMNS, own={"table": lambda: sheet(found), **in_cells})


def sheet(found: Values) -> Group:
    """Return the sections of a diagnosis, given as `harness.diagnosis.document` makes it."""
    parts: list[Any] = []
    for title, bodies in (
        ("How bad", _loss_section(found)),
        ("Of what the loss consists", _attribution(found["attribution"])),
        ("Where it arises", _layers_section(found["layers"])),
        ("Why", _causes_section(found)),
        ("What to do", _remedies_section(found)),
    ):
        if bodies:
            parts += [Text(title, style="bold"), *(Padding(body, (0, 0, 0, 2)) for body in bodies), Text("")]
    return Group(*parts[:-1])


def _loss_section(found: Values) -> list[Any]:
    columns = [("", ""), ("model", ""), ("quantization", ""), ("ran on", "")]
    columns += [("mAP", "right"), ("95 % interval", ""), ("AP50", "right")]
    models = [(name, found[name]) for name in ("float", "quantized") if found[name] is not None]
    table = _grid(columns, (_model_row(side_name(found, name), model) for name, model in models))
    return [table, *(_text(line) for line in (_verdict(found), *found["loss"]["remarks"]) if line)]


def _model_row(name: str, model: Values) -> list[object]:
    place = model["delegate_actual"] + ("" if model["device"] == "local" else f" on {model['device']}")
    figures = (
        units.metric(model["map"]),
        between(model["map_low"], model["map_high"]),
        units.metric(model["ap50"]),
    )
    return [name, model["model"], model["quantization"], place, *figures]


def signed(value: float | None) -> str:
    """Format a difference of COCO figures; one that rounds to 0 has no sign."""
    text = units.signed_metric(value)
    return text[1:] if text in {"+0.000", "-0.000"} else text


def between(low: float | None, high: float | None) -> str:
    """Format the ends of an interval of COCO figures."""
    return units.MISSING if low is None or high is None else f"{units.metric(low)} to {units.metric(high)}"


def signed_between(low: float | None, high: float | None) -> str:
    """Format the ends of an interval of differences."""
    if low is None or high is None:
        return units.MISSING
    return f"{signed(low)} to {signed(high)}"


def _verdict(found: Values) -> str:
    return verdict(found["loss"])


def verdict(loss: Values) -> str:
    """Return a sentence about the loss, as far as the images decide."""
    images = images_of(loss["n_images"])
    if loss["map"] is None and loss["decision"] is None:
        return f"{images}; without a float model there is nothing to compare with."
    if loss["map"] is None:
        return f"{images} without any annotated object: there is no accuracy to speak of."
    span = f"95 % interval {signed_between(_minus(loss['high']), _minus(loss['low']))}"
    change = f"mAP {signed(_minus(loss['map']))} on {images} ({span})"
    words = {"worse": "accuracy was lost", "better": "the second side is better"}
    return f"{change}: {words.get(loss['decision'], 'no difference that so many images could show')}."


def images_of(n: int) -> str:
    """Return a number of images in words."""
    return units.counted(n, "image")


def _minus(value: float | None) -> float | None:
    return None if value is None else -value + 0.0


def _attribution(found: Values | None) -> list[Any]:
    if found is None:
        return []
    largest = max((abs(part["loss"]) for part in found["parts"]), default=0.0)
    columns = [("part", ""), ("mAP lost", "right"), ("95 % interval", ""), ("", ""), ("what it is", "")]
    rows = [
        [
            part["name"],
            signed(part["loss"]),
            signed_between(part["low"], part["high"]),
            bar(part["loss"], largest),
            part["meaning"],
        ]
        for part in found["parts"]
    ]
    rows.append(["total", signed(found["total"]), "", "", "the sum of the parts"])
    return [_grid(columns, rows), *(_text(line) for line in attribution_lines(found))]


def bar(value: float, largest: float) -> str:
    """Return a bar for a loss; none for a gain."""
    return "█" * round(BAR * value / largest) if largest > 0 and value > 0 else ""


def attribution_lines(found: Values) -> list[str]:
    """Return sentences about the method of the parts, about objects and about sizes."""
    sizes = ", ".join(
        f"{size['name']} {signed(_minus(size['loss']))}"
        for size in found["sizes"]
        if size["loss"] is not None
    )
    lost, gained, n = found["objects_lost"], found["objects_gained"], units.count(found["n_objects"])
    lines = [f"Found by swapping {found['method']}: {found['reason']}."]
    lines += [f"AP by the size of the objects: {sizes}."] if sizes else []
    return [*lines, f"Of {n} objects, {lost} are found by the float side only, {gained} by the other only."]


def _layers_section(found: Values | None) -> list[Any]:
    if found is None:
        return []
    columns = [("tensor", ""), ("operator", ""), ("SNR dB", "right"), ("drop", "right"), ("clipped", "right")]
    columns += [("range use", "right"), ("mAP lost", "right")]
    chosen = shown_layers(found)
    caption = "The input, the first break, and the tensors that lose most, from the input to the outputs:"
    table = _grid(columns, (_layer(layer) for layer in chosen))
    more = len(found["layers"]) - len(chosen)
    tail = f"… and {more} more tensors; --format json and --html have them all." if more > 0 else ""
    return [
        _text(break_sentence(found)),
        _text(caption),
        table,
        *(_text(line) for line in (tail, _method(found)) if line),
    ]


def _method(found: Values) -> str:
    return f"{found['method'][:1].upper()}{found['method'][1:]}." if found["method"] else ""


def shown_layers(found: Values) -> list[Values]:
    """Return the layers to show a person: the input, the first break, and those that cost or lose most."""
    layers = found["layers"]
    chosen = [
        layer for layer in layers if layer["operator"] == "INPUT" or layer["name"] == found["first_break"]
    ]
    costly = sorted(
        (layer for layer in layers if layer["loss"] is not None), key=lambda layer: -layer["loss"]
    )
    steep = sorted(
        layers, key=lambda layer: -(layer["drop_db"] or 0.0) if layer["operator"] != "INPUT" else 0.0
    )
    for layer in (*costly[: MOST_LAYERS // 2], *steep):
        if len(chosen) < MOST_LAYERS and layer not in chosen:
            chosen.append(layer)
    return [layer for layer in layers if layer in chosen]


def break_sentence(found: Values) -> str:
    """Return a sentence about the first break."""
    images = f"{len(found['layers'])} tensors on {images_of(found['n_images'])}"
    if found["first_break"] is None:
        return f"Compared {images}: {found['rule']}."
    return f"Compared {images}. It breaks at {layer_name(found['first_break'])}: {found['rule']}."


def _layer(layer: Values) -> list[object]:
    return [
        short_name(layer["name"]),
        layer["operator"],
        units.decibels(layer["snr_db"]),
        units.decibels(layer["drop_db"]) if layer["operator"] != "INPUT" else "",
        units.share(layer["clipped"]),
        units.share(layer["range_use"]),
        "" if layer["loss"] is None else signed(layer["loss"]),
    ]


def short_name(name: str, width: int = _NAME_WIDTH) -> str:
    """Return the significant end of a tensor's name, for a table."""
    return layer_name(name, width)


def _causes_section(found: Values) -> list[Any]:
    causes = [_cause(cause, found["loss"]) for cause in found["causes"]]
    return [*causes, *map(_text, [*remainder_lines(found), *also_seen_lines(found)])]


def _cause(cause: Values, loss: Values) -> Table:
    title = Text.assemble(
        (clean(cause["cause"]), "bold"), "  ", (cause["confidence"], _STYLES.get(cause["confidence"], ""))
    )
    if cause["gain"] is not None:
        span = signed_between(cause["gain_low"], cause["gain_high"])
        title.append(f"  without it mAP {signed(cause['gain'])} ({span})")
    left = left_after(cause, loss)
    if left:
        title.append(f"; {left}", "bold yellow")
    more = "; ".join(number_text(number) for number in further_numbers(cause))
    lines = [_text(line) for line in (cause["sentence"], more, f"Rule: {cause['rule']}") if line]
    return _item(f"{cause['rank']}.", [title, *lines])


def _item(mark: str, lines: Sequence[Text]) -> Table:
    """Return the lines of a numbered item, wrapped and indented."""
    table = Table.grid(padding=(0, 1))
    table.add_column(justify="right", no_wrap=True)
    table.add_column(overflow="fold")
    for number, line in enumerate(lines):
        table.add_row("" if number else mark, line)
    return table


def further_numbers(cause: Values) -> list[Values]:
    """Return the numbers behind a finding that are neither in its sentence nor in its gain."""
    told = cause["sentence"]
    gains = {cause[key] for key in ("gain", "gain_low", "gain_high")} - {None}
    return [
        number
        for number in cause["numbers"]
        if number["value"] not in (*gains, None) and not any(form in told for form in _forms(number["value"]))
    ]


def _forms(value: Any) -> set[str]:
    """Return the forms in which a sentence may write a number."""
    if isinstance(value, float):
        return {f"{value:.3f}", f"{value:+.3f}", f"{value:.4g}", f"{value:.3g}", f"{value:g}"}
    return set() if value is None else {str(value)}


def number_text(number: Values) -> str:
    """Format one number behind a finding."""
    value = number["value"]
    shown = units.MISSING if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
    return f"{number['name']} {shown}{' ' + number['unit'] if number['unit'] else ''}"


def _remedies_section(found: Values) -> list[Any]:
    steps = [_remedy(remedy) for remedy in found["remedies"]]
    left = found["remainder"]
    return steps if left is None else [*steps, _item("→" if steps else "1.", _step(left))]


def _remedy(remedy: Values) -> Table:
    lines = _step(remedy)
    if remedy["tried"] is not None:
        lines.append(_text(attempt_text(remedy["tried"])))
    return _item(f"{remedy['rank']}.", lines)


def _step(remedy: Values) -> list[Text]:
    """Return a sentence and the command that goes with it."""
    from harness.diagnosis.document import command_text

    lines = [_text(remedy["sentence"])]
    if remedy["command"] is not None:
        lines.append(Text(clean(command_text(remedy["command"])), style="cyan", overflow="fold"))
    return lines


def attempt_text(attempt: Values) -> str:
    """Return a sentence about the attempt that `--try` measured."""
    return f"Tried: {attempt['sentence']}"


def _text(value: object) -> Text:
    return Text(clean(units.MISSING if value is None else value))


def _grid(columns: Iterable[tuple[str, str]], rows: Iterable[Sequence[object]]) -> Table:
    """Return a table of (title, justify) columns."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for title, justify in columns:
        align: Any = justify or "left"
        table.add_column(title, justify=align, overflow="fold")
    for row in rows:
        table.add_row(*(_text(value) for value in row))
    return table
