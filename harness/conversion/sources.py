"""Tell what a TensorFlow source is, and refuse early what is none or is damaged: before TensorFlow is imported."""

from __future__ import annotations

from pathlib import Path

from harness.conversion.facts import Kind
from harness.conversion.graph_def import inspect_graph
from harness.errors import ModelError
from harness.paths import exists, found_in, is_file, is_folder, opened
from harness.recognize.exports import export_hint

GRAPH = ".pb"
KERAS = frozenset({".keras", ".h5", ".hdf5"})
_EXPECTED = "expected a frozen graph (.pb), a SavedModel's folder or a Keras file (.keras, .h5)"
_ZIP, _HDF5 = b"PK\x03\x04", b"\x89HDF\r\n\x1a\n"
_MAGIC = (
    (4, b"TFL3", "a .tflite by its content", "`harness quantize` makes a smaller model of a .tflite"),
    (0, _ZIP, "a zip archive by its content", "Unpack it, and name what is in it"),
    (0, b"\x1f\x8b", "a compressed archive by its content", "Unpack it, and name what is in it"),
    (0, _HDF5, "an HDF5 file by its content", "If Keras saved a whole model in it, name it .h5"),
)
"""Offset and bytes that tell a file's kind, the kind, and what can be done with it."""
_QUANTIZE = "`harness quantize` takes a .tflite"
_CHECKPOINT = "a training checkpoint", "Freeze it with export_tflite_ssd_graph.py, where it was trained"
_ENDINGS = {
    ".pbtxt": ("a graph as text", "tf.io.write_graph(…, as_text=False) writes it as .pb"),
    ".meta": ("a training checkpoint's graph", _CHECKPOINT[1]),
    ".index": _CHECKPOINT,
    **{ending: (f"a {ending} file", _QUANTIZE) for ending in (".tflite", ".lite", ".task")},
}


def find_kind(source: Path) -> Kind:
    """Tell what a source is.

    Raises:
        ModelError: It is none of the three; says what was found, what was expected and what can be done.
    """
    if is_folder(source) and is_file(source / "saved_model.pb"):
        return "saved-model"
    if is_file(source) and source.suffix in KERAS:
        return "keras"
    if is_file(source) and source.suffix.lower() == GRAPH and source.name != "saved_model.pb":
        return "frozen-graph"
    if not exists(source):
        if exists(source.with_name(f"{source.name}.index")):
            raise _wrong(source, *_CHECKPOINT)
        raise ModelError(f"{source}: no such file or folder")
    raise _wrong(source, *_found(source))


def check_content(source: Path, kind: Kind) -> None:
    """Refuse a file that does not hold what its name says.

    Raises:
        ModelError: Says what was found, or where reading ended.
    """
    if kind != "saved-model":
        found = _by_content(source)
        wanted = {GRAPH: None, ".keras": _ZIP}.get(source.suffix.lower(), _HDF5)
        if found is not None and found[0] != wanted:
            raise _wrong(source, *found[1:])
    if kind != "keras":
        inspect_graph(source)
    elif _by_content(source) is None:
        raise ModelError(
            f"{source}: not a Keras model: it begins with {_start(source)[:4].hex() or 'nothing'}"
        )


def _wrong(source: Path, what: str, remedy: str) -> ModelError:
    return ModelError(f"{source}: found {what}, {_EXPECTED}{f'. {remedy}' if remedy else ''}")


def _found(source: Path) -> tuple[str, str]:
    """Return what a source is that cannot be converted, and what can be done with it."""
    if is_folder(source):
        checkpoint = bool(found_in(source, "*.index")) or exists(source / "checkpoint")
        return (
            "a folder without saved_model.pb",
            "It holds a checkpoint: freeze that first" if checkpoint else "",
        )
    if source.name == "saved_model.pb":
        return "the file of a SavedModel", f"Name its folder: {source.parent}"
    ending = source.suffix.lower()
    if ending in KERAS:
        return f"a file in {source.suffix}", f"Name it {source.stem}{ending}: Keras knows no other"
    return _ENDINGS.get(ending) or _other(source)


def _other(source: Path) -> tuple[str, str]:
    """Return the same of a file whose ending is of another framework, or says nothing."""
    what, _, remedy = export_hint(source).partition("; ")
    content = _by_content(source) if is_file(source) and not what else None
    return (what or f"a {source.suffix or 'plain'} file", remedy) if content is None else content[1:]


def _by_content(source: Path) -> tuple[bytes, str, str] | None:
    """Return the bytes that tell a file's kind, the kind, and what can be done with it; None where nothing tells it."""
    start = _start(source)
    for place, magic, what, remedy in _MAGIC:
        if start[place:].startswith(magic):
            return magic, what, remedy
    return None


def _start(source: Path) -> bytes:
    with opened(source) as stream:
        return stream.read(16)
