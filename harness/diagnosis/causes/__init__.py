"""The causes by name. A new cause is one small file, with a function `examine`, and one line in `CAUSES`.

    def examine(evidence: Evidence) -> Finding | None: ...

It returns None where the test found nothing, or could not be made. The causes:

    wrong_pair           files in the wrong order, the same file twice, two networks
    reference_fails      the float side itself finds next to nothing
    input_normalization  the network gets images normalized otherwise than in training
    channel_order        blue is fed where red belongs
    input_geometry       images are resized otherwise, or to another size
    input_quantization   pixels are fed without scale and zero point
    input_stats          the input's scale and zero point give pixels other values
    float_card           an integer model is run with the float model's card
    output_order         outputs are read in a wrong order
    label_offset         class numbers are mapped to wrong categories
    nms_settings         other threshold, overlap or number of detections
    integer_postprocess  boxes and classes are rounded to 8 bits
    representative_data  calibrated with wrong images
    shared_output_scale  boxes and scores in one quantized tensor
    per_tensor_weights   one scale for all channels of a layer
    activation_outliers  ranges far wider than the values
    float16_overflow     values beyond 65504
    delegate_arithmetic  the delegate computes another result than the CPU
    qat_ignored          quantization-aware training was configured, and left no trace
    other_checkpoint     nearly all weights are another training's
    batch_norm           batch norm folded with other statistics
    class_order          the heads' classes in another order
    few_bits             weights of fewer bits than said
    layer_weights        single layers' weights clipped, permuted, rescaled, BGR
    layer_bias           single layers' biases lost or of another size
    stored_scale         bytes are moved and change their scale; fixed scales that are others
    clipped_range        a single layer's range is too short, or its zero point off
    operator_options     operators state other options: corners of a resize, strides, box scales
    decoder_settings     the cards read the outputs in different ways
    anchors              anchors and other constants behind the heads
    float16_underflow    weights too small for float16
    not_in_quantization  the float model with all that is quantized does far better

What they share:

    hypotheses       other cards, tried
    contradictions   scales that the biases behind them contradict
    suspects         constants that are no rounding of the float model's, sorted
    put_back         the float model's constants in the quantized file, run
    emulations       the float model quantized in parts, run
    fitting          ranges that fit, for the quantized file's tensors
    ranges           stored ranges against real values
    pipeline_config  the training's `pipeline.config`, read
    confidence       how sure a cause is, graded by the gain without it
    ranking          which cause to look at first
    same_loss        causes that are one loss seen from two sides
"""

from __future__ import annotations

_HERE = "harness.diagnosis.causes"
CAUSES: dict[str, str] = {
    # name                  module                             what is wrong
    "wrong-pair": f"{_HERE}.wrong_pair",  # swapped, the same, or two networks
    "reference-fails": f"{_HERE}.reference_fails",  # data, labels or the float side's card
    "input-normalization": f"{_HERE}.input_normalization",  # real = (pixel - mean) / std is another one
    "channel-order": f"{_HERE}.channel_order",  # RGB against BGR
    "input-geometry": f"{_HERE}.input_geometry",  # size, aspect, letterbox against stretch
    "input-quantization": f"{_HERE}.input_quantization",  # integers fed without scale and zero point
    "input-stats": f"{_HERE}.input_stats",  # the input's scale and zero point do not suit the preprocessing
    "float-card": f"{_HERE}.float_card",  # an integer model run with the card of the float model
    "output-order": f"{_HERE}.output_order",  # TF1 against TF2
    "label-offset": f"{_HERE}.label_offset",  # categories one too low or too high
    "nms-settings": f"{_HERE}.nms_settings",  # score threshold, overlap, number of detections
    "integer-postprocess": f"{_HERE}.integer_postprocess",  # boxes and classes rounded to 8 bits
    "representative-data": f"{_HERE}.representative_data",  # wrong range, one image, too few
    "shared-output-scale": f"{_HERE}.shared_output_scale",  # boxes and scores in one tensor
    "per-tensor-weights": f"{_HERE}.per_tensor_weights",  # one scale for all channels
    "activation-outliers": f"{_HERE}.activation_outliers",  # ranges blown up
    "float16-overflow": f"{_HERE}.float16_overflow",  # beyond 65504
    "delegate-arithmetic": f"{_HERE}.delegate_arithmetic",  # the delegate computes something else
    "qat-ignored": f"{_HERE}.qat_ignored",  # configured, and not in the graph
    "other-checkpoint": f"{_HERE}.other_checkpoint",  # most weights are no rounding of the float model's
    "batch-norm-statistics": f"{_HERE}.batch_norm",  # biases differ, weights do not
    "class-order": f"{_HERE}.class_order",  # heads' channels permuted
    "few-bits": f"{_HERE}.few_bits",  # 8-bit numbers that take few values
    "layer-weights": f"{_HERE}.layer_weights",  # one layer's weights
    "layer-bias": f"{_HERE}.layer_bias",  # one layer's bias
    "stored-scale": f"{_HERE}.stored_scale",  # RESHAPE, CONCATENATION, LOGISTIC, SOFTMAX, outputs
    "clipped-range": f"{_HERE}.clipped_range",  # one layer cut off
    "operator-options": f"{_HERE}.operator_options",  # what the files state of their operators
    "decoder-settings": f"{_HERE}.decoder_settings",  # what the cards state of the outputs
    "anchors": f"{_HERE}.anchors",  # anchors, strides, grids
    "float16-underflow": f"{_HERE}.float16_underflow",  # below 6e-5
    "not-in-quantization": f"{_HERE}.not_in_quantization",  # card, runtime or file
}
DECISIVE = frozenset({"wrong-pair", "reference-fails"})
"""Causes beside which nothing else is claimed: what the others would be tested on means nothing."""
LAST_RESORT = frozenset({"not-in-quantization"})
"""Causes that are tested only where no other one is certain."""
