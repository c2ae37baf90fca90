"""The page about the sandbox is right where a machine can tell."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import msgspec

from pennyworth.sandbox import Kind
from pennyworth.sandbox.control import ScriptBody
from pennyworth.sandbox.faults import UNBILLED
from pennyworth.sandbox.watermark import UNMARKED

PAGE = (Path(__file__).parents[2] / "docs" / "sandbox.md").read_text()


def rows() -> dict[str, str]:
    """Kind -> what the last column of the table of faults says of the bill."""
    found: dict[str, str] = {}
    for line in PAGE.partition("\n| kind |")[2].partition("\n\n")[0].splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        found |= dict.fromkeys(re.findall(r"`([a-z_]+)`", cells[0]), cells[-1])
    return found


def test_the_example_script_is_a_script():
    (example,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    assert len(msgspec.json.decode(example, type=ScriptBody).rules) == 4


def test_every_kind_of_fault_is_in_the_table_with_what_it_costs():
    assert set(rows()) == set(get_args(Kind))
    assert {kind for kind, billed in rows().items() if billed == "no"} == UNBILLED


def test_every_field_left_out_of_the_watermark_is_named():
    assert all(f"`{field}`" in PAGE for field in UNMARKED)


def test_the_example_in_python_runs(capsys):
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(compile(example, "docs/sandbox.md", "exec"), {})
    assert "'gpt-4o-mini': Totals(requests=1, completed=1, billed=1" in capsys.readouterr().out
