"""From a delegate's configuration to the command line: every row of the tables."""

from dataclasses import replace

import pytest

from harness.delegates import Delegate, parse_delegate
from harness.drivers.benchmark_tool.flags import (
    LITERT,
    TFLITE,
    Command,
    Input,
    Libraries,
    Outputs,
    Runs,
    delegate_flags,
    flag_name,
)
from harness.errors import UsageError

QNN = Libraries("/d", "/d/libQnnTFLiteDelegate.so", "/d/libQnnHtp.so")
SPELT = [
    # flavour, delegate, libraries, flags
    ("tflite", "cpu:4", Libraries(), ["--use_xnnpack=true"]),
    ("tflite", "cpu-reference", Libraries(), ["--use_xnnpack=false"]),
    ("tflite", "gpu", Libraries(), ["--use_gpu=true"]),
    ("tflite", "gpu:fp32", Libraries(), ["--use_gpu=true", "--gpu_precision_loss_allowed=false"]),
    (
        *("tflite", "gpu:fp16:cl", Libraries()),
        ["--use_gpu=true", "--gpu_precision_loss_allowed=true", "--gpu_backend=cl"],
    ),
    ("tflite", "gpu:gl", Libraries(), ["--use_gpu=true", "--gpu_backend=gl"]),
    ("tflite", "nnapi", Libraries(), ["--use_nnapi=true", "--disable_nnapi_cpu=true"]),
    (
        *("tflite", "nnapi:qti-dsp", Libraries()),
        ["--use_nnapi=true", "--disable_nnapi_cpu=true", "--nnapi_accelerator_name=qti-dsp"],
    ),
    ("tflite", "hexagon", Libraries("/d"), ["--use_hexagon=true", "--hexagon_lib_path=/d"]),
    (
        *("tflite", "qnn:htp", QNN),
        [
            "--external_delegate_path=/d/libQnnTFLiteDelegate.so",
            "--external_delegate_options=backend_type:htp;library_path:/d/libQnnHtp.so",
        ],
    ),
    (
        *("tflite", "qnn:gpu", Libraries("/d", "/d/libQnnTFLiteDelegate.so")),
        [
            "--external_delegate_path=/d/libQnnTFLiteDelegate.so",
            "--external_delegate_options=backend_type:gpu",
        ],
    ),
    (
        *("tflite", "edgetpu", Libraries("/d", "/d/libedgetpu.so.1")),
        ["--external_delegate_path=/d/libedgetpu.so.1"],
    ),
    ("tflite", "external:/d/libx.so", Libraries(), ["--external_delegate_path=/d/libx.so"]),
    ("litert", "cpu", Libraries(), ["--use_cpu=true"]),
    ("litert", "gpu:fp16", Libraries(), ["--use_cpu=false", "--use_gpu=true", "--gpu-precision=fp16"]),
    ("litert", "gpu:fp32", Libraries(), ["--use_cpu=false", "--use_gpu=true", "--gpu-precision=fp32"]),
    ("litert", "gpu:cl", Libraries(), ["--use_cpu=false", "--use_gpu=true", "--gpu_backend=opencl"]),
    ("litert", "gpu:gl", Libraries(), ["--use_cpu=false", "--use_gpu=true", "--gpu_backend=opengl"]),
    ("litert", "npu", Libraries("/d"), ["--use_cpu=false", "--use_npu=true", "--dispatch_library_path=/d"]),
]


@pytest.mark.parametrize("case", SPELT, ids=lambda case: f"{case[0]}-{case[1]}")
def test_a_delegate_becomes_flags(case):
    flavour, spelling, libraries, flags = case
    assert delegate_flags(parse_delegate(spelling), flavour, libraries) == flags


@pytest.mark.parametrize(("flavour", "table"), [("tflite", TFLITE), ("litert", LITERT)])
def test_every_row_of_a_table_is_used_by_a_case_above(flavour, table):
    used = {
        flag_name(flag) + flag.partition("=")[2][:3]
        for f, _, _, flags in SPELT
        if f == flavour
        for flag in flags
    }
    for _, _, flags in table:
        for flag in flags:
            value = "" if "{" in flag else flag.partition("=")[2][:3]
            assert any(name.startswith(flag_name(flag) + value) for name in used), flag


@pytest.mark.parametrize(
    ("flavour", "spelling"),
    [("tflite", "npu"), ("litert", "nnapi"), ("litert", "cpu-reference"), ("litert", "external:x.so")],
)
def test_a_delegate_that_a_flavour_lacks_is_refused_with_what_it_has(flavour, spelling):
    with pytest.raises(UsageError, match=f"flavour {flavour} has no delegate .* only cpu"):
        delegate_flags(parse_delegate(spelling), flavour)


def test_a_setting_that_cannot_be_told_is_refused():
    with pytest.raises(UsageError, match="cannot be told usb 1"):
        delegate_flags(parse_delegate("edgetpu:usb:1"), "tflite", Libraries("/d", "/d/libedgetpu.so.1"))


def test_options_of_an_external_delegate_are_joined_as_the_tool_parts_them():
    delegate = Delegate("external", options=(("path", "x.so"), ("option.a", "1"), ("option.b", "two")))
    flags = delegate_flags(delegate, "tflite")
    assert flags[-1] == "--external_delegate_options=a:1;b:two"


@pytest.mark.parametrize("value", ["usb:0", "x;y"])
def test_an_option_that_the_tool_would_drop_in_silence_is_refused(value):
    delegate = Delegate("external", options=(("path", "x.so"), ("option.device", value)))
    with pytest.raises(UsageError, match="cannot be given"):
        delegate_flags(delegate, "tflite")


COMMAND = Command("tflite", "/d/m.tflite", parse_delegate("cpu:4"))


def test_a_whole_command_line():
    argv = replace(
        COMMAND, runs=Runs(10, 0.5, 30.0, 2, 0.25), outputs=Outputs("/d/r", "/d/g", "/d/p", "/d/t")
    ).argv("./b")
    assert argv == [
        *("./b", "--graph=/d/m.tflite", "--use_xnnpack=true", "--num_threads=4"),
        *("--num_runs=10", "--min_secs=0.5", "--max_secs=30", "--warmup_runs=2", "--warmup_min_secs=0.25"),
        "--result_file_path=/d/r",
        *("--export_model_runtime_info=true", "--model_runtime_info_output_file=/d/g"),
        *(
            "--enable_op_profiling=true",
            "--op_profiling_output_mode=proto",
            "--op_profiling_output_file=/d/p",
        ),
        "--output_filepath=/d/t",
    ]


def test_litert_needs_one_flag_for_the_runtime_graph():
    argv = replace(
        COMMAND, flavour="litert", delegate=parse_delegate("gpu"), outputs=Outputs(graph="/d/g")
    ).argv("b")
    assert "--model_runtime_info_output_file=/d/g" in argv
    assert not any("export_model_runtime_info" in flag for flag in argv)


def test_inputs_are_named_shaped_and_read_from_files():
    inputs = (Input("serving:0", (1, 2, 2, 3), "/d/a.bin"), Input("b", (1,), "/d/b.bin"))
    argv = replace(COMMAND, inputs=inputs).argv("b")
    assert argv[-3:] == [
        "--input_layer=serving:0,b",
        "--input_layer_shape=1,2,2,3:1",
        "--input_layer_value_files=serving::0:/d/a.bin,b:/d/b.bin",
    ]


@pytest.mark.parametrize(("name", "file"), [("a,b", "f"), ("a", "f,g"), ("a", "f:g")])
def test_an_input_that_the_tool_would_part_wrongly_is_refused(name, file):
    with pytest.raises(UsageError, match="no comma"):
        replace(COMMAND, inputs=(Input(name, (1,), file),)).argv("b")


def test_every_argument_is_one_flag_with_its_value():
    argv = replace(COMMAND, extra={"report_peak_memory_footprint": "true"}).argv("b")
    assert all(flag.startswith("--") and "=" in flag for flag in argv[1:])
    assert argv[-1] == "--report_peak_memory_footprint=true"
