"""Pruning: which weights go is held against a computation of its own; nothing else in the file changes."""

import gzip
import json

import numpy as np
import pytest

from harness.cli.main import main
from harness.errors import ModelError, UsageError
from harness.quantization import prune
from harness.tflite.model import describe, load
from tests.support.interpreters import list_nodes

interpreter = pytest.importorskip("ai_edge_litert.interpreter", reason="ai-edge-litert is not installed")


def weights(path):
    """Return the values of all convolutions' weights, read by the interpreter and not by our reader."""
    engine = interpreter.Interpreter(
        str(path), experimental_op_resolver_type=interpreter.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    )
    engine.allocate_tensors()
    indices = {
        int(op["inputs"][1]) for op in list_nodes(engine) if op["op_name"] in {"CONV_2D", "DEPTHWISE_CONV_2D"}
    }
    return {index: engine.get_tensor(index).copy() for index in sorted(indices)}


@pytest.fixture
def pruned(shapes, tmp_path):
    """Prunes the bundled model and returns its file."""

    def make(sparsity, scope="tensor"):
        path = tmp_path / "sparse.tflite"
        path.write_bytes(prune.prune(shapes.file.read_bytes(), shapes.file, sparsity, scope).data)
        return path

    return make


@pytest.mark.parametrize("sparsity", [0.25, 0.5, 0.9])
def test_the_smallest_weights_of_each_tensor_become_zero_and_no_other_changes(shapes, pruned, sparsity):
    before, after = weights(shapes.file), weights(pruned(sparsity))
    assert len(before) == 39
    for index, old in before.items():
        new = after[index]
        gone = new == 0
        assert gone.sum() == pytest.approx(sparsity * old.size, abs=1)
        np.testing.assert_array_equal(new[~gone], old[~gone])
        assert np.abs(old[gone]).max() <= np.abs(old[~gone]).min()


def test_the_global_scope_takes_the_smallest_of_all(shapes, pruned):
    before, after = weights(shapes.file), weights(pruned(0.5, "global"))
    old, new = (np.concatenate([w.ravel() for w in found.values()]) for found in (before, after))
    assert (new == 0).mean() == pytest.approx(0.5, abs=1e-3)
    assert np.abs(old[new == 0]).max() <= np.abs(old[new != 0]).min()
    shares = [(w == 0).mean() for w in after.values()]
    assert max(shares) - min(shares) > 0.2


def test_all_but_the_weights_is_byte_identical(shapes, pruned):
    old = np.frombuffer(shapes.file.read_bytes(), np.uint8)
    new = np.frombuffer(pruned(0.5).read_bytes(), np.uint8)
    assert old.size == new.size
    assert set(new[old != new].tolist()) == {0}
    assert load(shapes.file)[1].primary == load(pruned(0.5))[1].primary


def test_float16_weights_behind_a_dequantize_are_pruned_too(repository, tmp_path):
    path = repository / "models" / "shapes" / "shapes_float16.tflite"
    made = prune.prune(path.read_bytes(), path, 0.5)
    output = tmp_path / "sparse.tflite"
    output.write_bytes(made.data)
    assert made.sparsity == pytest.approx(0.5, abs=1e-3)
    assert describe(output).quantization == "float16"
    assert prune.sparsity_of(made.data, output) == made.sparsity


def test_a_quantized_model_is_refused_with_what_to_do(repository):
    path = repository / "models" / "shapes" / "shapes_full_integer.tflite"
    with pytest.raises(ModelError, match="prune the float model, and quantize afterwards"):
        prune.prune(path.read_bytes(), path, 0.5)
    assert prune.sparsity_of(path.read_bytes(), path) is None


@pytest.mark.parametrize("sparsity", [0.0, 1.0, -0.1, 50.0])
def test_a_sparsity_out_of_range_is_refused(shapes, sparsity):
    with pytest.raises(UsageError, match="--sparsity: found"):
        prune.prune(shapes.file.read_bytes(), shapes.file, sparsity)


def test_more_zeros_compress_better(shapes, pruned):
    sizes = [prune.compressed_size(pruned(sparsity).read_bytes()) for sparsity in (0.1, 0.5, 0.9)]
    assert sizes == sorted(sizes, reverse=True)
    assert prune.compressed_size(shapes.file.read_bytes()) == len(
        gzip.compress(shapes.file.read_bytes(), mtime=0)
    )


def test_the_command_measures_before_and_after_with_the_public_columns(shapes, tmp_path, capsys):
    output = tmp_path / "sparse.tflite"
    with pytest.raises(SystemExit) as end:
        main(
            [
                *("prune", "shapes-float32", "--sparsity", "0.2", "-o", str(output), "--repetitions", "1"),
                *("--limit", "20", "--format", "json"),
            ]
        )
    before, after = json.loads(capsys.readouterr().out)
    assert end.value.code == 0
    assert (before["sparsity"], round(after["sparsity"], 2)) == (0, 0.2)
    assert after["compressed_bytes"] < before["compressed_bytes"]
    assert after["size_bytes"] == before["size_bytes"] == output.stat().st_size
    assert all(row["status"] == "ok" and row["verdict"] for row in (before, after))  # busy: no median
    assert (before["n_images"], after["n_images"]) == (20, 20)
    assert before["map"] > 0.3


def test_several_sparsities_need_a_folder(shapes, tmp_path, capsys):
    with pytest.raises(SystemExit) as end:
        main(
            [
                "prune",
                "shapes-float32",
                "--sparsity",
                "0.2",
                "--sparsity",
                "0.4",
                "-o",
                str(tmp_path / "a.tflite"),
            ]
        )
    assert (end.value.code, "need a folder" in capsys.readouterr().err) == (2, True)


def test_the_input_is_never_pruned_in_place(shapes, tmp_path, capsys):
    source = tmp_path / "net.tflite"
    source.write_bytes(shapes.file.read_bytes())
    with pytest.raises(SystemExit) as end:
        main(["prune", str(source), "--sparsity", "0.5", "-o", str(source), "--no-accuracy"])
    assert (end.value.code, "is the input, which is never changed" in capsys.readouterr().err) == (2, True)
    assert source.read_bytes() == shapes.file.read_bytes()
