"""Quantization-aware training was configured, and the graph shows no trace of it.

`graph_rewriter` is read by the TF1 trainer only; TF2 pipelines ignore it without a warning (tensorflow/models issues
9835, 10628). A graph that it rewrote has FAKE_QUANT operators, or is converted to the uint8 of TF1's training.
"""

from __future__ import annotations

from harness.diagnosis.causes.confidence import is_lossy
from harness.diagnosis.causes.pipeline_config import read_training
from harness.diagnosis.evidence import Evidence
from harness.diagnosis.findings import Finding, Number
from harness.diagnosis.remedies.remedies import requantize
from harness.diagnosis.runs.model_pair import ComparedModel
from harness.vocabulary import Quantization

CAUSE = "qat-ignored"
FAKE = "FAKE_QUANT"


def examine(evidence: Evidence) -> Finding | None:
    """Look for traces of quantization-aware training in the graph, where `pipeline.config` asks for it."""
    training = read_training(evidence.pipeline_config)
    if training is None or not training.asks_for_qat or any(map(_trained_so, evidence.pair.models)):
        return None
    lossy = is_lossy(evidence)
    model = evidence.pair.quantized
    return Finding(
        CAUSE,
        "likely" if lossy and evidence.loss.difference is not None else "possible",
        "certain as a fact, by the file; what training would bring back cannot be measured without training"
        + (", and there is a loss beyond chance" if lossy else ", and there is no loss beyond chance"),
        "pipeline.config configures quantization-aware training (graph_rewriter, delay "
        f"{training.quantization_delay}), but the graph holds no trace of it: it is "
        f"{model.description.quantization}, with no FAKE_QUANT operator; TF2 pipelines ignore graph_rewriter without a "
        "word",
        (
            Number("configured delay", training.quantization_delay, "steps"),
            Number("FAKE_QUANT operators", 0),
            Number("quantization", model.description.quantization),
        ),
        None,
        "retrain",
        requantize(
            evidence,
            "Do not count on graph_rewriter: train with tfmot's quantize_model, or in TF1; else quantize after "
            "training with good representative images, as the command does.",
        ),
    )


def _trained_so(model: ComparedModel) -> bool:
    list_names = any(operator.name.startswith(FAKE) for _, operator in model.graph.operators())
    return list_names or model.description.quantization == Quantization.QAT_UINT8
