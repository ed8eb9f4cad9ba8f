"""Say how a model of another kind becomes a .tflite: training and exporting are the frameworks' own."""

from __future__ import annotations

from pathlib import Path

from harness.paths import is_file

_CONVERT = "`harness convert {path} --mode float32 -o {stem}.tflite` makes a .tflite of it"
_TORCH = (
    "a PyTorch checkpoint; export it where it was trained: Ultralytics writes a .tflite with "
    "`yolo export model={name} format=tflite`, other models go through litert-torch"
)
_HOW = {
    # ending     what it is, and what makes a .tflite of it
    ".onnx": "an ONNX model; `onnx2tf -i {name}` (PyPI) writes a .tflite, as does an export from where it was trained",
    ".pt": _TORCH,
    ".pth": _TORCH,
    ".ckpt": "a training checkpoint; export a SavedModel or frozen graph of it, then `harness convert`",
    ".safetensors": "weights without a graph; export a .tflite or a SavedModel where it was trained",
    ".mlmodel": "a Core ML model; export a .tflite where it was trained",
    ".mlpackage": "a Core ML model; export a .tflite where it was trained",
    ".engine": "a TensorRT engine; export a .tflite where it was trained",
    ".pb": f"a TensorFlow graph; {_CONVERT}",
    ".keras": f"a Keras model; {_CONVERT}",
    ".h5": f"a Keras model; {_CONVERT}",
}


def export_hint(path: Path) -> str:
    """Return what a file is that is no .tflite, and how it becomes one; empty where nothing is known of its ending.

    >>> export_hint(Path("best.onnx")).partition(";")[0]
    'an ONNX model'
    """
    text = _HOW.get(path.suffix.lower(), "")
    if not text and is_file(path / "saved_model.pb"):
        text = f"a SavedModel; {_CONVERT}"
    return text.format(path=path, name=path.name, stem=path.stem)
