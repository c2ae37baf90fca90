"""Prints the reference of the command line from the commands themselves: ``python -m pennyworth.cli.reference``.

``docs/cli.md`` is its output; ``--write FILE`` writes it, and a test compares.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from pennyworth.cli.exits import MEANINGS
from pennyworth.cli.main import COMMANDS, application

_COLUMNS = 80

_TOP = """# The command line

<!-- made by: python -m pennyworth.cli.reference --write docs/cli.md -->

`make setup` puts the command at `.venv/bin/pennyworth`. Results go to standard output; progress, warnings and what to do next
go to standard error, so that a pipe gets results alone. `--json` prints one JSON document; amounts of money in it are
`{"pico": whole picodollars, "usd": "dollars"}`, both exact. Colours follow `NO_COLOR` and whether a terminal reads.

`stats`, `receipts`, `explain`, `purge` and `keys` work on the state directory itself, so they need no running gateway, and are
right beside one: what has been acknowledged is folded into the ledger first. `reload` asks a running
gateway by its admin port. `--config FILE` (or `PENNYWORTH_CONFIG`) names a
configuration, `--state-dir DIR` a state directory without one. `PENNYWORTH_LOG_LEVEL` (`debug`, `info`, `warning`, `error`)
sets what `serve` logs; [configuration.md](configuration.md) has the other variables.

## Exit codes
"""


def reference() -> str:
    """The whole page, in Markdown."""
    codes = [f"| {code} | {words} |" for code, words in MEANINGS.items()]
    table = "\n".join(["| code | meaning |", "|---|---|", *codes])
    commands = [f"{'#' * (1 + len(path))} {' '.join(path)}\n\n```text\n{_help(*path)}\n```" for path in paths()]
    return "\n\n".join([f"{_TOP}\n{table}", *commands]) + "\n"


def paths() -> Iterator[tuple[str, ...]]:
    """Every command, and below it its own commands, where it has some."""
    for name in COMMANDS:
        yield (name,)
        yield from ((name, each) for each in application(name)[name] if not each.startswith("-"))


def _help(*path: str) -> str:
    """As the command prints it, without the exit codes, which are the same for all."""
    text = io.StringIO()
    app = application(path[0])
    app.help_print(list(path), console=Console(file=text, width=_COLUMNS, color_system=None, legacy_windows=False))
    shown = text.getvalue().partition("Exit codes:")[0]
    return "\n".join(line.rstrip() for line in shown.strip().splitlines())


def main() -> None:
    if sys.argv[1:2] == ["--write"] and len(sys.argv) == 3:
        Path(sys.argv[2]).write_text(reference(), encoding="utf-8")
    else:
        sys.stdout.write(reference())


if __name__ == "__main__":
    main()
