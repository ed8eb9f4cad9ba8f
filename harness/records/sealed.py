"""A checksum in a JSON file over the rest of it, so that a bit that flips on the disk is noticed.

It is the first key of the file: the CRC-32 of every byte behind its comma. A tool that only lays a file out anew harms
nothing, because what differs there is laid out as we do and looked at once more. Files from before, without the key,
are taken as they are.
"""

from __future__ import annotations

import re
import zlib
from typing import Any

import msgspec

KEY = "crc32"
_HEAD = re.compile(rb'\{\n "crc32": (\d+),')


def seal(document: bytes) -> bytes:
    """Return a JSON object, laid out by `lay_out`, with its checksum in front."""
    rest = document[1:]
    return b'{\n "%s": %d,%s' % (KEY.encode(), zlib.crc32(rest), rest)


def lay_out(value: Any) -> bytes:
    """Return a value as JSON, a line a key."""
    return msgspec.json.format(msgspec.json.encode(value), indent=1)


def is_intact(data: bytes | bytearray) -> bool:
    """Whether a document is as it was written; also where it has no checksum.

    Raises:
        msgspec.MsgspecError: It is no JSON.
    """
    head = _HEAD.match(data)
    if head is not None and zlib.crc32(memoryview(data)[head.end() :]) == int(head[1]):
        return True
    if b'"%s"' % KEY.encode() not in data:
        return True
    return _is_intact_as_laid_out(msgspec.json.decode(data))


def _is_intact_as_laid_out(document: Any) -> bool:
    if not isinstance(document, dict) or KEY not in document:
        return True
    known = document.pop(KEY)
    return bool(zlib.crc32(lay_out(document)[1:]) == known)
