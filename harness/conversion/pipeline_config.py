"""Read what a `pipeline.config` of the Object Detection API says: text in protocol buffers' own format."""

from __future__ import annotations

import re
from pathlib import Path

from harness.paths import is_file

_NMS = re.compile(r"batch_non_max_suppression\s*\{(?P<body>[^}]*)\}")
_ANCHORS = re.compile(r"\bssd_anchor_generator\s*\{(?P<body>[^}]*)\}")
_ENTRY = re.compile(r"(?P<key>\w+)\s*:\s*(?P<value>[-+.\w]+)")
_WORDS = {"true": 1.0, "false": 0.0}


def beside(source: Path | str) -> Path | None:
    """Return the `pipeline.config` that lies beside a graph, or in a SavedModel's folder."""
    source = Path(source)
    places = (source.parent / "pipeline.config", source / "pipeline.config")
    return next((path for path in places if is_file(path)), None)


def read_nms(config: Path | None) -> dict[str, float]:
    """Return the settings of the suppression; empty without a file or without a section."""
    return _section(config, _NMS)


def read_anchors(config: Path | None) -> dict[str, float]:
    """Return the settings of `ssd_anchor_generator`; empty without a file or without a section."""
    return _section(config, _ANCHORS)


def _section(config: Path | None, pattern: re.Pattern[str]) -> dict[str, float]:
    found = pattern.search(config.read_text("utf-8", "replace")) if config is not None else None
    if found is None:
        return {}
    entries = ((entry["key"], entry["value"]) for entry in _ENTRY.finditer(found["body"]))
    return {key: value for key, text in entries if (value := _number(text)) is not None}


def _number(text: str) -> float | None:
    try:
        return _WORDS.get(text) if text in _WORDS else float(text)
    except ValueError:
        return None
