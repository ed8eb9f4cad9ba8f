"""Models as odd as those that the real tool was recorded with: what it refuses, and what it takes whole."""

from tests.support.networks import INT32, Network, s


def _with_custom_operator(name):
    net = Network()
    source = net.input([1, 4])
    net.graph.outputs = [net.operator(name, [source], [net.tensor("out", [1, 4])])]
    return net


def _without_subgraphs():
    net = Network()
    net.model.subgraphs = []
    return net


def _of_a_shape_that_comes_as_input():
    """A RESHAPE to whatever the second input says: with noise it fails in every inference."""
    net = Network()
    sources = [net.input([1, 4]), net.input([2], INT32, name="shape")]
    output = net.tensor("out", [1, 1])
    net.graph.tensors[output].shapeSignature = [-1, -1]
    net.graph.outputs = [
        net.operator("RESHAPE", sources, [output], s.ReshapeOptionsT(), s.BuiltinOptions.ReshapeOptions)
    ]
    return net


def _that_xnnpack_takes_whole():
    net = Network()
    net.graph.outputs = [net.conv(net.input([1, 8, 8, 3]), 4)]
    return net


def _with_signatures(*keys):
    """A graph for each key, as an export of several functions has them."""
    net = Network()
    graphs, signatures = [], []
    for at, key in enumerate(keys):
        net.graph = s.SubGraphT()
        net.graph.tensors, net.graph.operators, net.graph.inputs, net.graph.outputs = [], [], [], []
        net.graph.outputs = [net.logistic(net.input([1, 4]))]
        net.signature()
        (signature,) = net.model.signatureDefs
        signature.signatureKey, signature.subgraphIndex = key, at
        graphs.append(net.graph)
        signatures.append(signature)
    net.model.subgraphs, net.model.signatureDefs = graphs, signatures
    return net


ODD = {
    # recorded log: what makes such a graph
    "graph_custom_op_unresolved": lambda: _with_custom_operator("Sinh"),
    "graph_dynamic_shapes": _of_a_shape_that_comes_as_input,
    "graph_empty_model": Network,
    "graph_invoke_error": lambda: _with_custom_operator("fake-op-double"),
    "graph_no_subgraphs": _without_subgraphs,
    "require_full_delegation_xnnpack_float": _that_xnnpack_takes_whole,
    "signatures_list": lambda: _with_signatures("add", "sub"),
    "signatures_multi_unspecified": lambda: _with_signatures("add", "sub"),
}
