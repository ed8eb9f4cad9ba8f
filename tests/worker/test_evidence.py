"""What the interpreter's node list proves."""

from harness.worker.evidence import Delegation, count_delegated, describe


def node(name, inputs, outputs):
    return {"op_name": name, "inputs": inputs, "outputs": outputs}


GRAPH = [
    node("CONV_2D", [0, 10], [1]),
    node("RELU", [1], [2]),
    node("CUSTOM", [2], [3]),
    node("ADD", [3, 11], [4]),
]


def test_a_graph_without_delegate_nodes_is_all_builtin():
    assert count_delegated(GRAPH) == Delegation(0, 0, 4)


def test_nodes_between_the_inputs_and_outputs_of_a_partition_are_counted():
    first = node("DELEGATE", [0, 10], [2])
    assert count_delegated([*GRAPH, first]) == Delegation(1, 2, 4)


def test_two_partitions_around_an_operator_that_stays_are_counted_apart():
    delegates = [node("DELEGATE", [0, 10], [2]), node("DELEGATE", [3, 11], [4])]
    assert count_delegated([*GRAPH, *delegates]) == Delegation(2, 3, 4)


def test_cpu_is_xnnpack_only_where_a_node_was_taken():
    assert describe("cpu", Delegation(1, 2, 4)).actual == "xnnpack"
    assert describe("cpu", Delegation(0, 0, 4)).actual == "cpu-reference"


def test_a_runtime_that_lists_no_nodes_proves_nothing():
    execution = describe("cpu", None)
    assert execution.actual == "unknown" and execution.delegated_nodes is None
