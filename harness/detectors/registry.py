"""The decoders by name. A new family is one small file and one line here."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

from harness.cards import DecoderSpec
from harness.detectors.base import Decoder, TensorInfo
from harness.errors import UnknownNameError

DECODERS = {
    # name             module:factory                                       outputs
    "ssd-postprocess": "harness.detectors.ssd_postprocess:make_decoder",  # TFLite_Detection_PostProcess: 4 tensors
}


def make_decoder(spec: DecoderSpec, outputs: Sequence[TensorInfo]) -> Decoder:
    """Make the decoder that a card names.

    Raises:
        UnknownNameError: No decoder of that name.
        ModelError: The model's outputs do not fit it.
    """
    if spec.name not in DECODERS:
        raise UnknownNameError("decoder", spec.name, DECODERS)
    module, _, name = DECODERS[spec.name].partition(":")
    decoder: Decoder = getattr(import_module(module), name)(spec, outputs)
    return decoder
