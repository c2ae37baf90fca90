"""Our own source as syntax trees, for rules that hold everywhere in it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pennyworth

PACKAGE = Path(pennyworth.__file__).parent


@cache
def trees() -> dict[str, ast.Module]:
    """Path within the package -> its tree."""
    return {path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_text("utf-8")) for path in PACKAGE.rglob("*.py")}


def nodes() -> Iterator[tuple[str, ast.AST]]:
    for name, tree in trees().items():
        for node in ast.walk(tree):
            yield name, node


def in_functions() -> Iterator[tuple[str, ast.AST]]:
    """What runs later than the import: only there can anybody's data be."""
    for name, tree in trees().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                for statement in node.body:
                    for inner in ast.walk(statement):
                        yield name, inner


def imports() -> Iterator[tuple[str, str]]:
    """(file, module imported)."""
    for name, node in nodes():
        match node:
            case ast.Import():
                yield from ((name, alias.name) for alias in node.names)
            case ast.ImportFrom(module=str(module)):
                yield name, module
                yield from ((name, f"{module}.{alias.name}") for alias in node.names)


def calls() -> Iterator[tuple[str, str, ast.Call]]:
    """(file, what is called as it is written, the call)."""
    for name, node in nodes():
        if isinstance(node, ast.Call):
            yield name, ast.unparse(node.func), node
