"""TFLite's native tools as an engine.

engine      the engine: it composes the others, and none of them calls back into it
tool        benchmark_model on one device: its files, its command line, one run
scripts     the shell scripts around the tools, and the reading of what they print
batches     a dataset through benchmark_model
check       the outputs of a cell against one CPU thread's
evaluation  a dataset through eval_coco_object_detection
"""
