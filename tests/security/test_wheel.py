"""What is shipped: our own files, the same to the bit whenever it is built, and nothing that runs by being installed."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def build(into: Path) -> Path:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", into],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = into.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("wheel"))


def test_the_wheel_is_the_same_to_the_bit_when_it_is_built_again(wheel: Path, tmp_path: Path) -> None:
    again = build(tmp_path)
    assert again.name == wheel.name
    assert hashlib.sha256(again.read_bytes()).digest() == hashlib.sha256(wheel.read_bytes()).digest()


def test_the_wheel_holds_our_own_files_and_nothing_that_runs_by_itself(wheel: Path) -> None:
    """LiteLLM 1.82.8 stole credentials by a ``.pth`` file, which every start of Python runs without any import."""
    names = zipfile.ZipFile(wheel).namelist()
    information = f"{'-'.join(wheel.name.split('-')[:2])}.dist-info"
    ours = {
        path.relative_to(ROOT / "src").as_posix()
        for path in (ROOT / "src" / "pennyworth").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    about = {
        f"{information}/{name}" for name in ("METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE")
    }
    assert set(names) == ours | about
    assert {Path(name).suffix for name in ours} <= {".py", ".md", ".tsv", ".jsonl", ".typed"}
    assert [
        name for name in names if name.endswith((".pth", ".so", ".data", "sitecustomize.py", "usercustomize.py"))
    ] == []


def test_what_is_installed_as_a_command_is_the_command_alone(wheel: Path) -> None:
    points = next(name for name in zipfile.ZipFile(wheel).namelist() if name.endswith("entry_points.txt"))
    assert zipfile.ZipFile(wheel).read(points).decode().split("\n") == [
        "[console_scripts]",
        "pennyworth = pennyworth.cli.main:main",
        "",
    ]


def test_every_dependency_is_locked_by_its_hash() -> None:
    lock = (ROOT / "uv.lock").read_text("utf-8")
    artefacts = [line for line in lock.splitlines() if ".whl" in line or ".tar.gz" in line]
    assert len(artefacts) > 100
    assert [line for line in artefacts if 'hash = "sha256:' not in line] == []
