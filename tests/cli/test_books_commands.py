"""stats, receipts and explain read the books of a state directory, folded or not, with and without a gateway."""

from typing import get_args

import pytest

from pennyworth.ledgers.sqlite import SqliteLedger
from pennyworth.money import Money
from pennyworth.outcome import AttemptNote, Ending, Served
from pennyworth.server.admin_json import money

from .conftest import hit, program, receipt, write_books


def test_stats_adds_up_what_is_only_in_the_journal_yet(command, books):
    ended = command("stats", "--state-dir", books, "--json")
    assert ended.code == 0
    assert ended.json["requests"] == 3
    assert ended.json["hits"]["exact"] == 1
    assert ended.json["spent"] == money(Money(2 * 10**12))
    assert ended.json["saved"] == money(Money(10**12))
    assert ended.json["balanced"] is True


def test_stats_for_people_shows_the_sum_and_says_what_to_do_next(command, books):
    ended = command("stats", "--state-dir", books, "--by", "scope")
    assert ended.code == 0
    for text in ("$2.000000", "+ saved by exact", "= would have cost", "33.3 % saved", "other"):
        assert text in ended.out
    assert f"pennyworth receipts --state-dir {books}" in ended.err


def test_books_that_do_not_balance_end_with_1_and_say_so(command, tmp_path):
    state = write_books(tmp_path / "state", [receipt(1, would_have_cost=Money(10**12 + 1))])
    assert command("stats", "--state-dir", state, "--json").code == 1
    ended = command("stats", "--state-dir", state)
    assert ended.code == 1
    assert "UNBALANCED" in ended.out
    assert command("explain", "last", "--state-dir", state).code == 1


def test_a_window_leaves_out_what_is_older(command, tmp_path):
    state = write_books(tmp_path / "state", [receipt(1, at_s=1_000_000.0), receipt(2)])
    assert command("stats", "--state-dir", state, "--window", "1h", "--json").json["requests"] == 1
    assert command("stats", "--state-dir", state, "--json").json["requests"] == 2
    ended = command("stats", "--state-dir", state, "--window", "soon")
    assert ended.code == 2
    assert "24h" in ended.err


def test_receipts_lists_the_newest_first_and_filters(command, books):
    listed = command("receipts", "--state-dir", books, "--json").json["receipts"]
    assert [each["id"] for each in listed] == ["r-0003", "r-0002", "r-0001"]
    exact = command("receipts", "--state-dir", books, "--served", "exact", "--json").json["receipts"]
    assert [each["id"] for each in exact] == ["r-0002"]
    assert "No receipt matches" in command("receipts", "--state-dir", books, "--model", "other").out


@pytest.mark.parametrize("columns", [80, 120])
def test_receipt_ids_stay_whole_at_any_width(command, books, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    ended = command("receipts", "--state-dir", books)
    assert "r-0002" in ended.out
    assert max(map(len, ended.out.splitlines())) <= columns
    assert "pennyworth explain r-0003" in ended.err


def test_explain_tells_a_hit_with_the_sum_and_the_life_of_its_answer(command, books):
    ended = command("explain", "r-0002", "--state-dir", books)
    assert ended.code == 0
    for text in ("a kept answer to the same request", "exact hit", "+ saved by exact", "lives 1h more", "scope local"):
        assert text in ended.out
    assert "pennyworth purge --key 0000000000000002" in ended.err


def test_explain_last_tells_the_newest_one_and_what_broke(command, books):
    ended = command("explain", "last", "--state-dir", books)
    assert "r-0003" in ended.out
    assert "broke off" in ended.out
    assert "512 cached" in ended.out
    assert "req_3" in ended.out


def test_explain_says_whose_key_asked_and_why_each_further_call_was_made(command, tmp_path):
    failed = AttemptNote(target="a/m", status=0, ending="error", fault="no connection", first_byte_ms=7.0)
    second = AttemptNote(target="b/m", status=200, ending="complete", first_byte_ms=9.0, why="fallback: a/m failed")
    told = receipt(1, attempts=(failed, second), client="alice", team="search")
    out = command("explain", "last", "--state-dir", write_books(tmp_path / "state", [told])).out
    assert "key alice, team search, scope local" in out
    assert "fallback: a/m failed" in out
    assert "first byte 9.00 ms" in out
    assert "first byte 7.00 ms" not in out


def test_explain_says_which_dialect_was_asked_in_and_which_one_the_provider_was(command, tmp_path):
    call = AttemptNote(target="a/m", status=200, ending="complete", dialect="messages", dropped=("seed",))
    told = receipt(1, dialect="responses", attempts=(call,), notes=("fallback: b/m was not asked",))
    out = command("explain", "last", "--state-dir", write_books(tmp_path / "state", [told])).out
    for text in ("dialect responses", "asked in messages", "no word there: seed", "fallback: b/m was not asked"):
        assert text in out


@pytest.mark.parametrize("ending", get_args(Ending))
def test_explain_has_words_for_each_way_in_which_a_call_may_end(command, tmp_path, ending):
    call = AttemptNote(target="a/m", status=200, ending=ending)
    state = write_books(tmp_path / "state", [receipt(1, attempts=(call,), ending=ending)])
    assert command("explain", "last", "--state-dir", state).code == 0


@pytest.mark.parametrize("served", get_args(Served))
def test_explain_has_words_for_each_place_that_an_answer_may_come_from(command, tmp_path, served):
    state = write_books(tmp_path / "state", [receipt(1, served=served)])
    assert command("explain", "last", "--state-dir", state).code == 0


def test_what_looks_like_markup_in_a_receipt_is_shown_as_it_is(command, tmp_path):
    state = write_books(tmp_path / "state", [hit(1, model="[red]model[/red]", tags=("[bold]",))])
    assert "[red]model[/red]" in command("explain", "last", "--state-dir", state).out
    assert "[red]model[/red]" in command("receipts", "--state-dir", state).out


def test_a_receipt_that_is_not_there_ends_with_3_and_says_where_ids_come_from(command, books):
    ended = command("explain", "r-9999", "--state-dir", books)
    assert ended.code == 3
    assert "r-9999" in ended.err
    assert "x-pennyworth-receipt" in ended.err


@pytest.mark.parametrize("name", ["stats", "receipts", "explain"])
def test_a_directory_without_books_ends_with_3_and_is_not_made(command, tmp_path, name):
    ended = command(name, *(["last"] if name == "explain" else []), "--state-dir", tmp_path / "nowhere")
    assert ended.code == 3
    assert "nowhere" in ended.err
    assert not (tmp_path / "nowhere").exists()


def test_a_configuration_that_cannot_be_used_says_how_to_read_the_books_all_the_same(command, tmp_path):
    (tmp_path / "bad.toml").write_text("[listen]\nport = 99999\n")
    ended = command("stats", "--config", tmp_path / "bad.toml")
    assert ended.code == 2
    assert "listen.port" in ended.err
    assert "--state-dir" in ended.err


def test_a_ledger_that_is_no_ledger_ends_with_1_and_no_trace(command, tmp_path):
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "ledger.db").write_bytes(b"not a database, whatever its name says" * 100)
    ended = command("stats", "--state-dir", tmp_path / "state")
    assert ended.code == 1
    assert "ledger" in ended.err
    assert "Traceback" not in ended.err


def test_the_installed_command_writes_json_to_a_pipe_and_advice_beside_it(books):
    ended = program("stats", "--state-dir", books, "--json")
    assert (ended.code, ended.err) == (0, "")
    assert ended.json["requests"] == 3


def test_a_pipe_gets_no_colours_and_a_terminals_colours_follow_no_color(command, books):
    assert "\x1b[" not in command("stats", "--state-dir", books).out
    coloured = program("stats", "--state-dir", books, env={"FORCE_COLOR": "1"})
    assert "\x1b[" in coloured.out
    plain = program("stats", "--state-dir", books, env={"FORCE_COLOR": "1", "NO_COLOR": "1", "TERM": "xterm"})
    assert "\x1b[3" not in plain.out


def test_reading_the_books_changes_nothing_that_a_second_reading_sees(command, books):
    first = command("stats", "--state-dir", books, "--json").json
    assert command("stats", "--state-dir", books, "--json").json == first
    ledger = SqliteLedger(books / "ledger.db")
    assert ledger.totals(0, float("inf"))[""].requests == 3
    ledger.close()


def test_signs_of_drift_on_the_newest_receipts_are_told(command, tmp_path):
    other, more = (
        "drift: gpt-4o was asked, kimi-k2 answered",
        "drift: p/m: it counts {} times the input tokens it used to",
    )
    notes = [(other,), (), (more.format("1.31"),), (more.format("1.52"),), ("store: slow",)]
    written = [receipt(i, notes=each) for i, each in enumerate(notes, 1)]
    state = write_books(tmp_path / "state", written)
    assert command("stats", "--state-dir", state, "--json").json["drift"] == {
        "p/m: it counts … times the input tokens it used to": 2,
        "gpt-4o was asked, kimi-k2 answered": 1,
    }
    assert "Drift on 1 of the newest receipts: gpt-4o was asked" in command("stats", "--state-dir", state).err


@pytest.mark.parametrize("more", [("--dry-run",), ()])
def test_forgetting_somebody_who_is_not_in_the_books_warns_that_the_name_may_be_wrong(command, books, more):
    for whom, hint in (("--user", "as callers send it"), ("--key", "--by client"), ("--scope", "--by scope")):
        ended = command("forget", whom, "no-such-name", *more, "--state-dir", books)
        assert ended.code == 0
        assert "nothing was found" in ended.err
        assert hint in ended.err
    assert "nothing was found" not in command("forget", "--scope", "other", *more, "--state-dir", books).err
