"""Small models quantized by litert-quantizer, in its own recipes and in three that it has no name for."""

import warnings
from pathlib import Path

import numpy as np


def quantized(path: Path, kind: str) -> bytes:
    """Quantize a float model that reads `image` [1, 32, 48, 3]."""
    from litert_quantizer import quantizer

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of keeping all tensors while it calibrates
        work = quantizer.Quantizer(str(path), recipe(kind))
        found = work.calibrate({"serving_default": images()}) if work.need_calibration else None
        return bytes(work.quantize(found).quantized_model)


def images():
    random = np.random.default_rng(0)
    return [{"image": random.uniform(-1, 1, [1, 32, 48, 3]).astype(np.float32)} for _ in range(4)]


def recipe(kind):
    """Return one of the quantizer's own recipes, or one of three that it has no name for."""
    from litert_quantizer import algorithm_manager, qtyping, recipe_manager
    from litert_quantizer import recipe as recipes

    if hasattr(recipes, kind):
        return getattr(recipes, kind)()
    names, manager = qtyping.TFLOperationName, recipe_manager.RecipeManager()
    algorithms = algorithm_manager.AlgorithmName
    static = {"activation_num_bits": 8, "weight_num_bits": 8}
    if kind == "static_float_io":
        manager.add_static_config(regex=".*", operation_name=names.ALL_SUPPORTED, **static)
        for name in (names.INPUT, names.OUTPUT):
            manager.add_quantization_config(
                regex=".*", operation_name=name, algorithm_key=algorithms.NO_QUANTIZE
            )
    elif kind == "two_layers_static":
        manager.add_static_config(regex="^(first|second)", operation_name=names.CONV_2D, **static)
    elif kind == "float16":
        weights = qtyping.TensorQuantizationConfig(num_bits=16, dtype=qtyping.TensorDataType.FLOAT)
        config = qtyping.OpQuantizationConfig(
            weight_tensor_config=weights,
            compute_precision=qtyping.ComputePrecision.FLOAT,
            explicit_dequantize=True,
        )
        for name in (names.CONV_2D, names.DEPTHWISE_CONV_2D):
            manager.add_quantization_config(
                regex=".*", operation_name=name, algorithm_key=algorithms.FLOAT_CASTING, op_config=config
            )
    return manager.get_quantization_recipe()
