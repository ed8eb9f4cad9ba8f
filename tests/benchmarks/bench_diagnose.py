"""What a diagnosis takes: seconds and peak memory of comparing every tensor of two models, and of the whole of it.

The models are those of the shared data: SSD MobileNet v1 300×300 (uint8) against its float twin, which is made here by
dequantizing every constant, and YOLOv5n float16 against int8. Each line is a process of its own, so that the peak of
one is not that of another. Images are repeated where the dataset has fewer than asked for.

    python -m tests.benchmarks.bench_diagnose SHARED_DATA [--images 100]
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import flatbuffers
import msgspec
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from harness.accuracy.dataset import find_dataset
from harness.diagnosis.diagnose import Case, gather
from harness.diagnosis.layers import tensors
from harness.diagnosis.layers.matching import match_tensors
from harness.diagnosis.runs.model_pair import ModelPair, load_model
from harness.diagnosis.runs.prepared_inputs import PreparedInputs
from harness.recognize.find import find_model
from harness.workspace import find_workspace

FLOAT32 = schema.TensorType.FLOAT32
DTYPES = {schema.TensorType.UINT8: "u1", schema.TensorType.INT8: "i1", schema.TensorType.INT32: "<i4"}


def float_twin(data):
    """A quantized model with every constant dequantized and every activation float: what it would compute exactly."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(bytearray(data), 0))
    for tensor in model.subgraphs[0].tensors:
        found = tensor.quantization
        if found is None or found.scale is None or not len(found.scale):
            continue
        buffer = model.buffers[tensor.buffer]
        if buffer.data is not None and len(buffer.data):
            values = np.frombuffer(bytes(buffer.data), DTYPES[tensor.type]).astype(np.float64)
            real = (values - found.zeroPoint[0]) * found.scale[0]
            buffer.data = np.frombuffer(real.astype("<f4").tobytes(), np.uint8)
        tensor.type, tensor.quantization = FLOAT32, None
    clamp_as_the_ranges_did(model)
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def clamp_as_the_ranges_did(model):
    """Write ReLU6 into the layers that have it by their range 0…6 alone, as TF1's converter leaves it."""
    graph = model.subgraphs[0]
    for operator in graph.operators:
        name = graph.tensors[operator.outputs[0]].name
        if (name if isinstance(name, str) else name.decode()).endswith("Relu6"):
            operator.builtinOptions.fusedActivationFunction = schema.ActivationFunctionType.RELU6


def ssd(data, folder):
    quantized = find_model(str(data / "models/ssd_mobilenet_v1_coco_quant.tflite"), find_workspace())
    file = folder / "ssd_mobilenet_v1_float.tflite"
    file.write_bytes(float_twin(quantized.file.read_bytes()))
    pixels = msgspec.structs.replace(quantized.card.input, mean=(128.0,) * 3, std=(128.0,) * 3)
    card = msgspec.structs.replace(quantized.card, name="ssd_mobilenet_v1_float", input=pixels)
    card = msgspec.structs.replace(card, source=msgspec.structs.replace(card.source, sha256=None))
    return ModelPair(
        load_model("float", replace(quantized, card=card, file=file)), load_model("quantized", quantized)
    )


def yolo(data, folder):
    models = [
        find_model(str(data / f"models/yolov5n-{kind}.tflite"), find_workspace()) for kind in ("fp16", "int8")
    ]
    return ModelPair(load_model("float", models[0]), load_model("quantized", models[1]))


PAIRS = {"ssd_mobilenet_v1 300x300": ssd, "yolov5n 640x640": yolo}


def work(name, what, data, n_images):
    with tempfile.TemporaryDirectory() as folder:
        pair = PAIRS[name](data, Path(folder))
        dataset = find_dataset(data / "coco50")
        graphs = [model.graph for model in pair.models]
        compared = tensors.comparable(match_tensors(*graphs), *(graph.primary for graph in graphs))
        images = (dataset.images * -(-n_images // len(dataset.images)))[:n_images]
        begin, begin_cpu = time.perf_counter(), time.process_time()
        if what == "tensors":
            sums = tensors.compare(pair, compared, images, PreparedInputs(), lambda *_: None)
            note = f"{len(compared)} tensors, {sums.n_images} images"
        else:
            evidence = gather(Case(pair, dataset))
            left = evidence.attribution.part("unexplained")
            note = (
                f"mAP {evidence.loss.float.figures.map:.4f} -> {evidence.loss.quantized.figures.map:.4f}, "
                + (f"unexplained {left.loss:+.4f}, {len(dataset.images)} images")
            )
        seconds, cpu = time.perf_counter() - begin, time.process_time() - begin_cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"pair": name, "what": what, "seconds": seconds, "cpu": cpu, "peak_gb": peak / 1e9, "note": note}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--only", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        print(json.dumps(work(*options.only, options.data, options.images)))
        return
    print(f"{'pair':26} {'what':8} {'seconds':>8} {'CPU s':>8} {'peak GB':>8}  note")
    for name in PAIRS:
        for what in ("tensors", "all"):
            command = [sys.executable, __file__, str(options.data), "--images", str(options.images)]
            done = subprocess.run(
                [*command, "--only", name, what], capture_output=True, text=True, check=True
            )
            row = json.loads(done.stdout.splitlines()[-1])
            print(
                f"{name:26} {what:8} {row['seconds']:8.1f} {row['cpu']:8.1f} {row['peak_gb']:8.2f}  {row['note']}",
                flush=True,
            )


if __name__ == "__main__":
    main()
