"""The log: how much is written, in what form, and what never is."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from pennyworth.server.logs import adopt_library_logs, open_log, reporter, scrubbed


def written(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """The process's logging, put back afterwards."""
    logger = logging.getLogger()
    handlers, level = logger.handlers, logger.level
    yield logger
    logger.handlers, logger.level = handlers, level


def test_a_machine_reads_one_json_object_a_line() -> None:
    stream = io.StringIO()
    open_log("info", stream, worker="w1").info("started", port=8080)
    (line,) = written(stream)
    assert (line["event"], line["level"], line["worker"], line["port"]) == ("started", "info", "w1", 8080)
    assert str(line["timestamp"]).endswith("Z")


def test_a_person_at_a_terminal_reads_no_json() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    open_log("info", stream).info("started")
    assert "started" in stream.getvalue()
    assert "{" not in stream.getvalue()


def test_what_is_less_severe_than_the_level_is_not_written() -> None:
    stream = io.StringIO()
    log = open_log("error", stream)
    log.warning("no")
    log.error("yes")
    assert [line["event"] for line in written(stream)] == ["yes"]


def test_two_logs_of_one_process_keep_their_own_levels_and_streams() -> None:
    loud, quiet = io.StringIO(), io.StringIO()
    first, second = open_log("debug", loud), open_log("error", quiet)
    first.debug("a")
    second.debug("b")
    assert (len(written(loud)), len(written(quiet))) == (1, 0)


def test_a_part_in_trouble_writes_one_line_in_ten_seconds_and_then_how_many_it_left_out() -> None:
    stream, now = io.StringIO(), [100.0]
    report = reporter(open_log("info", stream), lambda: now[0])
    for second in range(25):
        now[0] = 100.0 + second
        report("store", f"slow {second}")
        report("ledger", "locked")
    store = [line for line in written(stream) if line["part"] == "store"]
    assert [(line["event"], line.get("suppressed")) for line in store] == [
        ("slow 0", None),
        ("slow 10", 9),
        ("slow 20", 9),
    ]
    assert len([line for line in written(stream) if line["part"] == "ledger"]) == 3


def test_each_alert_is_written_since_it_is_told_only_once() -> None:
    stream = io.StringIO()
    report = reporter(open_log("info", stream), lambda: 100.0)
    for share in ("80 %", "100 %"):
        report("alert", share)
    assert [line["event"] for line in written(stream)] == ["80 %", "100 %"]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Authorization: Bearer abc.def-123 refused", "Authorization: … refused"),
        ("key sk-proj-abcdef123456 is wrong", "key … is wrong"),
        ("AIzaSyA1234567890 and gsk_abcdefgh", "… and …"),
        ("two\nlines\r\n here", "two lines here"),
        ("nothing secret: risk-averse desk-lamp", "nothing secret: risk-averse desk-lamp"),
    ],
)
def test_a_line_is_one_line_and_holds_no_credential(text: str, kept: str) -> None:
    assert scrubbed(text) == kept


def test_a_line_has_an_end() -> None:
    assert len(scrubbed("x" * 10_000)) == 500


def test_of_a_librarys_exception_the_log_keeps_the_place_and_not_what_it_says(root: logging.Logger) -> None:
    stream = io.StringIO()
    adopt_library_logs(open_log("info", stream))
    try:
        raise ValueError("the prompt was: my secret diary")
    except ValueError:
        logging.getLogger("uvicorn.error").exception("Exception in ASGI application")
    logging.getLogger("asyncio").error("Task exception was never retrieved\nfuture: <Task exception=my secret diary>")
    first, second = written(stream)
    assert (first["part"], first["exception"]) == ("uvicorn.error", "ValueError")
    assert "test_logs.py" in str(first["at"])
    assert second["event"] == "Task exception was never retrieved"
    assert "diary" not in stream.getvalue()


def test_what_libraries_tell_below_a_warning_is_left_out(root: logging.Logger) -> None:
    stream = io.StringIO()
    adopt_library_logs(open_log("debug", stream))
    logging.getLogger("uvicorn.error").info("Started server process")
    assert stream.getvalue() == ""
