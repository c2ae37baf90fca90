"""``pennyworth``: finds the command, runs it, and turns what went wrong into words and an exit code.

Commands are registered by import path, so that ``--help`` imports none of them and each imports only what it needs.
"""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from cyclopts import App, CycloptsError

from pennyworth import __version__
from pennyworth.cli.exits import FAILED, INTERRUPTED, MEANINGS, OK, USAGE, CommandError, wrong_usage
from pennyworth.errors import ConfigError, PennyworthError, RequestError

COMMANDS: Mapping[str, str] = MappingProxyType(
    {
        "demo": "The main job on real questions, with proof that the books balance.",
        "serve": "Run the gateway.",
        "reload": "Have a running gateway read its configuration again.",
        "stats": "What was asked, answered, spent and saved.",
        "receipts": "List the newest receipts.",
        "explain": "Tell one receipt as a story: who answered, why, and what it cost.",
        "purge": "Forget kept answers.",
        "keys": "Make, list, rotate and revoke the keys that callers show.",
        "forget": "Erase one end user, key or scope.",
        "budgets": "What keys, teams and everybody have used of their budgets and rates.",
        "prices": "What a model costs, and how we know.",
        "check": "Look a configuration over before it is used.",
        "replay": "Send a file of questions through a gateway, or forecast what it would save.",
        "batch": "Answer a file of requests that can wait.",
        "eval": "Measure the shipped code on recorded data.",
        "sandbox": "Run a simulated provider with a bill of its own.",
    }
)

_HELP = """The bill of your language-model calls, made small and proven.

For example:

    pennyworth demo             real questions through a real gateway
    pennyworth serve            the gateway on 127.0.0.1:8080
    pennyworth explain last     why the last answer cost what it cost
    pennyworth stats --help     more about one command, with examples"""


def main() -> None:
    """The console script."""
    sys.exit(run(sys.argv[1:]))


def run(argv: Sequence[str]) -> int:
    """Runs one command line and returns its exit code. What the operator can mend is said in words, never as a trace."""
    asked = argv[0] if argv else ""
    try:
        if asked not in COMMANDS and asked[:1] not in ("", "-"):
            raise _unknown(asked)
        return application(asked)(argv) or OK
    except PennyworthError as error:
        _say(words(error))
        return code_of(error)
    except BrokenPipeError:  # whoever read our output has seen enough
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115  # what is flushed at the end must go somewhere
        return OK
    except KeyboardInterrupt:
        return INTERRUPTED
    except OSError as error:
        _say(f"{error.strerror or error}" + (f": {error.filename}" if error.filename else ""))
        return FAILED


def application(asked: str = "") -> App:
    """The commands. Only the ``asked`` one is imported, and so explains itself in full; the others have a line each."""
    app = App(
        name="pennyworth",
        help=_HELP,
        help_epilogue="\n".join(["Exit codes:", "", *(f"    {code:<4} {words}" for code, words in MEANINGS.items())]),
        help_format="plaintext",
        version=f"pennyworth {__version__}",
        result_action="return_value",
        error_formatter=_usage_error,
    )
    for name, summary in COMMANDS.items():
        line = None if name == asked else summary
        app.command(f"pennyworth.cli.{name}:{name}", name=name, help=line, sort_key=list(COMMANDS).index(name))
    return app


def code_of(error: PennyworthError) -> int:
    match error:
        case CommandError():
            return error.code
        case ConfigError() | RequestError():
            return USAGE
        case _:
            return FAILED


def words(error: PennyworthError) -> str:
    """Each thing that is wrong on lines of its own."""
    problems = getattr(error, "errors", ())
    if len(problems) > 1:
        return "\n".join(
            [f"{len(problems)} things are wrong in the configuration:", *(f"  {each}" for each in problems)]
        )
    return str(error)


def _unknown(asked: str) -> CommandError:
    near = difflib.get_close_matches(asked, COMMANDS, n=1)
    fix = f"Did you mean: pennyworth {near[0]}" if near else "See: pennyworth --help"
    return wrong_usage(f"There is no command {asked[:60]!r}.", fix)


def _usage_error(error: CycloptsError) -> str:
    command = " ".join(error.command_chain or ())
    return f"pennyworth: {error}\n  See: pennyworth {command + ' ' if command else ''}--help"


def _say(text: str) -> None:
    first, *rest = text.splitlines() or [""]
    print("\n".join([f"pennyworth: {first}", *(f"  {line.strip()}" for line in rest)]), file=sys.stderr)
