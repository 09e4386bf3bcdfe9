"""Imports point one way, the core stands alone, and what should be quick to import is."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import limner

ROOT = Path(limner.__file__).parent
LAYERS = [
    {"cli", "__main__", "__init__", "api", "flags", "studio"},
    {"commands"},
    {"engine", "methods", "data", "metrics", "inference", "report", "export", "faces", "prepare"},
    {"nets", "losses", "presets"},
    {"core"},
]
SIDEWAYS = {
    ("inference", "methods"),
    ("prepare", "data"),
    ("export", "inference"),
    ("cli", "flags"),
    ("__init__", "api"),
    ("__main__", "cli"),
}
OPTIONAL = ("studio", "export", "report", "faces", "prepare")


def room(path: Path) -> str:
    inside = path.relative_to(ROOT)
    return inside.parts[0] if len(inside.parts) > 1 else inside.stem


def ours(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module] if node.module != "limner" else [f"limner.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        yield from (name.split(".")[1] for name in names if name.startswith("limner."))


def layer(name: str) -> int:
    return next(i for i, rooms in enumerate(LAYERS) if name in rooms)


FILES = sorted(ROOT.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_downwards(path: Path) -> None:
    here = room(path)
    for there in ours(ast.parse(path.read_text(encoding="utf-8"))):
        if there in (here, "UserError", "__version__"):
            continue
        allowed = layer(there) > layer(here) or (here, there) in SIDEWAYS
        assert allowed, f"{path.name} of {here} imports {there}"


def test_every_room_has_a_layer() -> None:
    assert {room(path) for path in FILES} <= set().union(*LAYERS)


def test_engine_names_no_method() -> None:
    from limner.methods import METHODS

    for path in (ROOT / "engine").rglob("*.py"):
        words = path.read_text(encoding="utf-8").lower()
        assert not [name for name in METHODS.entries if re.search(rf"\b{name}\b", words)], path


def test_files_are_short() -> None:
    long = {path.name: count for path in FILES if (count := len(path.read_text(encoding="utf-8").splitlines())) > 300}
    long |= {
        path.name: count
        for path in (ROOT / "methods").glob("*.py")
        if (count := len(path.read_text(encoding="utf-8").splitlines())) > 150
    }
    assert not long


@pytest.mark.parametrize("words", [["--help"], ["presets"], ["train", "dcgan", "--help"], ["train", "dcgn"]])
def test_torch_is_not_loaded_to_parse(words: list[str]) -> None:
    program = (
        "import sys\nfrom limner.cli import main\n"
        f"try:\n    main({words!r})\nexcept SystemExit:\n    pass\n"
        "assert 'torch' not in sys.modules, 'torch was imported'"
    )
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)


def test_training_goes_on_without_the_optional_rooms(pictures: Path, tmp_path: Path) -> None:
    """Deleting studio/, export/, report/ or faces/ leaves training green."""
    import shutil

    import tiny

    shutil.copytree(ROOT, tmp_path / "limner", ignore=shutil.ignore_patterns(*OPTIONAL, "__pycache__"))
    words = tiny.flags(tiny.command("dcgan", pictures, tmp_path / "run"))
    done = subprocess.run(
        [sys.executable, "-m", "limner", *words], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / "model.safetensors").is_file()
