"""The command line explains itself: help with an example for every command, errors that name the next step."""

import importlib
import inspect

import pytest
from cyclopts import App

from pennyworth.cli.exits import MEANINGS
from pennyworth.cli.main import COMMANDS
from pennyworth.cli.reference import paths

from .conftest import program


@pytest.mark.parametrize("path", list(paths()), ids=" ".join)
def test_the_help_of_a_command_has_an_example_and_the_exit_codes(command, path):
    shown = command(*path, "--help")
    assert shown.code == 0
    assert f"Usage: pennyworth {' '.join(path)}" in shown.out
    example = shown.out.partition("For example:")[2]
    assert f"    pennyworth {' '.join(path)}" in example
    assert all(f"    {code:<4} {meaning}" in shown.out for code, meaning in MEANINGS.items())
    assert max(map(len, shown.out.partition("Exit codes")[0].splitlines())) <= 120


def test_the_first_help_lists_every_command_and_no_command_is_imported_for_it():
    shown = program("--help", env={"PYTHONPROFILEIMPORTTIME": "1"})
    assert shown.code == 0
    assert all(f" {name} " in shown.out for name in COMMANDS)
    for module in ("pennyworth.assemble", "pennyworth.cli.stats", "aiohttp", "openai"):
        assert f" {module}\n" not in shown.err


def test_the_line_in_the_first_help_is_the_first_line_of_the_commands_own():
    for name, summary in COMMANDS.items():
        command = getattr(importlib.import_module(f"pennyworth.cli.{name}"), name)
        own = command.help if isinstance(command, App) else inspect.getdoc(command)
        assert own.splitlines()[0] == summary


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["stast"], "Did you mean: pennyworth stats"),
        (["zzz"], "pennyworth --help"),
        (["stats", "--wat"], "pennyworth stats --help"),
        (["explain"], "RECEIPT"),
        (["serve", "--port", "many"], '"many"'),
        (["stats", "--by", "moon"], "moon"),
    ],
)
def test_a_wrong_command_line_ends_with_2_and_the_next_step(command, argv, said):
    ended = command(*argv)
    assert ended.code == 2
    assert ended.err.startswith("pennyworth: ")
    assert said in ended.err
    assert "Traceback" not in ended.err


def test_it_tells_its_version(command):
    assert command("--version").out.startswith("pennyworth ")
