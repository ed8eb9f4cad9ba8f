"""Images that belong together, as the frames of a clip do, by the names of their files."""

from __future__ import annotations

import re
from dataclasses import replace

import msgspec

from harness.accuracy.annotations import GroundTruth, ImageRow


def put_together(truth: GroundTruth, pattern: str) -> GroundTruth:
    """Give images whose names share what a pattern finds in them one `video_id`.

    Args:
        truth: The annotations; a `video_id` that they state themselves is replaced.
        pattern: A regular expression that is looked for in each image's file name. Its first group tells what belongs
            together, all of what it finds where it has none. Images in whose names it finds nothing stand for
            themselves.

    Example:
        `^(.+)_frame` puts `park-2_frame0001.jpg` and `park-2_frame0002.jpg` together, `^(.+)/` all of a folder.
    """
    compiled = re.compile(pattern)
    return replace(truth, images=tuple(_of(row, compiled) for row in truth.images))


def _of(row: ImageRow, pattern: re.Pattern[str]) -> ImageRow:
    found = pattern.search(row.file_name)
    name = None if found is None else found[1 if pattern.groups else 0]
    return msgspec.structs.replace(row, video_id=name)
