"""The two models and their detections.

model_pair    the two models that are compared
changes       changes to a model for a trial, and the results
runs          detections of a model, also under changes
engines       interpreters of this computer
prepared_inputs  inputs of images, kept for many models
on_device     detections on another device or delegate
input_values  the real numbers that a network gets for a pixel
input_scale   another scale and zero point written to an input
patched_file  other constants, scales and zero points in a quantized file
scratch       a temporary folder for the models of trials
"""
