"""The two sides and their detections."""
