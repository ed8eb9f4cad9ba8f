"""A stand-in for TFLite's benchmark_model, for tests: real flags, real inference, real lines, real files.

It runs on the LiteRT interpreter and prints what the program of the flavour `tflite` prints on Linux (INFO and WARN to
standard output, ERROR and FATAL to standard error). It can play the documented misbehaviours, which are told by the
environment variable STAND_IN, a JSON object (`tests/support/launcher.py` writes it into the launcher):

    "unknown": ["use_gpu"]     flags that this build does not know
    "gpu": "works"             every node, on the CPU but told as the GPU
           "partial"           all but the last node
           "silent"            created and never used
           "refused"           «unsupported on this platform»
           "crash" "hang"      SIGSEGV, no end
           "slightly" "badly"  works, and computes something slightly or badly different
    "input_names": "no colon"  refuses an input whose name has one, as TF 2.4 and 2.5 do

An external delegate (`--external_delegate_path`) is really loaded and applied; one that cannot be loaded is passed over
without a word, as the tool does.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np

from tests.stand_in.tool_files import write_graph, write_profile, write_result

FLAGS = {
    # flag: default
    **{"num_runs": 50, "min_secs": 1.0, "max_secs": 150.0, "warmup_runs": 1, "warmup_min_secs": 0.5},
    **{"num_threads": -1, "graph": "", "help": False, "dry_run": False, "verbose": False},
    **{"use_xnnpack": False, "use_gpu": False, "gpu_precision_loss_allowed": True, "gpu_backend": ""},
    **{"use_nnapi": False, "nnapi_accelerator_name": "", "disable_nnapi_cpu": True},
    **{"external_delegate_path": "", "external_delegate_options": ""},
    **{"input_layer": "", "input_layer_shape": "", "input_layer_value_files": "", "output_filepath": ""},
    **{"result_file_path": "", "export_model_runtime_info": False, "model_runtime_info_output_file": ""},
    **{"enable_op_profiling": False, "op_profiling_output_mode": "stdout", "op_profiling_output_file": ""},
    **{"report_peak_memory_footprint": False, "require_full_delegation": False},
    **{"list_signatures": False, "signature_to_run_for": ""},
    # known, and without an effect here
    **{"allow_fp16": False, "benchmark_name": "", "output_prefix": "", "disable_delegate_clustering": False},
    **{"input_layer_value_range": "", "profiling_output_csv_file": "", "output_proto_filepath": ""},
    **{"memory_footprint_check_interval_ms": 50, "print_preinvoke_state": False, "run_delay": -1.0},
    **{"xnnpack_weight_cache_file_path": ""},
}
SHOWN = {
    **{"num_runs": "Min num runs", "min_secs": "Min runs duration (seconds)", "num_threads": "Num threads"},
    **{"max_secs": "Max runs duration (seconds)", "warmup_runs": "Min warmup runs", "use_gpu": "Use gpu"},
    **{
        "warmup_min_secs": "Min warmup runs duration (seconds)",
        "graph": "Graph",
        "use_xnnpack": "Use xnnpack",
    },
    **{"input_layer": "Input layers", "input_layer_shape": "Input shapes", "use_nnapi": "Use NNAPI"},
    **{"input_layer_value_files": "Input value files", "external_delegate_path": "External delegate path"},
    **{
        "output_filepath": "File path to export outputs layer to",
        "enable_op_profiling": "Enable op profiling",
    },
    **{"export_model_runtime_info": "Enable Model Runtime Info Export"},
    **{"model_runtime_info_output_file": "Proto File to export model runtime info to"},
    **{"list_signatures": "List signatures from the provided model"},
    **{"result_file_path": "File path to save the benchmark result in binary proto format"},
}
BOOLS = {"true": True, "1": True, "false": False, "0": False}
GPU = "TfLiteGpuDelegateV2"


def info(text):
    print(f"INFO: {text}")


def warn(text):
    print(f"WARN: {text}")


def error(text):
    print(f"ERROR: {text}", file=sys.stderr)


def fail(text, code=1):
    sys.stdout.flush()
    if code == 134:
        print(f"FATAL: {text}", file=sys.stderr, flush=True)
        os.abort()
    error(text)
    error("Benchmarking failed.")
    sys.exit(code)


def read_flags(arguments, unknown):
    """Take `--flag=value`; everything else is unconsumed."""
    flags, given, left = dict(FLAGS), [], []
    for argument in arguments:
        if argument == "--help":
            flags["help"] = True
            continue
        name, equals, value = argument.removeprefix("--").partition("=")
        if not argument.startswith("--") or not equals or name not in FLAGS or name in unknown:
            left.append(argument)
            continue
        try:
            flags[name] = BOOLS[value] if isinstance(FLAGS[name], bool) else type(FLAGS[name])(value)
        except (KeyError, ValueError):
            error(f"Failed to parse flag '{name}' against argv '{argument}'")
            flags["help"] = True
        given.append(name)
    if left:
        warn(f"Unconsumed cmdline flags: {' '.join(left)}")
    return flags, given


def usage():
    rows = [f"\t--{name}={str(value).lower():40}\toptional" for name, value in FLAGS.items()]
    fail(f"usage: benchmark_model <flags>\nFlags:\n{chr(10).join(rows)}\n")


def delegate_of(flags, plays):
    """Announce the delegate as the tool does; return what is to be told: xnnpack, none, or gpu with how it behaves."""
    if flags["use_gpu"]:
        how = plays.get("gpu", "refused")
        if how == "refused":
            warn("GPU acceleration is unsupported on this platform.")
            return "default", ""
        print("INFO: Created TensorFlow Lite delegate for GPU.", file=sys.stderr)
        info("GPU delegate created.")
        return ("default", "") if how == "silent" else ("gpu", how)
    if flags["use_nnapi"]:
        warn("NNAPI acceleration is unsupported on this platform.")
    return "default", ""


def external_delegates(flags):
    """Load the library, with its options as the tool parts them; none where it cannot be loaded."""
    if not flags["external_delegate_path"]:
        return []
    from ai_edge_litert.interpreter import load_delegate

    items = [
        item.split(":") for item in flags["external_delegate_options"].split(";") if item.count(":") == 1
    ]
    try:
        found = [load_delegate(flags["external_delegate_path"], dict(items))]
    except (ValueError, OSError, AttributeError):
        return []
    info("EXTERNAL delegate created.")
    return found


def make_interpreter(flags, explicit, delegates=()):
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    resolver = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES if explicit else OpResolverType.AUTO
    graph = flags["graph"]
    if not Path(graph).is_file():
        error(f"Could not open '{graph}'.")
        fail(f"Failed to load model {graph}")
    info(f"Loaded model {graph}")
    try:
        threads = flags["num_threads"] if flags["num_threads"] > 0 else None
        interpreter = Interpreter(
            graph,
            num_threads=threads,
            experimental_op_resolver_type=resolver,
            experimental_delegates=list(delegates),
        )
        # Before XNNPACK takes of the rest what it can: what is delegated now is the library's.
        interpreter.taken = nodes_of(interpreter)[1] if delegates else None
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as problem:
        error(str(problem).splitlines()[0])
        fail(f"Failed to load model {graph}")
    return interpreter


def choose_signature(interpreter, flags):
    """List the signatures and end, or refuse a model with several where none is named."""
    keys = list(interpreter.get_signature_list())
    if flags["list_signatures"]:
        info(f"The Model contains {len(keys)} signature key(s).")
        for key in keys:
            info(f"-> Signature Key: {key}")
        sys.stdout.flush()
        error("Benchmarking failed.")
        sys.exit(1)
    if len(keys) > 1 and flags["signature_to_run_for"] not in keys:
        error(
            'Signature not specified or incorrect. Pass one of the following to the flag "--signature_to_run_for"'
        )
        for key in keys:
            error(f" #> Signature key: {key}")
        fail("")


def split_value_file(item):
    """Part `name:file` at the one colon that is not doubled, as SplitInputLayerNameAndValueFile does."""
    parts = item.replace("::", "\0").split(":")
    if len(parts) != 2:
        error(f"{item} contains more than one delimiter." if len(parts) > 2 else f"{item} has no delimiter.")
        error(f"Wrong input value file item specified: {item}")
        fail("1")
    return tuple(part.replace("\0", ":") for part in parts)


def validate(flags, plays):
    """Refuse what the tool refuses before it logs its parameters."""
    if not flags["graph"]:
        fail("Please specify the name of your TF Lite input file with --graph")
    if flags["op_profiling_output_mode"] not in {"stdout", "csv", "proto"}:
        mode = flags["op_profiling_output_mode"]
        fail(f"Output mode{mode} is not supported. Supported values are: 'stdout', 'csv' and 'proto'.")
    names, shapes = flags["input_layer"].split(","), flags["input_layer_shape"].split(":")
    if len(names) != len(shapes):
        fail(
            f"The number of items in --input_layer_shape ({flags['input_layer_shape']}, with {len(shapes)} items) must "
            f"match the number of items in --input_layer ({flags['input_layer']}, with {len(names)} items)."
        )
    if any(size.startswith("-") for shape in shapes for size in shape.split(",")):
        fail(
            "Any unknown sizes in the shapes (-1's) must be replaced with the size you want to benchmark with."
        )
    for item in filter(None, flags["input_layer_value_files"].split(",")):
        if plays.get("input_names") == "no colon" and item.count(":") != 1:
            fail(f"Wrong input value file item specified: {item}")
        split_value_file(item)


def feed(interpreter, flags):
    details = interpreter.get_input_details()
    files = dict(map(split_value_file, filter(None, flags["input_layer_value_files"].split(","))))
    names = list(filter(None, flags["input_layer"].split(",")))
    shapes = [[int(n) for n in s.split(",")] for s in filter(None, flags["input_layer_shape"].split(":"))]
    if names and len(names) != len(details):
        fail(f"Inputs mismatch: Model inputs #:{len(names)} expected: {len(details)}", 134)
    for at, detail in enumerate(details):
        if names and names[at] != detail["name"]:
            warn(f"Tensor # {detail['index']} is named {detail['name']} but flags call it {names[at]}")
        if names and len(shapes[at]) != len(detail["shape"]):
            fail(f"Input tensor #{at} should have {len(detail['shape'])} dimensions!")
        if names and shapes[at] != list(detail["shape"]):
            fail(
                "Failed to allocate tensors!"
            )  # the tool resizes the input, and a detector takes one size only
        file = files.get(names[at]) if names else None
        interpreter.set_tensor(detail["index"], value_of(detail, file))


def value_of(detail, file):
    shape, dtype = tuple(detail["shape"]), np.dtype(detail["dtype"])
    if file is None:
        random = np.random.default_rng()
        return (
            random.uniform(-0.5, 0.5, shape).astype(dtype)
            if dtype.kind == "f"
            else random.integers(0, 127, shape, dtype)
        )
    try:
        data = Path(file).read_bytes()
    except OSError:
        fail(f"Failed to read the input_layer_value_file:{file}", 134)
    if len(data) != dtype.itemsize * np.prod(shape):
        fail(f"The size of {file} does not fit", 134)
    return np.frombuffer(data, dtype).reshape(shape)


def phase(interpreter, flags, runs, seconds):
    """while (run < N or t < seconds) and t <= max_secs, in whole µs."""
    seconds_shown = f"{seconds:g}"
    info(
        f"Running benchmark for at least {runs} iterations and at least {seconds_shown} seconds but terminate if "
        f"exceeding {flags['max_secs']:g} seconds."
    )
    times, failed, begin = [], False, time.perf_counter()
    while (
        len(times) < runs or time.perf_counter() - begin < seconds
    ) and time.perf_counter() - begin <= flags["max_secs"]:
        t0 = time.perf_counter_ns()
        failed = not invoke(interpreter) or failed
        times.append((time.perf_counter_ns() - t0) // 1000)
    info(statistics_line(times) + "\n")
    if failed:  # the line of statistics is printed all the same
        sys.stdout.flush()
        error("Benchmarking failed.")
        sys.exit(1)
    return times


def invoke(interpreter):
    """Infer once; say what failed and go on, as the tool does."""
    try:
        interpreter.invoke()
    except RuntimeError as problem:
        error(str(problem).splitlines()[0])
        return False
    return True


def statistics_line(times):
    if not times:
        return "count=0 p5=0 median=0 p95=0"
    ordered, n = sorted(times), len(times)
    tail = " ".join(
        f"{name}={ordered[int(n * q / 100)]}" for name, q in (("p5", 5), ("median", 50), ("p95", 95))
    )
    if n == 1:
        return f"count=1 curr={times[0]} {tail}"
    if ordered[0] == ordered[-1]:
        return f"count={n} curr={times[0]}(all same) {tail}"
    return (
        f"count={n} first={times[0]} curr={times[-1]} min={ordered[0]} max={ordered[-1]} avg={np.mean(times):.6g} "
        f"std={int(np.std(times))} {tail}"
    )


def spoil(outputs, how):
    """What a delegate that computes something else gives."""
    if how == "slightly":
        return [o * np.float32(1.00001) if o.dtype.kind == "f" else o for o in outputs]
    if how == "badly":
        return [
            np.roll(o, o.size // 2) * 3 if o.dtype.kind == "f" else np.roll(o, o.size // 2) for o in outputs
        ]
    return outputs


def nodes_of(interpreter):
    """Original nodes, and the sets of them that delegate nodes replaced."""
    from harness.worker.evidence import divide_nodes, list_nodes

    return divide_nodes(list_nodes(interpreter))


def tell_delegate(delegate, how, flags, original, groups, external=None):
    """Print the line of an explicit delegate and return whose nodes the graph shall show, and which."""
    name, nodes = "TfLiteXNNPackDelegate", groups
    if external is not None:
        name, nodes = "StandInDelegate", external
    elif delegate == "gpu":
        everything = set(range(len(original)))
        name, nodes = GPU, [everything - {len(original) - 1} if how == "partial" else everything]
    elif not flags["use_xnnpack"]:
        return name, nodes
    else:
        info("XNNPACK delegate created.")
    title = "EXTERNAL" if external is not None else "GPU" if delegate == "gpu" else "XNNPACK"
    taken = len(set().union(*nodes)) if nodes else 0
    if taken == 0:
        info(
            f"Though {title} delegate is explicitly applied, the model graph will not be executed by the delegate."
        )
    elif taken == len(original):
        info(
            f"Explicitly applied {title} delegate, and the model graph will be completely executed by the delegate."
        )
    else:
        info(
            f"Explicitly applied {title} delegate, and the model graph will be partially executed by the delegate w/ "
            f"{len(nodes)} delegate kernels."
        )
    return name, nodes


def export(file, data):
    """The tool passes over a file that cannot be written."""
    if file:
        try:
            Path(file).write_bytes(data)
        except OSError:
            return


def main():
    plays = json.loads(os.environ.get("STAND_IN") or "{}")
    info("STARTING!")
    flags, given = read_flags(sys.argv[1:], plays.get("unknown", ()))
    if flags["help"]:
        usage()
    validate(flags, plays)
    info("Log parameter values verbosely: [0]")
    for name in given:
        if name in SHOWN:
            value = flags[name]
            shown = value if isinstance(value, str) else f"{float(value):g}"
            info(f"{SHOWN[name]}: [{shown}]")
    if flags["dry_run"]:
        flags.update(num_runs=0, min_secs=-1.0, warmup_runs=0, warmup_min_secs=-1.0)
    info("Signature to run: []")
    sys.stdout.flush()
    begin = time.perf_counter()
    delegate, how = delegate_of(flags, plays)
    reference = "use_xnnpack" in given and not flags["use_xnnpack"]
    interpreter = make_interpreter(flags, reference, external_delegates(flags))
    choose_signature(interpreter, flags)
    original, groups = nodes_of(interpreter)
    name, nodes = tell_delegate(delegate, how, flags, original, groups, interpreter.taken)
    if flags["require_full_delegation"] and len(set().union(*nodes)) < len(original):
        fail("Disallowed CPU fallback detected.")
    size_mb = Path(flags["graph"]).stat().st_size / 1e6
    init_us = round((time.perf_counter() - begin) * 1e6)
    info(f"The input model file size (MB): {size_mb:g}")
    info(f"Initialized session in {init_us / 1000:g}ms.")
    sys.stdout.flush()
    if how == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    while how == "hang":
        time.sleep(1)
    feed(interpreter, flags)
    warm_up = phase(interpreter, flags, flags["warmup_runs"], flags["warmup_min_secs"])
    times = phase(interpreter, flags, flags["num_runs"], flags["min_secs"])
    finish(interpreter, flags, warm_up, times, init_us, size_mb, how)
    if flags["model_runtime_info_output_file"] and flags["export_model_runtime_info"]:
        write_graph(flags["model_runtime_info_output_file"], original, nodes, name)
    if flags["enable_op_profiling"] and flags["op_profiling_output_mode"] == "proto":
        write_profile(flags["op_profiling_output_file"], original, times)


def finish(interpreter, flags, warm_up, times, init_us, size_mb, how):
    outputs = [interpreter.get_tensor(d["index"]) for d in interpreter.get_output_details()]
    export(flags["output_filepath"], b"".join(o.tobytes() for o in spoil(outputs, how)))
    means = [f"{np.mean(t):.6g}" if t else "0" for t in (warm_up, times)]
    info(
        f"Inference timings in us: Init: {init_us}, First inference: {warm_up[0] if warm_up else 0}, "
        f"Warmup (avg): {means[0]}, Inference (avg): {means[1]}"
    )
    info("Memory footprint delta from the start of the tool (MB): init=7.8125 overall=8.78906")
    if flags["report_peak_memory_footprint"]:
        info("Overall peak memory footprint (MB) via periodic monitoring: 19.8125")
    if flags["result_file_path"] and times:
        info(f"Saving benchmark result to: {flags['result_file_path']}")
        write_result(flags["result_file_path"], warm_up, times, init_us, size_mb)


if __name__ == "__main__":
    main()
