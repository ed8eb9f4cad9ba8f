"""Recognize a bare .tflite: its card, each entry with its evidence."""
