"""What an interpreter says of itself, asked without the code that is tested."""


def list_nodes(interpreter):
    """Return the nodes of its graph, those of delegates behind the others."""
    return interpreter._get_ops_details()  # private: LiteRT lists its nodes nowhere else
