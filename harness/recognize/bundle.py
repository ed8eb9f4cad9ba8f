"""MediaPipe's task bundles: an archive `.task` around the model that it runs."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

from harness import atomic
from harness.cards import cache_folder
from harness.errors import ModelError
from harness.names import safe_name
from harness.paths import is_file

MAX_BYTES = 1 << 30


def unpack(path: Path) -> Path:
    """Return the only model of a bundle, unpacked into the cache under the bundle's hash.

    Raises:
        ModelError: It is no archive, or holds no model or several: a face or hand bundle has a detector and more.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            models = [info for info in archive.infolist() if info.filename.endswith(".tflite")]
            if len(models) != 1 or models[0].file_size > MAX_BYTES:
                names = ", ".join(info.filename for info in models) or "none"
                raise ModelError(
                    f"{path}: found the models {names} in this task bundle, expected one: unpack it (it is a zip "
                    "archive) and give the .tflite of the detector"
                )
            content = archive.read(models[0])
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, OSError) as error:
        raise ModelError(f"{path}: this task bundle is no archive that can be read ({error})") from error
    folder = cache_folder() / "bundles" / hashlib.sha256(content).hexdigest()[:16]
    output = folder / f"{safe_name(path.stem)}.tflite"
    if not is_file(output):
        folder.mkdir(parents=True, exist_ok=True)
        atomic.write_bytes(output, content)
    return output
