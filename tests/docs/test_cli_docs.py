"""The page about the command line is what the commands say of themselves."""

from pathlib import Path

from pennyworth.cli.reference import reference

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"


def test_the_page_is_fresh():
    fresh = PAGE.read_text(encoding="utf-8") == reference()
    assert fresh, "run: .venv/bin/python -m pennyworth.cli.reference --write docs/cli.md"
