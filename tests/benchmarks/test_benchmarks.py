"""Each bench runs for a moment and says something sane. What anything costs is not judged here."""

from __future__ import annotations

import io
import random
import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from benchmarks.memory import Course, Mark
from benchmarks.shape import shape
from benchmarks.sheet import Cell, Sheet
from rich.console import Console

from benchmarks import (
    budgets,
    dialects,
    doors,
    embeddings,
    fuzz,
    gateway,
    hits,
    keys,
    machine,
    mutants,
    outage,
    overload,
    soak,
    streams,
)

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="the benches measure by /proc")


def asked(*names: str) -> tuple[gateway.Target, ...]:
    found = tuple(target for target in gateway.TARGETS if target.name in names)
    assert len(found) == len(names)
    return found


def test_the_gateway_bench_asks_the_real_gateway_and_the_floor() -> None:
    targets = asked("floor hit", "exact hit, other bytes each time", "pass-through", "stream relayed, event by event")
    sheet = gateway.run(rounds=1, seconds=0.1, callers=(2,), setting=gateway.Setting(targets=targets))
    assert [row["request"] for row in sheet.rows] == [target.name for target in targets]
    assert all(row["bad"] == 0 for row in sheet.rows), sheet.notes
    assert all(row["requests/s"] and row["RSS MB"] for row in sheet.rows)


def test_every_dialect_is_asked_in_its_own_words_and_answered_in_them() -> None:
    names = (
        "messages: stream",
        "chat to messages: pass-through",
        "messages to chat: replayed",
        "responses to messages: stream",
        "responses: hit",
        "embeddings, 32 texts: hit",
    )
    targets = tuple(target for target in dialects.SETTING.targets if target.name in names)
    assert len(targets) == len(names)
    sheet = dialects.run(rounds=1, seconds=0.05, setting=msgspec.structs.replace(dialects.SETTING, targets=targets))
    assert [row["bad"] for row in sheet.rows] == [0] * len(names), sheet.notes
    assert all(row["requests/s"] for row in sheet.rows)


def test_every_door_in_process_gives_hits() -> None:
    rows = doors.run(rounds=1, hits=10).rows
    assert [row["over"] for row in rows] == ["httpx2", "httpx", "httpx2, async", "httpx, async"]
    assert all(row["transport"] and row["SDK"] and row["SDK alone"] for row in rows)


def test_batches_are_measured_live_kept_and_put_together() -> None:
    rows = embeddings.run(sizes=(1, 70), rounds=1).rows
    assert [(row["items"], row["served"]) for row in rows] == [
        (1, "miss"),
        (1, "hit"),
        (70, "miss"),
        (70, "hit"),
        (70, "half new"),
    ]
    assert all(row["µs an item"] and row["longest hold, ms"] is not None for row in rows)


def test_open_streams_are_held_and_none_is_dropped() -> None:
    rows = streams.run(counts=(150,), seconds=0.5).rows
    assert [row["callers speak"] for row in rows] == ["chat", "messages"]
    assert [(row["whole"], row["dropped"]) for row in rows] == [(150, 0)] * 2
    assert all(row["KB each"] is not None for row in rows)


def test_an_overload_is_sent_away_with_a_word_on_when_to_come_back() -> None:
    (row,) = overload.run(seconds=1.0, ways=overload.WAYS[:1]).rows
    assert row["without Retry-After"] == row["no answer"] == 0
    assert row["sent away"]
    assert row["served/s"]


def test_an_outage_reaches_the_provider_less_than_its_callers_and_a_fallback_serves_them() -> None:
    alone, falling = outage.run(seconds=1.0, moods=("down",)).rows
    assert (alone["errors, %"], falling["errors, %"]) == (100.0, 0.0)
    assert all(float(row["calls per request"] or 0) <= outage.MOST_CALLS for row in (alone, falling))


def test_every_required_figure_stands_beside_a_target() -> None:
    assert {target.name: (target.required, target.aim) for target in gateway.TARGETS if target.required} == {
        "exact hit": (70, 40),
        "pass-through": (300, 200),
        "stream relayed": (500, 350),
        "stream replayed": (120, 80),
    }


def test_every_door_of_the_bench_of_keys_gives_hits() -> None:
    sheet = keys.run(rounds=2, hits=5)
    assert [row["asked with"] for row in sheet.rows] == [kind.name for kind in keys.KINDS]
    assert all(float(str(row["same head"])) > 0 for row in sheet.rows)


def test_answers_filled_in_beforehand_are_hits_of_the_gateway() -> None:
    sheet = hits.run(sizes=(50,), rounds=1, seconds=0.1, tiers=hits.TIERS[1:])
    assert [(row["answers kept"], row["bad"]) for row in sheet.rows] == [(50, 0)]


def test_budgets_are_measured_beside_the_same_gateway_without_them() -> None:
    sheet = budgets.run(rounds=1, seconds=0.1, callers=2)
    assert [(row["request"], row["bad"]) for row in sheet.rows] == [("exact hit", 0), ("pass-through", 0)]


def test_a_soak_plays_simulated_worlds(capsys: pytest.CaptureFixture[str]) -> None:
    assert soak.simulated(120, "bench") == []
    assert re.search(r"simulated: \d+ requests, \d+ calls", capsys.readouterr().out)


def test_a_mutant_is_found_and_one_that_no_longer_fits_says_so() -> None:
    scopeless = mutants.MUTANTS[0]
    assert "tenant" in mutants.try_one(scopeless, 3000, "1").law
    assert "write it anew" in mutants.try_one(scopeless._replace(old="no such text"), 1, "1").trouble


def test_a_soak_balances_the_books(capsys: pytest.CaptureFixture[str]) -> None:
    wrong = soak.soak(400, slices=2)
    assert [line for line in wrong if "MB" not in line] == []
    assert "400 requests" in capsys.readouterr().out


@pytest.mark.parametrize("name", fuzz.TRIALS)
def test_the_same_seed_gives_the_same_trials(name: str) -> None:
    first, second = (fuzz.tried(fuzz.TRIALS[name], random.Random(3), 20) for _ in range(2))
    assert first == second


def test_a_slope_is_that_of_the_second_half() -> None:
    rising = Course([Mark(100_000 * n, 50.0 if n < 5 else 40.0 + 2 * n) for n in range(11)], bad=0, first_bad="")
    assert rising.slope_mb == pytest.approx(2.0)
    assert rising.highest_mb == 60.0


def test_the_cpu_time_of_a_process_includes_its_children() -> None:
    with subprocess.Popen([sys.executable, "-c", "import subprocess, sys; subprocess.run([sys.executable, '-c', 'input()'])"],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:  # fmt: skip
        assert parent.stdin is not None
        while len(machine.tree(parent.pid)) < 2:
            pass
        assert machine.resident_mb(parent.pid) > 0
        parent.stdin.close()


def test_the_shape_of_a_package(tmp_path: Path) -> None:
    package = tmp_path / "house"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "one.py").write_text(
        "from house import two\n\n\ndef long() -> None:\n    import json\n    print(json)\n"
    )
    (package / "two.py").write_text("import house.one\n")
    found = shape(package)
    assert [each.name for each in found.files] == ["house.one", "house.two", "house"]
    assert (found.functions[0].lines, found.functions[0].name) == (3, "house.one.long")
    assert set(found.cycle) == {"house.one", "house.two"}
    assert found.local_imports == ["house.one.long"]


OPTIONAL = ["pennyworth.stores.aes.__init__", "pennyworth.transport.library._over"]
"""An extra, and the HTTP libraries of SDKs, that are imported where they are used, and nowhere else."""


def test_no_module_of_ours_imports_itself_in_a_ring() -> None:
    found = shape(ROOT / "src" / "pennyworth")
    assert found.functions
    assert found.local_imports == OPTIONAL


def test_a_bench_that_is_not_there_is_refused_with_those_that_are() -> None:
    command = [sys.executable, "-m", "benchmarks", "no-such-bench"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "gateway, dialects, hits, keys, budgets, memory" in done.stderr


def test_a_sheet_shows_every_cell_and_nothing_where_nothing_applies() -> None:
    rows: list[dict[str, Cell]] = [{"what": "a", "µs": 1234.5, "bad": 0}, {"what": "b", "µs": None, "bad": 1000}]
    printed = io.StringIO()
    Sheet(name="x", title="X", method="by hand", rows=rows, notes=("so",)).print(Console(file=printed, width=100))
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in printed.getvalue().splitlines()]
    assert ["a", "1,234", "0"] in lines
    assert ["b", "", "1,000"] in lines
