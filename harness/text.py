"""Text from outside (names, reasons, a device's answers) made fit to be shown."""

from __future__ import annotations

import os
import re
import shlex

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
    whole = str(text)
    if whole.isprintable():  # none of them is, and most texts are
        return whole
    return _UNSEEN.sub("", _SPACE.sub(" ", _SEQUENCE.sub("", whole)))


def shell_path(path: os.PathLike[str] | str) -> str:
    """Return a path as a shell takes it: quoted where it must be, on one line, with every byte."""
    whole = os.fspath(path)
    if whole.isprintable():
        return shlex.quote(whole)
    plain = "".join(
        chr(b) if 32 <= b < 127 and chr(b) not in "'\\" else f"\\x{b:02x}" for b in os.fsencode(whole)
    )
    return f"$'{plain}'"


def clean_lines(text: object) -> str:
    """Return the text without characters that steer a terminal, keeping its line ends."""
    return _UNSEEN_IN_LINES.sub("", _SEQUENCE.sub("", str(text)).replace("\t", "    "))
