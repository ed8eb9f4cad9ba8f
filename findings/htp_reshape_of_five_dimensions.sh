#!/usr/bin/env bash
# QNN's HTP backend for x86 flips the sign bit of an int8 input of five dimensions that a Reshape to fewer dimensions reads.
#
# onnxruntime-qnn 2.7.0 (QNN 2.51), CPU fallback disabled: one quantized Reshape (DequantizeLinear, Reshape,
# QuantizeLinear) from [1, 2, 4, 5, 4] to [1, 40, 4]. Every value comes out off by 128, as if the input were unsigned:
# -128 as 0, 5 as -123. No error, no warning. The same of uint8, or from four dimensions, gives its input back, as a
# Reshape must. Add and Transpose of such an input are right, and so is the Reshape of a tensor that is computed on the
# NPU: it is inputs of the backend's graph alone. An SSD with a feature pyramid meets it where a TILE with computed
# multiples stays on the CPU and makes the anchors: its boxes are far off.
#
# The package holds libraries under a licence of Qualcomm's (Qualcomm_LICENSE.pdf inside it), which is yours to read and
# accept: this script installs it nowhere. QNN_PYTHON names a Python that has it; x86-64 Linux.
#
# Seen (x86-64, Python 3.11):
#   onnxruntime-qnn 2.7.0
#   int8, 5 dimensions: -128 -127 0 127 become 0 1 -128 -1
#   int8, 4 dimensions: -128 -127 0 127 become -128 -127 0 127
#   uint8, 5 dimensions: 0 1 128 255 become 0 1 128 255
#   uint8, 4 dimensions: 0 1 128 255 become 0 1 128 255
# The script fails if one of these lines changes.
set -euo pipefail
: "${QNN_PYTHON:?names no Python that has onnxruntime-qnn 2.7.0; read its licence before you install it}"
qnn="$(command -v "$QNN_PYTHON")"
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check onnx==1.22.0 'numpy>=1.23'
cat > models.py <<'PY'
from onnx import TensorProto, helper, save

for name, kind, zero in (("int8", TensorProto.INT8, -62), ("uint8", TensorProto.UINT8, 66)):
    for dimensions, shape in ((5, [1, 2, 4, 8, 4]), (4, [1, 8, 8, 4])):
        nodes = [
            helper.make_node("DequantizeLinear", ["x", "scale", "zero"], ["x_float"]),
            helper.make_node("Reshape", ["x_float", "shape"], ["y_float"]),
            helper.make_node("QuantizeLinear", ["y_float", "scale", "zero"], ["y"]),
        ]
        constants = [
            helper.make_tensor("scale", TensorProto.FLOAT, [], [0.008]),
            helper.make_tensor("zero", kind, [], [zero]),
            helper.make_tensor("shape", TensorProto.INT64, [3], [1, 64, 4]),
        ]
        ends = [helper.make_tensor_value_info(end, kind, of) for end, of in (("x", shape), ("y", [1, 64, 4]))]
        graph = helper.make_graph(nodes, "graph", ends[:1], ends[1:], constants)
        opset = [helper.make_opsetid("", 13)]
        save(helper.make_model(graph, opset_imports=opset, ir_version=8), f"{name}-{dimensions}.onnx")
PY
cat > run.py <<'PY'
from importlib.metadata import version

import numpy as np
import onnxruntime
import onnxruntime_qnn

EP = "QNNExecutionProvider"
onnxruntime.register_execution_provider_library(EP, onnxruntime_qnn.get_library_path())
device = next(one for one in onnxruntime.get_ep_devices() if one.ep_name == EP)
print("onnxruntime-qnn", version("onnxruntime-qnn"))
for name, shown in (("int8", [-128, -127, 0, 127]), ("uint8", [0, 1, 128, 255])):
    for dimensions in (5, 4):
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
        options.add_provider_for_devices([device], {"backend_path": str(onnxruntime_qnn.get_qnn_htp_path())})
        session = onnxruntime.InferenceSession(f"{name}-{dimensions}.onnx", sess_options=options)
        every = np.arange(256) + np.iinfo(name).min
        (value,) = session.get_inputs()
        (found,) = session.run(None, {"x": every.astype(name).reshape(value.shape)})
        became = [found.ravel()[list(every).index(one)] for one in shown]
        print(f"{name}, {dimensions} dimensions: {' '.join(map(str, shown))} become {' '.join(map(str, became))}")
PY
venv/bin/python models.py
"$qnn" run.py 2>log | grep '^onnxruntime-qnn\|^u\?int8' | tee seen || { tail log >&2; exit 1; }
diff seen - <<'EXPECTED'
onnxruntime-qnn 2.7.0
int8, 5 dimensions: -128 -127 0 127 become 0 1 -128 -1
int8, 4 dimensions: -128 -127 0 127 become -128 -127 0 127
uint8, 5 dimensions: 0 1 128 255 become 0 1 128 255
uint8, 4 dimensions: 0 1 128 255 become 0 1 128 255
EXPECTED
