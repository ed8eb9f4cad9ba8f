"""A native worker as a process: a job in, its answers, its log and its exit status out."""

import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from harness.native.job import END, Setup
from harness.native.protocol import Answer, Failure, FrameReader
from harness.runtime import load_runtime, make_interpreter

LIBRARY = Path(load_runtime().module.__file__).parent / "libLiteRt.so"


@dataclass
class Ended:
    """A session that is over."""

    answers: list[Answer]
    log: str
    status: int

    def all(self, kind):
        return [answer for answer in self.answers if isinstance(answer, kind)]

    @property
    def failure(self) -> Failure:
        (found,) = self.all(Failure)
        return found


@dataclass
class Worker:
    """How it is started."""

    command: list[str]
    library: Path = LIBRARY
    environment: dict[str, str] | None = field(default=None)

    def setup(self, model, **settings) -> bytes:
        """The beginning of a job."""
        return Setup(str(self.library), str(model), **settings).lines()

    def run(self, job: bytes, timeout: float = 120) -> Ended:
        """Carry out a job whose bytes are all there."""
        ended = subprocess.run(
            self.command, input=job, capture_output=True, timeout=timeout, check=False, env=self.environment
        )
        reader = FrameReader()
        answers = list(reader.feed(ended.stdout))
        assert reader.is_between_frames, "the last frame is not whole"
        return Ended(answers, ended.stderr.decode("utf-8", "replace"), ended.returncode)

    def model(self, model, *commands: bytes, **settings) -> Ended:
        """Compile a model, carry out commands, end."""
        return self.run(self.setup(model, **settings) + b"".join(commands) + END)


def interpreter_outputs(model, images, delegate="cpu", threads=1):
    """The Python interpreter's outputs of each image: by the tensor's number in the file."""
    interpreter = make_interpreter(load_runtime(), str(model), delegate, threads)
    (begin, *_) = interpreter.get_input_details()
    found = []
    for image in images:
        interpreter.set_tensor(begin["index"], image)
        interpreter.invoke()
        found.append(
            {end["index"]: interpreter.get_tensor(end["index"]) for end in interpreter.get_output_details()}
        )
    return found


def make_images(model, n, seed=1):
    """Random images as a model takes them."""
    interpreter = make_interpreter(load_runtime(), str(model), "cpu", 1)
    detail = interpreter.get_input_details()[0]
    generator = np.random.default_rng(seed)
    if detail["dtype"] == np.float32:
        return [generator.uniform(-1, 1, detail["shape"]).astype(np.float32) for _ in range(n)]
    return [generator.integers(0, 256, detail["shape"]).astype(detail["dtype"]) for _ in range(n)]
