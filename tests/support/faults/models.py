"""Changes of model files that several faults are made with."""

import numpy as np
from ai_edge_litert import schema_py_generated as s
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from tests.support.faults.graph import Net, edited


def with_normalization(data: bytes, mean, std) -> bytes:
    """Fold another normalization into the first convolution of a float model of -1…1.

    The new model takes x' = (pixel - mean) / std where the old took x = (pixel - 127.5) / 127.5. So x = x' * a + b with
    a = std / 127.5 and b = (mean - 127.5) / 127.5: the weights take a, the bias takes b; the border, padded with 0,
    is as if of the pixel `mean`.
    """

    def change(net: Net) -> None:
        conv = net.first("CONV_2D")
        _, weights, bias = conv.inputs
        old = net.values(weights).astype(np.float64)
        a, b = np.asarray(std) / 127.5, (np.asarray(mean) - 127.5) / 127.5
        net.set_values(weights, (old * a).astype(np.float32))
        net.set_values(bias, (net.values(bias) + (old * b).sum(axis=(1, 2, 3))).astype(np.float32))

    return edited(data, change)


def with_uneven_channels(data: bytes, share: float, samples) -> bytes:
    """Make depthwise channels `share` as large, and the next layer's weights as much larger: the same function.

    Only channels that never reach the 6 of ReLU6 on the samples change, for there the scaling commutes with it.
    """
    highest = _highest(data, samples)

    def change(net: Net) -> None:
        for depthwise in net.all("DEPTHWISE_CONV_2D"):
            _, weights, bias = depthwise.inputs
            (out,) = depthwise.outputs
            (user,) = [o for o in net.operators if out in o.inputs]
            factor = np.where(highest[out] < 5.9, share, 1.0).astype(np.float32)
            net.set_values(weights, net.values(weights) * factor)
            net.set_values(bias, net.values(bias) * factor)
            net.set_values(user.inputs[1], net.values(user.inputs[1]) / factor)

    return edited(data, change)


def _highest(data: bytes, samples) -> dict[int, np.ndarray]:
    """Return each depthwise output's greatest value by channel."""
    run = Interpreter(
        model_content=data,
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    run.allocate_tensors()
    outputs = [operator.outputs[0] for operator in Net(data).all("DEPTHWISE_CONV_2D")]
    found = dict.fromkeys(outputs, -np.inf)
    for sample in samples:
        run.set_tensor(run.get_input_details()[0]["index"], sample)
        run.invoke()
        for index in outputs:
            found[index] = np.maximum(found[index], run.get_tensor(index).max(axis=(0, 1, 2)))
    return found


def with_input_scale(data: bytes, scale: float, zero_point: int) -> bytes:
    """Write another scale and zero point to the input, as `quantized_input_stats` does."""
    return edited(data, lambda net: net.quantized(net.graph.inputs[0], scale, zero_point) and None)


def with_joined_heads(data: bytes, factor: float) -> bytes:
    """Put boxes and scores into one tensor before they are post-processed, as exports of YOLO do.

    Box codes are `factor` times as large, as boxes in pixels are, and the operator divides by as much.
    """

    def change(net: Net) -> None:
        post = net.first("TFLite_Detection_PostProcess")
        codes, scores, anchors = post.inputs
        n = net.tensors[codes].shape[1]
        n_scores = net.tensors[scores].shape[2]
        grown = net.tensor("codes/grown", [1, n, 4])
        at = net.place(post)
        by = net.constant("codes/factor", np.array([factor], np.float32))
        net.operator("MUL", [codes, by], [grown], s.MulOptionsT(), s.BuiltinOptions.MulOptions, at)
        joined = net.tensor("heads/joined", [1, n, 4 + n_scores])
        options = s.ConcatenationOptionsT()
        options.axis = 2
        net.operator(
            "CONCATENATION",
            [grown, scores],
            [joined],
            options,
            s.BuiltinOptions.ConcatenationOptions,
            at + 1,
        )
        parts = [
            _slice(net, joined, 0, 4, at + 2),
            _slice(net, joined, 4, n_scores, at + 3),
        ]
        back = net.tensor("codes/shrunk", [1, n, 4])
        inverse = net.constant("codes/inverse", np.array([1 / factor], np.float32))
        net.operator("MUL", [parts[0], inverse], [back], s.MulOptionsT(), s.BuiltinOptions.MulOptions, at + 4)
        post.inputs = [back, parts[1], anchors]

    return edited(data, change)


def _slice(net: Net, source: int, start: int, width: int, at: int) -> int:
    n = net.tensors[source].shape[1]
    begin = net.constant(f"slice{start}/begin", np.array([0, 0, start], np.int32))
    size = net.constant(f"slice{start}/size", np.array([1, n, width], np.int32))
    part = net.tensor(f"heads/part{start}", [1, n, width])
    net.operator("SLICE", [source, begin, size], [part], s.SliceOptionsT(), s.BuiltinOptions.SliceOptions, at)
    return part


def with_integer_outputs(data: bytes, scale: float) -> bytes:
    """Force the four outputs of PostProcess to uint8 with one scale."""

    def change(net: Net) -> None:
        for place, index in enumerate(list(net.graph.outputs)):
            new = net.tensor(f"{net.name(index)}_uint8", (), s.TensorType.UINT8)
            net.quantized(new, scale, 0)
            net.operator("QUANTIZE", [index], [new], s.QuantizeOptionsT(), s.BuiltinOptions.QuantizeOptions)
            net.graph.outputs[place] = new
        for signature in net.model.signatureDefs or []:
            for entry, index in zip(signature.outputs, net.graph.outputs, strict=True):
                entry.tensorIndex = index

    return edited(data, change)


def with_large_codes(data: bytes, factor: float) -> bytes:
    """Let the box heads give `factor` times as large codes, which float32 holds and float16 does not."""

    def change(net: Net) -> None:
        producers = {index: o for o in net.operators for index in o.outputs}
        post = net.first("TFLite_Detection_PostProcess")
        joined = producers[post.inputs[0]]
        for source in joined.inputs:
            conv = producers[producers[source].inputs[0]]
            for index in conv.inputs[1:]:
                net.set_values(index, (net.values(index) * np.float32(factor)).astype(np.float32))
        n = net.tensors[post.inputs[0]].shape[1]
        back = net.tensor("codes/shrunk", [1, n, 4])
        inverse = net.constant("codes/inverse", np.array([1 / factor], np.float32))
        at = net.place(post)
        net.operator(
            "MUL", [post.inputs[0], inverse], [back], s.MulOptionsT(), s.BuiltinOptions.MulOptions, at
        )
        post.inputs = [back, *post.inputs[1:]]

    return edited(data, change)


def with_float16_weights(data: bytes) -> bytes:
    """Keep the convolutions' constants as float16 behind DEQUANTIZE; what is too large becomes infinite."""

    def change(net: Net) -> None:
        done: dict[int, int] = {}
        for conv in net.all("CONV_2D", "DEPTHWISE_CONV_2D"):
            for place in (1, 2):
                index = conv.inputs[place]
                if index not in done:
                    done[index] = _halved(net, index)
                conv.inputs[place] = done[index]

    return edited(data, change)


def _halved(net: Net, index: int) -> int:
    with np.errstate(over="ignore"):
        half = net.constant(f"{net.name(index)}_half", net.values(index).astype(np.float16))
    full = net.tensor(f"{net.name(index)}_full", net.tensors[index].shape)
    net.operator("DEQUANTIZE", [half], [full], s.DequantizeOptionsT(), s.BuiltinOptions.DequantizeOptions, 0)
    return full
