"""Inspect a .tflite file: operators, cost, weights, islands."""
