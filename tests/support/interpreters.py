"""What an interpreter says of itself, asked without the code that is tested."""


def list_nodes(interpreter):
    """Return the nodes of its graph, those of delegates behind the others."""
    return interpreter._get_ops_details()  # private: LiteRT lists its nodes nowhere else


def outputs_of(file, image):
    """Run a file once, on builtin kernels, and return its outputs."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    engine = Interpreter(
        str(file), experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    )
    engine.allocate_tensors()
    engine.set_tensor(engine.get_input_details()[0]["index"], image)
    engine.invoke()
    return [engine.get_tensor(one["index"]) for one in engine.get_output_details()]
