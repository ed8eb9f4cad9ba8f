"""Files of random bytes to send to devices, and what tells whether they arrived."""

import hashlib
import os
from pathlib import Path


def write(path: Path, size: int) -> Path:
    """Write a file of random bytes of a size."""
    path.write_bytes(os.urandom(size))
    return path


def sha256(path) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()
