"""Inspect a .tflite file: operators, cost, weights, islands.

model       an inspection, as one object
tensors     an input or output, described for a person
weights     how weights are stored
islands     operators that a quantized model leaves in float
difference  two inspections compared
"""
