#!/usr/bin/env bash
# LiteRT's plugin for OpenVINO can be loaded with one release of OpenVINO alone; with a newer one nothing says so.
#
# ai-edge-litert 2.3.0's libLiteRtCompilerPlugin_IntelOpenvino.so is linked against libopenvino.so.2631, whose last digits
# are the release: openvino 2026.3.1 has that file, 2026.4.1 has libopenvino.so.2641 instead. Both are installed without a
# word (ai-edge-litert requires none of them), and in CompiledModel a plugin that cannot be loaded raises nothing: the
# model runs on the CPU.
#
# Seen (x86-64, Python 3.11):
#   openvino 2026.3.1: loaded
#   openvino 2026.4.1: libopenvino.so.2631: cannot open shared object file: No such file or directory
# The script fails if one of these lines changes.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
cat > load.py <<'PY'
import ctypes
import glob
import importlib.util
from pathlib import Path

here = {name: Path(importlib.util.find_spec(name).origin).parent for name in ("openvino", "ai_edge_litert")}
for pattern in ("libtbb.so.12", "libopenvino.so.*", "libopenvino_tensorflow_lite_frontend.so.*"):
    for file in glob.glob(str(here["openvino"] / "libs" / pattern)):
        ctypes.CDLL(file, ctypes.RTLD_GLOBAL)
ctypes.CDLL(str(here["ai_edge_litert"] / "libLiteRt.so"), ctypes.RTLD_GLOBAL)
plugin = next(here["ai_edge_litert"].glob("vendors/intel_openvino/compiler/libLiteRtCompilerPlugin_*.so"))
try:
    ctypes.CDLL(str(plugin))
    print("loaded")
except OSError as error:
    print(error)
PY
for release in 2026.3.1 2026.4.1; do
    venv/bin/pip install --quiet --disable-pip-version-check ai-edge-litert==2.3.0 "openvino==$release"
    echo "openvino $release: $(venv/bin/python load.py)"
done | tee seen
diff seen - <<'EXPECTED'
openvino 2026.3.1: loaded
openvino 2026.4.1: libopenvino.so.2631: cannot open shared object file: No such file or directory
EXPECTED
