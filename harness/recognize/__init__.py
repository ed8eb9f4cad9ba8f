"""A bare .tflite becomes a card, each entry with its evidence."""
