"""The two models and their detections."""
