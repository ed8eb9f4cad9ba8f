"""TFLite's native benchmark_model: its command line, what it prints and writes, and what that proves.

flags       delegate → command line, one table a flavour
text_log    what it prints → plain facts
protos      the files it writes → the same facts, more exactly
parse       both together → one `ToolOutput`
truth       what was asked for + a `ToolOutput` → what may be claimed (law 1)
eval_tool   what eval_coco_object_detection and eval_inference_diff print
binaries    where the tool and the libraries that a delegate needs come from

Nothing here starts a process: `harness.bench.engines.native.engine` does that, on any device.
"""
