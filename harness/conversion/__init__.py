"""TensorFlow → TFLite. TensorFlow is imported in a child process only (`child`), never here."""
