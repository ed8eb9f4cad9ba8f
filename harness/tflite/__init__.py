""".tflite files as data: read, describe, inspect."""
