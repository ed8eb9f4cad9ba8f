"""TFLite's native benchmark_model: its command line, its output, and what that proves.

    flags         delegate → command line, one table a flavor
    facts         facts about one run of the tool, as types
    lines         one line of a log: its level, apart from its text
    text_log      its text output → facts
    profile_text  the printed operator profile
    protos        the files it writes → the same facts, more exactly
    parse         both together → one `ToolOutput`
    truth         the request + a `ToolOutput` → the claims that are proven (law 1)
    eval_tool     the output of eval_coco_object_detection and eval_inference_diff
    binaries      the tool, and the libraries that a delegate needs
    library_versions  their hashes and versions

Nothing here starts a process: `harness.bench.engines.native.engine` does that, on any device.
"""
