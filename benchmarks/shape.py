"""The shape of a package: its biggest files, its longest functions, its import cycles. Places to look, not limits.

.venv/bin/python -m benchmarks.shape src/pennyworth
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from statistics import median
from typing import NamedTuple

SHOWN = 8

_Function = ast.FunctionDef | ast.AsyncFunctionDef


class Sized(NamedTuple):
    lines: int
    name: str


class Shape(NamedTuple):
    """Largest first. ``cycle``: modules that import each other, in a ring; empty where nobody does.

    ``local_imports``: functions that import something when they are called, which is how cycles are hidden.
    """

    files: list[Sized]
    functions: list[Sized]
    cycle: list[str]
    local_imports: list[str]


def shape(package: Path) -> Shape:
    """Reads all modules of a package; runs none of them."""
    trees = {_name(path, package): ast.parse(path.read_text()) for path in sorted(package.rglob("*.py"))}
    functions = [(f"{module}.{each.name}", each) for module, tree in trees.items() for each in _functions(tree)]
    return Shape(
        files=sorted((Sized(_last_line(tree), module) for module, tree in trees.items()), reverse=True),
        functions=sorted((Sized(_lines(each), name) for name, each in functions), reverse=True),
        cycle=_cycle({module: set(_imports(tree, module)) & trees.keys() - {module} for module, tree in trees.items()}),
        local_imports=sorted(name for name, each in functions if any(_is_import(node) for node in ast.walk(each))),
    )


def _name(path: Path, package: Path) -> str:
    parts = path.relative_to(package.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _functions(tree: ast.AST) -> Iterator[_Function]:
    return (node for node in ast.walk(tree) if isinstance(node, _Function))


def _lines(node: _Function) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def _last_line(tree: ast.Module) -> int:
    return (tree.body[-1].end_lineno or 0) if tree.body else 0


def _is_import(node: ast.AST) -> bool:
    return isinstance(node, ast.Import | ast.ImportFrom)


def _imports(node: ast.AST, module: str) -> Iterator[str]:
    """What loading the module imports: not what its functions do, and not what only a type checker sees."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = node.module or ""
        yield base
        yield from (f"{base}.{alias.name}" for alias in node.names)
    elif not isinstance(node, _Function) and not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)):
        for child in ast.iter_child_nodes(node):
            yield from _imports(child, module)


def _cycle(graph: Mapping[str, set[str]]) -> list[str]:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        found: list[str] = error.args[1]
        return found
    return []


def _tail(title: str, sizes: Sequence[Sized]) -> Iterator[str]:
    lines = sorted(each.lines for each in sizes)
    p90 = lines[int(0.9 * (len(lines) - 1))]
    yield f"{title}: {len(lines)}, {sum(lines):,} lines; median {median(lines):.0f}, p90 {p90}, longest {lines[-1]}"
    yield from (f"  {each.lines:5} {each.name}" for each in sizes[:SHOWN])


def main() -> int:
    if len(sys.argv) != 2 or not Path(sys.argv[1]).is_dir():
        print("Name one package folder: python -m benchmarks.shape src/pennyworth", file=sys.stderr)
        return 2
    found = shape(Path(sys.argv[1]).resolve())
    for line in (*_tail("files", found.files), *_tail("functions", found.functions)):
        print(line)
    print("import cycle: " + (" -> ".join(found.cycle) or "none"))
    print("imports inside functions: " + (", ".join(found.local_imports) or "none"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
