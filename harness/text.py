"""Text from outside (names, reasons, a device's answers) made fit to be shown."""

from __future__ import annotations

import re

_SEQUENCE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)")
"""Colours, cursor movements (CSI) and titles (OSC), whole."""
_SPACE = re.compile(r"[\t\n\v\f\r\x1c-\x1e\x85\u2028\u2029]+")
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_UNSEEN_IN_LINES = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def clean(text: object) -> str:
    """Return the text on one line, without characters that steer a terminal.

    Line ends and tabs become a space; all other C0 and C1 controls, and the marks that turn the direction of
    writing, are taken out.
    """
    return _UNSEEN.sub("", _SPACE.sub(" ", _SEQUENCE.sub("", str(text))))


def clean_lines(text: object) -> str:
    """Return the text without characters that steer a terminal, keeping its line ends."""
    return _UNSEEN_IN_LINES.sub("", _SEQUENCE.sub("", str(text)).replace("\t", "    "))
