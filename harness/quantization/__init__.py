"""Make smaller models of a float .tflite and measure the cost: quantize, prune, resize, and lint the images for it.

request         what a user asks of a quantization, and the job made of it
workflow        `harness quantize`: lint, quantize, prove, compare, measure
modes           the modes of quantization
engine          litert-quantizer, called
representative  representative data: images or arrays
lint            checks of representative data
noise           random numbers and shuffled pictures told from pictures
statistics      statistics of images, for the checks
value_range     whether representative values lie in the expected range
distribution    whether representative images resemble the evaluation images
findings        findings of the checks
target          every mode held against a target, and what to ship
prove           a new model, run before it is written
compare         the output error of a changed model against its source
measure         the speed and accuracy of a new model
table           a row of a before-and-after table
stats           `quantized_input_stats` of a TF1 input
fold            a float16 or float32 file → the float32 file for the quantizer
prune           the smallest weights set to zero
resize          another input size
shapes          the shapes of a graph at another input size
variants        `prune` and `resize` from a request to a table
"""
