"""A .tflite file looked at: operators, cost, weights, islands."""
