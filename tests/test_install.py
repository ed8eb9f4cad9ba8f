"""What is said about installing works where no package index knows this package."""

import shlex
import sys
from importlib import metadata

from harness.install import install_extra, pip_install


def test_the_command_is_of_the_python_that_runs():
    assert shlex.split(pip_install("a>=1", "b")) == [sys.executable, "-m", "pip", "install", "a>=1", "b"]


def test_an_extra_of_a_checkout_is_installed_from_it(tmp_path):
    (tmp_path / "pyproject.toml").touch()
    assert shlex.split(install_extra("quantize", tmp_path))[-2:] == ["-e", f"{tmp_path}[quantize]"]


def test_an_extra_of_an_installed_package_is_what_it_stands_for(tmp_path, monkeypatch):
    lines = ["numpy>=1", "litert-quantizer>=0.11; extra == 'quantize'", "pytest>=8; extra == 'test'"]
    monkeypatch.setattr(metadata, "requires", lambda name: lines)
    assert shlex.split(install_extra("quantize", tmp_path))[-1] == "litert-quantizer>=0.11"
