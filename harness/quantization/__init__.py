"""Make smaller models of a float .tflite and say what it cost: quantize, prune, resize, and lint the images for it.

These take a model's card and images and measure afterwards, so they stand above `tflite`, which knows bytes only.
"""
