"""The signature of a model: what the quantizer calls its input."""

from ai_edge_litert.interpreter import Interpreter


def input_of(data: bytes) -> tuple[str, str]:
    """Return the first signature's key and the name of its first input."""
    signatures = Interpreter(model_content=data).get_signature_list()
    key = next(iter(signatures))
    return key, signatures[key]["inputs"][0]
