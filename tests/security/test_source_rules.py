"""Rules of the whole source: each forbids what once cost another gateway its users' keys or data."""

from __future__ import annotations

import ast
import re

from tests.security.source import PACKAGE, calls, imports, in_functions, nodes

SQL = re.compile(r"\b(SELECT|INSERT INTO|INSERT OR|UPDATE \w+ SET|DELETE FROM|PRAGMA|CREATE TABLE|DROP|ALTER TABLE)\b")

REVIEWED_IN_SQL = {
    "matching": "columns of facets, checked against Facet._fields by checked_filter",
    "' AND '.join(conditions)": "conditions made here, values are parameters",
    "_GROUP_COLUMN[by]": "a table of ours",
    "added": "columns of ours",
    "setting": "pragmas of a Schema of ours",
    "schema.application_id": "a number of ours",
    "len(schema.steps)": "a number",
    "table": "the name of a table of ours",
    "self._form.table": "the name of a table of ours",
    "body.hex()": "only hex digits",
    "digest.hex()": "only hex digits",
    "sql": "made by _theirs, values are parameters",
    "what": "columns of ours",
    "WHOSE[whom.by]": "a table of ours",
    "int(busy_s * 1000)": "a number",
    "1000 if checkpoints else 0": "a number",
    "name": "a pragma of ours",
    "column": "of COLUMN, a table of ours",
}
"""What may stand in a statement besides constants, each looked at by a person. A new one belongs here with its reason."""


def test_no_statement_is_built_of_anybodys_data() -> None:
    """CVE-2026-42208 (a KEV): the Authorization header was pasted into SQL. CVE-2024-4890, CVE-2024-5225 likewise."""
    found = set()
    for name, node in in_functions():
        pieces: list[ast.expr] = []
        match node:
            case ast.JoinedStr() if SQL.search(_constant_text(node)):
                pieces = [value.value for value in node.values if isinstance(value, ast.FormattedValue)]
            case ast.BinOp(op=ast.Add() | ast.Mod()) if SQL.search(_constant_text(node)):
                pieces = [
                    side for side in (node.left, node.right) if not isinstance(side, ast.Constant | ast.JoinedStr)
                ]
            case ast.Call(func=ast.Attribute(attr="format", value=ast.Constant(value=str(text)))) if SQL.search(text):
                pieces = list(node.args)
        found |= {(name, ast.unparse(piece)) for piece in pieces if not _is_constant(piece)}
    assert {piece for _, piece in found} <= set(REVIEWED_IN_SQL), found


def test_every_statement_is_given_its_values_as_parameters() -> None:
    """``executescript`` takes none, so it must get nothing but our own scripts."""
    scripts = [(name, ast.unparse(call.args[0])) for name, called, call in calls() if called.endswith(".executescript")]
    assert set(scripts) <= {("stores/opening.py", "f'BEGIN IMMEDIATE;{script}{marks}COMMIT;'")}, scripts


def test_nothing_is_unpickled() -> None:
    """CVE-2025-69872 (diskcache), CVE-2026-27794 (langgraph-checkpoint): who can write the cache runs code."""
    forbidden = {
        "pickle",
        "cPickle",
        "_pickle",
        "marshal",
        "shelve",
        "dill",
        "cloudpickle",
        "joblib",
        "yaml",
        "numpy",
        "dbm",
    }
    assert [found for found in imports() if found[1].partition(".")[0] in forbidden] == []


def test_nothing_given_is_run_or_imported() -> None:
    """CVE-2024-5751, CVE-2024-4264, CVE-2024-6825 (code from the configuration), CVE-2026-42271 (a command from a call)."""
    running = {
        "eval",
        "exec",
        "compile",
        "__import__",
        "os.system",
        "os.popen",
        "importlib.import_module",
        "runpy.run_path",
    }
    assert [(name, called) for name, called, _ in calls() if called in running] == []
    processes = {
        name for name, module in imports() if module.partition(".")[0] in ("subprocess", "multiprocessing", "pty")
    }
    assert processes <= {"server/fleet.py", "demo/gateway.py", "demo/clients.py", "sandbox/serve.py"}, processes
    shells = [(name, called) for name, called, call in calls() if any(k.arg == "shell" for k in call.keywords)]
    assert shells == []


def test_there_is_no_template_engine() -> None:
    """CVE-2026-42203, CVE-2024-2952 (a template from a request), CVE-2025-62426 (its arguments)."""
    engines = {"jinja2", "mako", "chevron", "tornado.template", "string.Template", "starlette.templating"}
    assert [found for found in imports() if found[1] in engines or found[1].partition(".")[0] in engines] == []
    formats = {
        (name, ast.unparse(call.func.value))
        for name, called, call in calls()
        if called.endswith((".format", ".format_map")) and isinstance(call.func, ast.Attribute)
        if not isinstance(call.func.value, ast.Constant) and ast.unparse(call.func.value) != "msgspec.json"
    }
    ours = {
        ("stores/many.py", "statement"),
        ("ledgers/sqlite_write.py", "statement"),
        ("decide/cacheable.py", "_SEARCHES"),
    }
    assert formats <= ours, formats


_SECRET = re.compile(
    r"reveal\(|secret|seal\b|_seal|\bmac\b|hmac|password|authorization|bearer|credential(?!s?\.)", re.I
)
REVIEWED_COMPARISONS = {
    ("config/check_credentials.py", "key.secret == plan.admin_key"): "two of the operator's own, when he starts it",
    ("config/doors.py", "other.secret == key.secret"): "two of the operator's own, when he starts it",
}


def test_secrets_are_compared_in_constant_time() -> None:
    """CVE-2025-59425 (vLLM): an API key compared with ``==`` tells by its time how much of it was right."""
    found = set()
    for name, node in nodes():
        if not isinstance(node, ast.Compare) or not any(isinstance(op, ast.Eq | ast.NotEq) for op in node.ops):
            continue
        sides = [ast.unparse(side) for side in (node.left, *node.comparators)]
        plain = [isinstance(side, ast.Constant) for side in (node.left, *node.comparators)]
        if any(_SECRET.search(side) for side in sides) and not any(plain) and not name.startswith("testing/"):
            found.add((name, ast.unparse(node)))
    assert found <= set(REVIEWED_COMPARISONS), found - set(REVIEWED_COMPARISONS)


def test_files_are_named_by_us_alone() -> None:
    """CVE-2024-4888: a file named by a caller was deleted. The doors and the engine touch no file at all."""
    here = ("wire/", "decide/", "engine/", "routing/", "server/public.py", "server/connection.py", "server/incoming.py")
    openers = {"open", "os.open", "os.remove", "os.unlink", "shutil.rmtree", "os.rename", "Path", "pathlib.Path"}
    assert [(name, called) for name, called, _ in calls() if name.startswith(here) and called in openers] == []


def test_these_rules_see_what_they_forbid() -> None:
    """The package is where we think it is, and has what the rules look at."""
    assert (PACKAGE / "engine" / "engine.py").exists()
    assert len(list(calls())) > 2_000
    assert any(called.endswith("compare_digest") for _, called, _ in calls())
    assert SQL.search("SELECT a FROM b")


def _constant_text(node: ast.AST) -> str:
    return " ".join(
        part.value for part in ast.walk(node) if isinstance(part, ast.Constant) and isinstance(part.value, str)
    )


def _is_constant(piece: ast.expr) -> bool:
    """A literal, or a name in capitals: set once, at import."""
    return isinstance(piece, ast.Constant | ast.JoinedStr) or ast.unparse(piece).rpartition(".")[2].isupper()
