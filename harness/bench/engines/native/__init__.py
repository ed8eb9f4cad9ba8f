"""TFLite's native benchmark_model as an engine."""
