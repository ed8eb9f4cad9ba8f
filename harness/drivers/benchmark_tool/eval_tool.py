"""What TFLite's evaluation tools print: eval_coco_object_detection and eval_inference_diff. Nothing here raises.

Sources: tflite/tools/evaluation/tasks/coco_object_detection/run_eval.cc and tasks/inference_diff/run_eval.cc.

The mAP that eval_coco_object_detection computes is not COCO's on a subset (a class that is predicted but absent from
the ground truth counts as 0; no crowds, no areas), so it is kept as what it is and never reported: its detections of
each image (`--debug_mode=true`) go through our own metric. Both tools fall back to the CPU in silence, so what they
print proves nothing about a delegate.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from harness.drivers.benchmark_tool.lines import number, signed, split, whole
from harness.drivers.benchmark_tool.parse import how_it_ended
from harness.vocabulary import Status

_LATENCY = re.compile(
    r"(Preprocessing|Inference|Reference run|Test run) latency: avg=(\S+)\(us\), std_dev=(\S+)\(us\)"
)
_PRECISION = re.compile(r"Average Precision \[IOU Threshold=(\S+)\]: (\S+)")
_DIFF = re.compile(r"OutputDiff\[([0-9]+)\]: avg_error=([^,]+), std_dev=(\S+)")
_BOX_ROWS = {
    "Score": "score",
    "Class-ID": "class_id",
    "Normalized Top": "top",
    "Normalized Bottom": "bottom",
    "Normalized Left": "left",
    "Normalized Right": "right",
}


@dataclass(frozen=True)
class Latency:
    """A latency that the tool averaged; it prints neither the samples nor their number for each phase."""

    mean_ns: int
    std_ns: int


@dataclass(frozen=True)
class EvalDetection:
    """One detection as the tool prints it: shares (0…1) of the image, the class as the model counts."""

    score: float
    class_id: int
    top: float
    bottom: float
    left: float
    right: float


@dataclass(frozen=True)
class EvalImage:
    """The detections of one image. `whole` is False when the output ended before the next image began."""

    name: str
    detections: tuple[EvalDetection, ...]
    whole: bool = True


@dataclass(frozen=True)
class EvalOutput:
    """One run of an evaluation tool.

    Attributes:
        status: `ok` when it ended well and told its results, else `failed`.
        reasons: Why it failed.
        n_runs: Images or inferences.
        latencies: By phase: `Preprocessing`, `Inference`, `Reference run`, `Test run`.
        own_precision: The tool's own average precision by IoU threshold. Not COCO's.
        own_map: Its own mean of them. Not COCO's.
        images: Detections by image, when it was asked for them.
        differences: eval_inference_diff: mean absolute error and its standard deviation for each output.
        warnings: What it warned of.
    """

    status: Status
    exit_code: int | None
    reasons: tuple[str, ...] = ()
    n_runs: int | None = None
    latencies: dict[str, Latency] = field(default_factory=dict)
    own_precision: dict[float, float] = field(default_factory=dict)
    own_map: float | None = None
    images: tuple[EvalImage, ...] = ()
    differences: tuple[tuple[float, float], ...] = ()
    warnings: tuple[str, ...] = ()


def parse_eval(stdout: str, stderr: str, exit_code: int | None) -> EvalOutput:
    """Read what an evaluation tool printed, standard error merged in or apart."""
    reader = _Reader()
    for level, words in split(f"{stdout}\n{stderr}"):
        reader.read(level, words.strip())
    reader.end_image(whole=False)
    complete = reader.own_map is not None or bool(reader.differences)
    succeeded = exit_code == 0 and complete
    return EvalOutput(
        status=Status.OK if succeeded else Status.FAILED,
        exit_code=exit_code,
        reasons=() if succeeded else (reader.why(exit_code),),
        n_runs=reader.n_runs,
        latencies=reader.latencies,
        own_precision=reader.own_precision,
        own_map=reader.own_map,
        images=tuple(reader.images),
        differences=tuple(reader.differences),
        warnings=tuple(dict.fromkeys(reader.warnings)),
    )


@dataclass
class _Reader:
    """Collects while the lines go by."""

    n_runs: int | None = None
    latencies: dict[str, Latency] = field(default_factory=dict)
    own_precision: dict[float, float] = field(default_factory=dict)
    own_map: float | None = None
    images: list[EvalImage] = field(default_factory=list)
    differences: list[tuple[float, float]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    _image: str | None = None
    _found: list[EvalDetection] = field(default_factory=list)
    _rows: dict[str, float] = field(default_factory=dict)

    def read(self, level: str, words: str) -> None:
        if level == "ERROR" and words:
            self.errors.append(words)
        elif level == "WARN" and words:
            self.warnings.append(words)
        elif words.startswith("Image: "):
            self.end_image(whole=False)
            self._image = words.removeprefix("Image: ")
        elif words.startswith("Object ["):
            self._end_detection()
        elif words.startswith("======"):
            self.end_image(whole=True)
        elif self._image is not None:
            self._read_box(words)
        else:
            self._read_figure(words)

    def _read_box(self, words: str) -> None:
        key, _, text = words.partition(": ")
        value = signed(text)
        if key in _BOX_ROWS and value is not None:
            self._rows[_BOX_ROWS[key]] = value

    def _end_detection(self) -> None:
        """Take a detection over once all its rows were read; one of which rows are missing is dropped."""
        if len(self._rows) == len(_BOX_ROWS):
            class_id = int(self._rows.pop("class_id"))
            self._found.append(EvalDetection(class_id=class_id, **self._rows))
        self._rows = {}

    def end_image(self, *, whole: bool) -> None:
        """Take an image over."""
        self._end_detection()
        if self._image is not None:
            self.images.append(EvalImage(self._image, tuple(self._found), whole))
        self._image, self._found = None, []

    def _read_figure(self, words: str) -> None:
        if match := _LATENCY.match(words):
            mean, deviation = number(match[2]), number(match[3])
            if mean is not None and deviation is not None:
                self.latencies[match[1]] = Latency(round(mean * 1000), round(deviation * 1000))
        elif match := _PRECISION.match(words):
            threshold, precision = number(match[1]), number(match[2])
            if threshold is not None and precision is not None:
                self.own_precision[threshold] = precision
        elif match := _DIFF.match(words):
            error, deviation = number(match[2]), number(match[3])
            if error is not None and deviation is not None:
                self.differences.append((error, deviation))
        elif words.startswith("Num evaluation runs: "):
            self.n_runs = whole(words.rpartition(" ")[2])
        elif words.startswith("Overall mAP: "):
            self.own_map = number(words.rpartition(" ")[2])

    def why(self, exit_code: int | None) -> str:
        """Say in words why there is no result."""
        ended = how_it_ended(exit_code) if exit_code != 0 else "ended before its results"
        told = "; ".join(dict.fromkeys(self.errors))
        return f"the evaluation tool {ended}{': ' + told if told else ''}"
