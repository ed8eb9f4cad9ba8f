"""Tidy a graph after a change: no operator without readers, no tensor without an operator, a signature of its own."""

from ai_edge_litert import schema_py_generated as s

from tests.support.faults.graph import Net


def compact(net: Net) -> None:
    """Take out what nobody reads."""
    _drop_dead(net)
    _drop_unnamed(net)


def sign(net: Net) -> None:
    """Give a model a signature where it has none: the quantizer asks for one."""
    if net.model.signatureDefs:
        return
    signature = s.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = b"serving_default", 0
    signature.inputs = [_entry(b"input", net.graph.inputs[0])]
    signature.outputs = [_entry(b"output_%d" % k, index) for k, index in enumerate(net.graph.outputs)]
    net.model.signatureDefs = [signature]


def _entry(name: bytes, index: int) -> s.TensorMapT:
    entry = s.TensorMapT()
    entry.name, entry.tensorIndex = name, index
    return entry


def _drop_dead(net: Net) -> None:
    """Take out operators whose outputs nobody reads."""
    while True:
        read = {index for operator in net.operators for index in operator.inputs} | set(net.graph.outputs)
        dead = [one for one in net.operators if not read & set(one.outputs)]
        if not dead:
            return
        for one in dead:
            net.operators.remove(one)


def _drop_unnamed(net: Net) -> None:
    """Take out tensors that no operator names: an interpreter gives them no memory."""
    lists = [
        *(one for o in net.operators for one in (o.inputs, o.outputs)),
        net.graph.inputs,
        net.graph.outputs,
    ]
    used = sorted({int(index) for one in lists for index in one if index >= 0})
    place = {-1: -1, **{index: new for new, index in enumerate(used)}}
    for operator in net.operators:
        operator.inputs = [place[int(index)] for index in operator.inputs]
        operator.outputs = [place[int(index)] for index in operator.outputs]
    net.graph.inputs = [place[int(index)] for index in net.graph.inputs]
    net.graph.outputs = [place[int(index)] for index in net.graph.outputs]
    for signature in net.model.signatureDefs or []:
        for entry in [*signature.inputs, *signature.outputs]:
            entry.tensorIndex = place[int(entry.tensorIndex)]
    net.graph.tensors = [net.tensors[index] for index in used]
