"""Reading a batch file and noting what is answered: for any bytes, any names, any cut."""

import json
import tempfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pennyworth.batch.answers import Answer, Out
from pennyworth.batch.digests import Digests
from pennyworth.batch.errors import BatchError
from pennyworth.batch.lines import Line, LineReader, Problem, urls
from pennyworth.batch.source import Source
from pennyworth.batch.spool import Spool
from pennyworth.batch.work import open_work

READER = LineReader()
names = st.text(min_size=1, max_size=8)
bodies = st.dictionaries(
    st.text(max_size=5), st.none() | st.booleans() | st.integers() | st.text(max_size=9), max_size=4
)


@given(st.binary(max_size=200))
def test_whatever_a_line_holds_it_is_a_request_or_a_problem(text):
    assert isinstance(READER.read(0, text), Line | Problem)


@given(names, st.sampled_from(sorted(urls())), bodies, st.booleans())
def test_a_request_is_read_as_it_was_written_and_its_body_byte_by_byte(name, url, body, ascii_only):
    text = json.dumps({"custom_id": name, "url": url, "body": body}, ensure_ascii=ascii_only, indent=None)
    line = READER.read(7, text.encode("utf-8", "surrogatepass"))
    if isinstance(line, Problem):  # half a character, which is no text
        assert "\\ud" in text.lower() or not ascii_only
        return
    assert (line.number, line.custom_id, f"/v1{line.codec.PATH}") == (7, name, url)
    assert line.body.decode() in text
    assert json.loads(line.body) == body


@given(names, names, bodies, bodies)
def test_two_lines_have_one_seal_only_if_they_say_the_same(one, other, body, another):
    def seal(name, said):
        line = READER.read(0, json.dumps({"custom_id": name, "url": "/v1/chat/completions", "body": said}).encode())
        return line.seal if isinstance(line, Line) else None

    same = (one, json.dumps(body)) == (other, json.dumps(another))
    assert (seal(one, body) == seal(other, another)) is same or seal(one, body) is None


@given(st.lists(st.binary(max_size=6), max_size=400))
def test_digests_tell_new_names_from_known_ones_as_a_set_does(said):
    digests, known = Digests(), set()
    for name in said:
        assert digests.add(name) is (name not in known)
        known.add(name)
    assert len(digests) == len(known)


def test_digests_grow_without_forgetting():
    digests = Digests()
    assert all(digests.add(b"%d" % number) for number in range(20_000))
    assert not any(digests.add(b"%d" % number) for number in range(20_000))


@given(st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=12))
def test_of_equal_names_the_first_line_is_a_request_and_the_others_are_problems(said):
    lines = [json.dumps({"custom_id": name, "url": "/v1/chat/completions", "body": {}}) for name in said]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "in.jsonl"
        path.write_text("\n\n".join(lines))  # lines with nothing on them do not count
        source = Source(path)
        entries = list(source.entries())
        source.close()
    assert [entry.number for entry in entries] == list(range(len(said)))
    first = [said.index(name) == place for place, name in enumerate(said)]
    assert [isinstance(entry, Line) for entry in entries] == first
    assert {entry.code for entry in entries if isinstance(entry, Problem)} <= {"duplicate_custom_id"}


def answered(text, trouble=""):
    return Answer(out=Out(text, text), trouble=trouble, spent=1, served="upstream")


COUNT = 6
steps = st.lists(
    st.tuples(st.sampled_from(["answer", "failed", "again", "lane", "direct"]), st.integers(0, COUNT - 1)), max_size=25
)


def play(spool, said):
    for what, number in said:
        match what:
            case "answer" | "failed":
                spool.answer(number, answered(f"{what}{number}", "" if what == "answer" else "failed"))
            case "again":
                spool.again([number], anew=True)
            case "lane":
                spool.into_lane([number], 3)
            case "direct":
                spool.directly(number)


def state(spool):
    lines = range(COUNT)
    return (
        [spool.answered(line) and spool.trouble(line) for line in lines],
        [spool.lane(line) for line in lines],
        [spool.round(line) for line in lines],
        [spool.may_wait(line) for line in lines],
        [bytes(record.out) for record in spool.records()],
        msgspec.to_builtins(spool.tally),
    )


@settings(deadline=None)
@given(steps, st.integers(0, 3000))
def test_a_spool_that_was_torn_anywhere_is_opened_as_it_was_after_its_last_whole_record(said, cut):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "part"
        spool = Spool(path, COUNT)
        states, sizes = [state(spool)], [0]
        for step in said:
            play(spool, [step])
            states.append(state(spool))
            sizes.append(path.stat().st_size)
        spool.close()
        path.write_bytes(path.read_bytes()[:cut] if path.exists() else b"")  # an empty one is not left behind
        whole = max(place for place, size in enumerate(sizes) if size <= cut)
        again = Spool(path, COUNT)
        assert state(again) == states[whole]
        assert path.stat().st_size == sizes[whole]
        again.close()


def test_a_spool_that_is_no_spool_is_refused(tmp_path):
    (tmp_path / "part").write_text('{"line": 99}\n')
    with pytest.raises(BatchError, match="damaged at byte 0"):
        Spool(tmp_path / "part", 3)


def test_the_output_is_there_whole_or_not_at_all_and_in_the_order_of_the_input(tmp_path):
    lines = [{"custom_id": name, "url": "/v1/chat/completions", "body": {}} for name in "abc"]
    (tmp_path / "in").write_text("\n".join(json.dumps(line) for line in lines))
    work = open_work(tmp_path / "in", tmp_path / "out", None)
    for number in (2, 0, 1):
        assert not (tmp_path / "out").exists()
        work.answer(number, answered(f"n{number}"))
    work.finish()
    work.close()
    written = (tmp_path / "out").read_text().splitlines()
    assert [msgspec.json.decode(line)["id"] for line in written] == ["n0", "n1", "n2"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out", "out.batch"]
