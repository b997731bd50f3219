"""Compiles the kernels while a wheel is built, where there is a C++ compiler.

Without one, or with ``ONNX2SNN_NATIVE=0`` in the environment, the wheel is a pure Python one and
the runtime uses the function bodies of the files.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from packaging.tags import sys_tags

NATIVE = Path(__file__).parent / "runtime" / "onnx2snn_runtime" / "native"


def load_compile() -> ModuleType:
    """The package's own module that compiles; by its path, since nothing is installed yet."""
    spec = importlib.util.spec_from_file_location("native_compile", NATIVE / "compile.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def platform_tag() -> str:
    """A wheel's tag for this machine and any Python: the library knows nothing of Python."""
    platforms = (tag.platform for tag in sys_tags())
    here = next(p for p in platforms if not p.startswith(("manylinux", "musllinux")))
    return f"py3-none-{here}"


class NativeKernels(BuildHookInterface[Any]):
    """Adds the library to the wheel; of an editable install, to the source tree."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before it collects the wheel's files."""
        self._folder = tempfile.TemporaryDirectory()
        if os.environ.get("ONNX2SNN_NATIVE") == "0":
            self.app.display_info("compiled kernels are left out: ONNX2SNN_NATIVE=0")
            return
        native = load_compile()
        compiler = native.find_compiler()
        if compiler is None:
            self.app.display_warning("no C++ compiler: the package has no compiled kernels")
            return
        editable = version == "editable"
        library = native.LIBRARY if editable else Path(self._folder.name) / native.LIBRARY.name
        try:
            native.compile_library(library, compiler)
        except (OSError, subprocess.CalledProcessError) as error:
            reason = getattr(error, "stderr", None) or str(error)
            self.app.display_warning(f"the kernels do not compile, and are left out:\n{reason}")
            return
        build_data["pure_python"] = False
        build_data["tag"] = platform_tag()
        if not editable:
            for path in (library, native.stamp_of(library)):
                build_data["force_include"][str(path)] = f"onnx2snn_runtime/native/{path.name}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Called by hatchling when the wheel is written."""
        self._folder.cleanup()
