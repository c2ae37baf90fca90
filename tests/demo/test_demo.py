"""The demo as people run it, small: two servers, the SDK, and both books afterwards."""

import subprocess
import sys

import msgspec
import pytest

from pennyworth.cli.main import run
from pennyworth.demo.play import BILL, STATE, books_in
from pennyworth.demo.reconcile import reconcile
from pennyworth.sandbox import BillLine
from tests.cli.conftest import program


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    return tmp_path_factory.mktemp("demo") / "books"


@pytest.fixture(scope="module")
def ended(kept):
    return program("demo", "--requests", "300", "--seed", "3", "--keep", kept, "--json")


def test_it_passes_with_every_check_and_says_so_in_json(ended):
    assert ended.code == 0, ended.err
    result = ended.json
    assert result["passed"] is True
    assert all(check["holds"] for check in result["checks"])
    assert result["difference_picodollars"] == 0
    assert result["wrong"] == []
    spent, saved, would = (result[name]["pico"] for name in ("spent", "saved", "would_have_cost"))
    assert spent + saved == would > 0


def test_it_hits_by_every_kind_and_never_more_than_the_stream_allows(ended):
    result = ended.json
    assert result["hits"]["exact"] > 50
    assert result["hits"]["normalised"] > 0
    assert sum(result["hits"].values()) + sum(result["ceiling"]["missed"].values()) == result["ceiling"]["repeats"]
    assert result["hit_rate"] <= result["highest_hit_rate"]
    assert sum(result["served"].values()) + sum(result["failed"].values()) == 300


def test_the_kept_books_can_be_compared_again_and_show_one_picodollar(ended, kept):
    receipts, _ = books_in(kept / STATE)
    bill = [msgspec.json.decode(line, type=BillLine) for line in (kept / BILL).read_bytes().splitlines()]
    books = reconcile(receipts, bill)
    assert books.balanced
    assert books.calls == ended.json["upstream_calls"] == len(bill)
    charged = next(place for place, line in enumerate(bill) if line.billed)
    bill[charged] = msgspec.structs.replace(bill[charged], amount_pico=bill[charged].amount_pico + 1)
    assert not reconcile(receipts, bill).balanced
    assert not reconcile(receipts[1:], bill[:charged] + bill[charged + 1 :]).balanced


def test_the_kept_books_can_be_read_by_the_other_commands(ended, kept):
    told = program("stats", "--state-dir", kept / STATE, "--json")
    assert told.code == 0
    assert told.json["spent"] == ended.json["spent"]
    assert told.json["requests"] == ended.json["receipts"]


def test_it_refuses_to_mix_its_books_with_those_of_an_earlier_run(ended, kept, capsys):
    assert run(["demo", "--requests", "300", "--keep", str(kept)]) == 2
    assert "earlier run" in capsys.readouterr().err


def test_it_says_how_to_get_the_sdk_where_it_is_missing():
    code = "import sys; sys.modules['openai'] = None; from pennyworth.cli.main import main; sys.argv = ['x', 'demo']; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "make demo" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_stream_too_short_to_show_anything_is_refused(capsys):
    assert run(["demo", "--requests", "3"]) == 2
    assert "20" in capsys.readouterr().err


def test_a_process_tied_to_its_starter_ends_with_it():
    child = subprocess.Popen(
        [sys.executable, "-m", "pennyworth.demo.tied", "http.server", "0"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    child.stdin.close()
    assert child.wait(20) != 0
