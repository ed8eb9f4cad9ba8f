"""How the bundled example was made: a drawn dataset and a small SSD trained on it, in four quantizations.

It lets every command be tried, and every part be tested, without a download: `models/shapes/`.

To make it again (TensorFlow is in the extra `convert`; two cores need about an hour):

    python -m tests.example_training.draw --out models/shapes/dataset
    python -m tests.example_training.train --out DIR
    python -m tests.example_training.export --weights DIR/shapes.weights.h5 --out models

The first gives the stored annotations exactly. Training is seeded, but sums on several threads are not associative:
another run gives other weights of about the same mAP, and so other hashes on the cards.

Choices:

- Data: six shapes on textured backgrounds with clutter, at random rotations, stretches and colours, so that a
  detector has to learn outlines. Every image has its own generator, so no split shares one with another.
- Network: 144 x 144 input, a stem and 11 depthwise-separable blocks (batch norm, ReLU6: what int8 kernels and
  accelerators know), SSDLite heads on four feature maps, 1756 anchors, TFOD's box coding (10, 10, 5, 5), sigmoid
  scores with background in column 0, and a real `TFLite_Detection_PostProcess`.
- Loss: generalized IoU and a little smooth L1 for precise boxes (mAP averages over IoUs to 0.95); scores learn the
  IoU of their box, with a focal factor on background anchors only.
- Schedule: AdamW, warm-up and cosine; the averaged weights are exported, which saves a longer run.
- Images are flipped and transposed; their colours are random as drawn.
- Quantization: TensorFlow's post-training route, 200 drawn calibration images for full integer. The four
  files differ in nothing else.

The stored weights are this recipe's, run once in full from scratch (12,000 steps, 8,000 images). The NMS settings
were chosen on the validation set, as such settings are: one class a box instead of three gives 0.588 there.

Measured on the stored validation set (220 images) by `tests.example_training.export`, ai-edge-litert with XNNPACK
(latencies stand in the README, where they are measured anew):

| quantization | kB | mAP | AP50 |
|---|---|---|---|
| float32 | 349 | 0.602 | 0.869 |
| float16 | 210 | 0.602 | 0.869 |
| dynamic_range | 188 | 0.602 | 0.869 |
| full_integer | 195 | 0.599 | 0.864 |

71,928 weights, batch norm folded; 11.3 million multiply-accumulates an inference, by the convolutions' shapes.
"""
