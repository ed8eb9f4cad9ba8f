"""Read the `pipeline.config` of the TensorFlow Object Detection API without that package.

The file is protocol buffer text (https://protobuf.dev/reference/protobuf/textformat-spec/) of
`TrainEvalPipelineConfig`. Messages are read whatever their fields are called, so configurations of any version and of
forks can be read; only the entries that a diagnosis needs are then looked up.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.errors import UsageError
from harness.paths import content_of

MAX_BYTES = 4 << 20
MAX_DEPTH = 100
_TOKEN = re.compile(
    r"""(?P<space>[\s,;]+|\#[^\n]*)
    |(?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
    |(?P<extension>\[[A-Za-z_][\w./-]*\])
    |(?P<word>[-+]?[\w.]+(?:[-+]\d+)?)
    |(?P<mark>[{}<>\[\]:])""",
    re.VERBOSE,
)
_CLOSING = {"{": "}", "<": ">"}


@dataclass
class Message:
    """Fields by name; each holds all its values, texts and messages, in order."""

    fields: dict[str, list[str | Message]] = field(default_factory=dict)

    def messages(self, *path: str) -> Iterator[Message]:
        """Yield the messages at a path of field names; `*` stands for any name."""
        if not path:
            yield self
            return
        names = self.fields if path[0] == "*" else [path[0]]
        for name in names:
            for value in self.fields.get(name, []):
                if isinstance(value, Message):
                    yield from value.messages(*path[1:])

    def text(self, *path: str) -> str | None:
        """Return the last value at a path, as protocol buffers do; None without it."""
        found = [
            value
            for message in self.messages(*path[:-1])
            for value in message.fields.get(path[-1], [])
            if isinstance(value, str)
        ]
        return found[-1] if found else None

    def number(self, *path: str) -> float | None:
        """Return a number at a path; None without it, or where it is no number."""
        text = self.text(*path)
        try:
            return None if text is None else float(text.rstrip("fF"))
        except ValueError:
            return None


def parse(text: str, name: str = "pipeline.config") -> Message:
    """Read protocol buffer text.

    Raises:
        UsageError: It is something else; names the line.
    """
    return _Parser(text, name).message("", 0)


class _Parser:
    def __init__(self, text: str, name: str) -> None:
        self.text, self.name = text, name
        self.tokens = list(self._tokens())
        self.at = 0

    def _tokens(self) -> Iterator[tuple[str, str, int]]:
        position = 0
        while position < len(self.text):
            match = _TOKEN.match(self.text, position)
            if match is None:
                raise self.error(position, f"found {self.text[position]!r}")
            if match.lastgroup not in {None, "space"}:
                yield str(match.lastgroup), match.group(), position
            position = match.end()

    def error(self, position: int, found: str) -> UsageError:
        line = self.text.count("\n", 0, position) + 1
        return UsageError(
            f"{self.name}, line {line}: {found}, expected protocol buffer text such as "
            "«image_resizer { fixed_shape_resizer { height: 300 } }»: give the pipeline.config of the training"
        )

    def peek(self) -> str:
        return self.tokens[self.at][1] if self.at < len(self.tokens) else ""

    def next(self) -> tuple[str, str, int]:
        if self.at >= len(self.tokens):
            raise self.error(len(self.text), "found the end of the file inside a message")
        self.at += 1
        return self.tokens[self.at - 1]

    def message(self, end: str, depth: int) -> Message:
        """Read fields up to the closing mark, or to the end of the file."""
        if depth > MAX_DEPTH:
            raise self.error(
                self.tokens[self.at - 1][2], f"found more than {MAX_DEPTH} messages in one another"
            )
        found = Message()
        while (self.at < len(self.tokens)) if not end else (self.peek() != end):
            kind, name, position = self.next()
            if kind not in {"word", "extension"}:
                raise self.error(position, f"found {name!r} in place of a field's name")
            if self.peek() == ":":
                self.next()
            found.fields.setdefault(name.strip("[]"), []).extend(self.values(depth))
        if end:
            self.next()
        return found

    def values(self, depth: int) -> Sequence[str | Message]:
        kind, value, position = self.next()
        if value in _CLOSING:
            return [self.message(_CLOSING[value], depth + 1)]
        if kind == "string":
            parts = [value]
            while self.at < len(self.tokens) and self.tokens[self.at][0] == "string":
                parts.append(self.next()[1])
            return ["".join(part[1:-1] for part in parts)]
        if kind == "word":
            return [value]
        if kind == "extension":
            return [value[1:-1]]
        if value == "[" and depth < MAX_DEPTH:
            found: list[str | Message] = []
            while self.peek() != "]":
                found += self.values(depth + 1)
            self.next()
            return found
        raise self.error(position, f"found {value!r} in place of a value")


@dataclass(frozen=True)
class Training:
    """The entries of a configuration that a diagnosis needs; None where it has no such entry.

    Attributes:
        size: Width and height of the network's input.
        keeps_aspect: Whether images keep their aspect ratio (`keep_aspect_ratio_resizer`).
        num_classes: Number of classes without the background.
        feature_extractor: Type of the feature extractor.
        quantization_delay: Step at which `graph_rewriter` was to begin quantization-aware training.
        score_threshold: Of the NMS.
        iou_threshold: Of the NMS.
        max_detections: Of the NMS, an image.
    """

    size: tuple[int, int] | None = None
    keeps_aspect: bool | None = None
    num_classes: int | None = None
    feature_extractor: str | None = None
    quantization_delay: int | None = None
    score_threshold: float | None = None
    iou_threshold: float | None = None
    max_detections: int | None = None

    @property
    def asks_for_qat(self) -> bool:
        """Whether `graph_rewriter` configures quantization-aware training."""
        return self.quantization_delay is not None


def read_training(path: Path | None) -> Training | None:
    """Read a `pipeline.config`; None without a path.

    Raises:
        UsageError: It cannot be read, or is no protocol buffer text.
    """
    if path is None:
        return None
    try:
        data = content_of(path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError(
            f"{path}: cannot be read ({reason}): give the pipeline.config of the training"
        ) from error
    if len(data) > MAX_BYTES:
        raise UsageError(f"{path}: found {len(data)} bytes, expected a pipeline.config of a few kB")
    return training(parse(data.decode("utf-8", "replace"), str(path)))


def training(config: Message) -> Training:
    """Look up the entries that a diagnosis needs; the kind of model (`ssd`, `faster_rcnn`, …) does not matter."""
    model = ("model", "*")
    nms = (*model, "post_processing", "batch_non_max_suppression")
    fixed = (*model, "image_resizer", "fixed_shape_resizer")
    width, height = config.number(*fixed, "width"), config.number(*fixed, "height")
    keeps = any(True for _ in config.messages(*model, "image_resizer", "keep_aspect_ratio_resizer"))
    return Training(
        size=None if width is None or height is None else (int(width), int(height)),
        keeps_aspect=True if keeps else None if width is None else False,
        num_classes=_whole(config.number(*model, "num_classes")),
        feature_extractor=config.text(*model, "feature_extractor", "type"),
        quantization_delay=_delay(config),
        score_threshold=config.number(*nms, "score_threshold"),
        iou_threshold=config.number(*nms, "iou_threshold"),
        max_detections=_whole(config.number(*nms, "max_total_detections")),
    )


def _delay(config: Message) -> int | None:
    """Return the step at which quantization was to begin; `graph_rewriter.proto` has 500,000 as its default."""
    if not any(True for _ in config.messages("graph_rewriter", "quantization")):
        return None
    delay = _whole(config.number("graph_rewriter", "quantization", "delay"))
    return 500_000 if delay is None else delay


def _whole(value: float | None) -> int | None:
    return int(value) if value is not None and abs(value) < 1 << 62 else None
