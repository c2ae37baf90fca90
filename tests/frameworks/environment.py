"""The environment in which LlamaIndex is run: made from its locked list on first use, kept beside the project's own."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

_LOCKED = Path(__file__).with_name("llama_index.txt")


def llama_index_python() -> str:
    """The interpreter of an environment with exactly what is locked; it takes seconds to make, and a package registry."""
    wanted = hashlib.sha256(_LOCKED.read_bytes() + sys.version.encode()).hexdigest()[:12]
    place = Path(sys.prefix) / f"llama-index-{wanted}"
    if not place.exists():
        _make(place)
    return str(place / "bin" / "python")


def _make(place: Path) -> None:
    """Whole or not at all. Nothing in it names its own place, but for scripts that nobody runs."""
    half = place.with_name(f"{place.name}.part")
    shutil.rmtree(half, ignore_errors=True)
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    assert uv, "uv makes the environment: make setup installs it"
    _run(uv, "venv", "--quiet", "--python", sys.executable, str(half))
    python = str(half / "bin" / "python")
    _run(uv, "pip", "install", "--quiet", "--python", python, "--require-hashes", "-r", str(_LOCKED))
    half.rename(place)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
