"""Export the trained detector in four quantizations, measure each and write its card.

    python -m tests.example_training.export --weights DIR/shapes.weights.h5 --out models

The graph ends in the real `TFLite_Detection_PostProcess` operator, made as the TF Object Detection API's
`export_tflite_graph_lib_tf2.py` makes it: a function whose `experimental_implements` attribute names it.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.example_training.draw import CALIBRATION_IMAGES, CATEGORIES, VAL_IMAGES, draw_scene, jpeg
from tests.example_training.measure import evaluate
from tests.example_training.network import Network, anchors, build
from tests.example_training.prepare import normalized, resized

OUTPUTS = ("boxes", "classes", "scores", "count")
QUANTIZATIONS = ("float32", "float16", "dynamic_range", "full_integer")
SCALING = "mean = [127.5, 127.5, 127.5]\nstd = [127.5, 127.5, 127.5]\n"
SENTENCES = {
    "float32": "float32 weights and activations",
    "float16": "float16 weights, float32 activations",
    "dynamic_range": "int8 weights, float32 activations (quantized as they come)",
    "full_integer": "int8 weights and activations, uint8 input; only the post-processing is float32",
}


@dataclass(frozen=True)
class PostProcess:
    """The options of `TFLite_Detection_PostProcess`.

    Fast NMS with up to three classes a box: where the network hesitates between two shapes, both are counted. Regular
    NMS (class by class) reaches the same mAP, but takes longer, and LiteRT 2.3 loses classes in it when it runs on
    several threads.
    """

    max_detections: int = 50
    classes_per_detection: int = 3
    score_threshold: float = 0.001
    iou_threshold: float = 0.55

    def signature(self, network: Network) -> str:
        """Return the `experimental_implements` text that the converter turns into the custom operator."""
        whole = {
            "max_detections": self.max_detections,
            "max_classes_per_detection": self.classes_per_detection,
        }
        whole["num_classes"] = network.classes
        real = {"nms_score_threshold": self.score_threshold, "nms_iou_threshold": self.iou_threshold}
        real |= dict(zip(("y_scale", "x_scale", "h_scale", "w_scale"), network.scales, strict=True))
        parts = ['name: "TFLite_Detection_PostProcess"']
        parts += [f'attr {{ key: "{key}" value {{ i: {value} }} }}' for key, value in whole.items()]
        parts += [f'attr {{ key: "{key}" value {{ f: {value:f} }} }}' for key, value in real.items()]
        parts.append('attr { key: "use_regular_nms" value { b: false } }')
        return " ".join(parts)


def serving_module(model: Any, network: Network, options: PostProcess) -> Any:
    """Return a tf.Module whose `serve` is image [1, s, s, 3] → boxes, classes, scores, count."""
    import tensorflow as tf
    from tensorflow import keras

    weights = [(weight, weight.numpy()) for weight in model.weights]

    @tf.function(experimental_implements=options.signature(network))  # type: ignore[untyped-decorator, unused-ignore]
    def post_process(codes: Any, scores: Any, boxes: Any) -> Any:
        # never run: the converter replaces the whole function by the operator
        return tuple(tf.constant(0.0, tf.float32, name=name) for name in OUTPUTS)

    @tf.function(input_signature=[tf.TensorSpec([1, network.side, network.side, 3], tf.float32, "image")])  # type: ignore[untyped-decorator, unused-ignore]
    def serve(image: Any) -> Any:
        # the converter leaves Keras 3's variables in the graph, where calibration cannot read them
        with keras.StatelessScope([(weight, tf.constant(value)) for weight, value in weights]):
            codes, logits = model(image, training=False)
        found = post_process(codes, tf.sigmoid(logits), tf.constant(anchors(network)))
        return dict(zip(OUTPUTS, found, strict=True))

    module = tf.Module()
    module.serve = serve
    return module


def calibration(network: Network, count: int = CALIBRATION_IMAGES) -> Iterator[list[Any]]:
    """Yield drawn images of neither the training nor the validation set, prepared as for inference."""
    for index in range(count):
        image = resized(jpeg(draw_scene("calibration", index).image), network.side)
        yield [normalized(image)[None]]


def convert(module: Any, quantization: str, representative: Callable[[], Iterator[list[Any]]]) -> bytes:
    """Convert by TensorFlow's post-training route; the four files differ in nothing else."""
    import tensorflow as tf

    serve = module.serve.get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([serve], module)
    converter.allow_custom_ops = True
    if quantization != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if quantization == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if quantization == "full_integer":
        converter.representative_dataset = representative
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.uint8
    return in_tf1_order(converter.convert())


def in_tf1_order(content: bytes) -> bytes:
    """Order the file's outputs as boxes, classes, scores, count; the converter orders them by name.

    The output list is permuted in place: rewriting the file would lose the alignment of its buffers.
    """
    from tensorflow.lite.python import schema_py_generated as schema

    changed = bytearray(content)
    graph = schema.Model.GetRootAs(changed, 0).Subgraphs(0)
    operators = [graph.Operators(k) for k in range(graph.OperatorsLength())]
    (outputs,) = [op.OutputsAsNumpy() for op in operators if op.OutputsLength() == 4]
    listed = graph.OutputsAsNumpy()
    if sorted(listed) != sorted(outputs):
        raise ValueError(f"the outputs {listed} are not those of the post-processing, {outputs}")
    listed[:] = outputs
    return bytes(changed)


def load_module(weights: Path | None, network: Network, options: PostProcess | None = None) -> Any:
    """Build the serving module and, when given, load trained weights."""
    model = build(network, batch=1)
    if weights is not None:
        model.load_weights(weights)
    return serving_module(model, network, options or PostProcess())


def export(module: Any, network: Network, folder: Path, calibration_images: int = CALIBRATION_IMAGES) -> None:
    """Write `shapes_QUANTIZATION.tflite` for all four and `labels.txt`."""
    folder.mkdir(parents=True, exist_ok=True)
    for quantization in QUANTIZATIONS:
        content = convert(module, quantization, lambda: calibration(network, calibration_images))
        (folder / f"shapes_{quantization}.tflite").write_bytes(content)
    (folder / "labels.txt").write_text("\n".join(CATEGORIES) + "\n")


def card(quantization: str, content: bytes, network: Network, figures: dict[str, float]) -> str:
    """Return the model card's TOML."""
    names = ", ".join(f'"{name}"' for name in CATEGORIES)
    scaling = "" if quantization == "full_integer" else SCALING
    published = "".join(
        f'\n[[published]]\nmetric = "{metric}"\nvalue = {value:.4f}\n'
        f'dataset = "shapes val, {VAL_IMAGES} images"\n'
        'source = "harness/example, pycocotools on ai-edge-litert, XNNPACK"\n'
        for metric, value in figures.items()
    )
    return f'''name = "shapes-{quantization.replace("_", "-")}"
description = "The bundled example, a small SSD trained on drawn shapes: {SENTENCES[quantization]}"
license = "CC0-1.0"

[source]
path = "shapes/shapes_{quantization}.tflite"
sha256 = "{hashlib.sha256(content).hexdigest()}"

[input]
width = {network.side}
height = {network.side}
resize = "stretch"
method = "pillow-bilinear"
channels = "rgb"
{scaling}
[decoder]
name = "ssd-postprocess"
order = "tf1"

[labels]
offset = 1
names = [{names}]

[dataset]
path = "shapes/dataset"
{published}'''


def main(argv: list[str] | None = None) -> None:
    """Export the four models, measure them on the stored validation set and write their cards."""
    parser = argparse.ArgumentParser(prog="python -m tests.example_training.export", description=main.__doc__)
    parser.add_argument("--weights", type=Path, required=True, help="what training wrote")
    parser.add_argument("--out", type=Path, required=True, help="folder of the cards and shapes/")
    options = parser.parse_args(argv)
    network, folder = Network(), options.out / "shapes"
    export(load_module(options.weights, network), network, folder)
    for quantization in QUANTIZATIONS:
        path = folder / f"shapes_{quantization}.tflite"
        figures = evaluate(path, folder / "dataset")
        sys.stdout.write(f"{quantization}: {path.stat().st_size} bytes, {figures}\n")
        text = card(quantization, path.read_bytes(), network, figures)
        (options.out / f"shapes-{quantization.replace('_', '-')}.toml").write_text(text)


if __name__ == "__main__":
    main()
