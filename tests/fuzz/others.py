"""Trials of the smaller readers of bytes: paths and forms that are passed through, lines of batch files, embeddings."""

from __future__ import annotations

import json
import random
from urllib.parse import unquote, urlsplit

from pennyworth.batch.lines import LineReader, Problem
from pennyworth.errors import RequestError
from pennyworth.request import Caller
from pennyworth.wire import embeddings
from pennyworth.wire.embeddings import items, reply
from pennyworth.wire.other import form
from pennyworth.wire.other.path import checked, shape
from tests.fuzz.law import BrokenLawError, Case, Trial, mutated

_PATHS = (
    b"/v1/files/file-abc/content?after=1&limit=2", b"/v1/batches", b"/v1/models/gpt-4o", b"/v1/audio/speech",
    b"/v1/organization/usage/completions", b"/v1/vector_stores/vs_1/files/f%C3%A9", b"/v1/fine_tuning/jobs/ft:x/cancel",
)  # fmt: skip
_PATH_BITS = (
    b"..", b".", b"/", b"//", b"%2e", b"%2F", b"%5c", b"%00", b"%0d%0a", b"\\", b"@", b":", b";", b"?", b"#", b"%", b"%25", b"%zz",
    b"organization", b"Keys", b"admin", b"\r\n", b" ", b"\x00", b"\xff", b"http://evil/", b"//evil/", b"/../", b"/./", b"?a=b",
)  # fmt: skip
_BASE = "https://provider.test/api/v1"

_FORM = (
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\nRIFF\r\n'
    b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n--b--\r\n'
)
_FORM_BITS = (
    b"--b", b"--b--", b"\r\n", b"\n", b"\r\n\r\n", b'name="model"', b"name=model", b'filename="x"', b"Content-Disposition: form-data;",
    b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nother\r\n', b"\xff", b"\x00", b";", b'"', b"--b" * 50,
)  # fmt: skip
_FORM_TYPE = "multipart/form-data; boundary=b"

_LINES = (
    b'{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{"model":"m","messages":[]}}',
    b'{"custom_id":"b","url":"/v1/embeddings","body": {"model":"m","input":["x"]} }',
    b'{"custom_id":"c","method":"POST","url":"/v1/messages","body":{"model":"m","max_tokens":1,"messages":[]}}',
)
_LINE_BITS = (
    b"{", b"}", b'"', b",", b":", b"null", b"\\ud800", b"\xff", b"[", b"]", b'"custom_id":7,', b'"method":"GET",', b'"url":"/v1/x",',
    b'"body":{},', b'"body":"{}",', b'"custom_id":"\\u0000",', b" ", b"\n", b"9" * 600, b"[" * 300, b'"a":1,"a":2,',
)  # fmt: skip

_EMBED = (
    b'{"model":"m","input":["a","b",""],"encoding_format":"base64"}', b'{"model":"m","input":"a"}',
    b'{"model":"m","input":[1,2,3]}', b'{"model":"m","input":[[1,2],[3]],"dimensions":8}',
)  # fmt: skip
_EMBEDDED = (
    b'{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.1,-2e-3]},{"index":1,"embedding":"AACAPw=="}],'
    b'"model":"m","usage":{"prompt_tokens":2,"total_tokens":2}}',
    b'{"object":"list","data":[{"index":0,"embedding":[0.1,0.2]}],"model":"m","usage":{"total_tokens":2}}',
)
_JSON_BITS = (
    b"{", b"}", b"[", b"]", b'"', b",", b":", b"null", b"true", b"-1", b"0", b"9" * 30, b"1e999", b"NaN", b"\\ud800", b"\xff", b"[]", b'""',
    b'"index":1,', b'"index":0,', b'{"index":1,"embedding":[1.0]},', b'],"model":', b',"usage":{"prompt_tokens":', b'"input":[],',
    b'"input":"x",', b'{"index":0,', b"[" * 200, b'"error":{},',
)  # fmt: skip
_CALLER = Caller("fuzz")


def _path(chance: random.Random) -> Case:
    return (mutated(chance, chance.choice(_PATHS), _PATH_BITS),)


def _checked(case: Case) -> str:
    """What is let through stays below its base URL, for whoever undoes escapes, and says nothing of its ids."""
    path, _, query = case[0].decode("latin-1").partition("?")
    try:
        below = checked(path, query)
    except RequestError as error:
        return "another's account" if error.status == 403 else "refused"
    found = urlsplit(_BASE + below)
    plain = unquote(found.path)
    if found.netloc != "provider.test" or not plain.startswith("/api/v1/") or found.fragment:
        raise BrokenLawError("it leads elsewhere", case[0])
    if any(part in (".", "..") for part in plain.replace("\\", "/").split("/")) or "//" in plain:
        raise BrokenLawError("it climbs", case[0])
    if any(ord(one) < 33 or ord(one) == 127 for one in below):
        raise BrokenLawError("it could end the request line", case[0])
    if plain.removeprefix("/api/v1/").lower().startswith(("organization", "admin/", "keys/", "users/")):
        raise BrokenLawError("it leads to where an account is run", case[0])
    told = shape("GET", below)
    first, _, others = told.removeprefix("GET /v1/").partition("/")
    if "file-abc" in others or "vs_1" in others or len(first) > 24 or len(told) > 300:
        raise BrokenLawError("an id stands on the receipt", case[0], told.encode())
    return "passed"


def _form(chance: random.Random) -> Case:
    return (mutated(chance, _FORM, _FORM_BITS),)


def _read_form(case: Case) -> str:
    """A model that is read stands in the body, in one line, as the value of a field."""
    try:
        named = form.model_of(case[0], _FORM_TYPE)
    except RequestError:
        return "two models"
    values = [part.decode("utf-8", "replace").strip() for part in case[0].split(b"\r\n\r\n")]
    if named and not (named.isprintable() and any(value.startswith(named) for value in values)):
        raise BrokenLawError(f"{named!r} is nowhere in it", case[0])
    return "named" if named else "none"


def _line(chance: random.Random) -> Case:
    return (mutated(chance, chance.choice(_LINES), _LINE_BITS),)


_READER = LineReader()


def _read_line(case: Case) -> str:
    """A line is a request whose body stands in it as it is kept, or what is wrong in words."""
    found = _READER.read(0, case[0])
    if isinstance(found, Problem):
        return found.code
    if found.body not in case[0] or not found.body.startswith(b"{"):
        raise BrokenLawError("the body is not the file's own bytes", case[0], found.body)
    try:
        found.codec.read_request(found.body, {}, _CALLER)
    except RequestError:
        return "refused"
    return "asked"


def _embed(chance: random.Random) -> Case:
    return (mutated(chance, chance.choice(_EMBED), _JSON_BITS),)


def _asked(case: Case) -> str:
    """Refused in words, or read: of a list each item can be asked for by itself, and the rest of it is untouched."""
    try:
        request = embeddings.read_request(case[0], {}, _CALLER)
    except RequestError:
        return "refused"
    if request.unkeyed or not isinstance(request.fields["input"], list) or isinstance(request.fields["input"][0], int):
        return "read"
    for place, item in enumerate(items.items_in(request.fields)):
        one = items.subset(request, (place,))
        said = json.loads(one.body)
        if said != one.fields or said["input"] != [item] or said.keys() != request.fields.keys():
            raise BrokenLawError("an item asked for by itself is another question", case[0], one.body)
    return "read, item by item"


def _reply(chance: random.Random) -> Case:
    return (mutated(chance, chance.choice(_EMBEDDED), _JSON_BITS),)


def _taken_apart(case: Case) -> str:
    """What is whole can be taken apart, each vector kept by itself, and put together again."""
    raw, expected = case[0], case[0].count(b'"embedding":') or 1
    recorder = embeddings.recorder()
    recorder.feed_json(raw)
    outcome = recorder.outcome(status=200, raw=raw, streamed=False, ended=True, expected=expected)
    if outcome.ending != "complete":
        return outcome.ending
    parts = list(reply.parts(raw))
    kept = [reply.part_of(reply.alone(part, 1)) for part in parts]
    if kept != parts:
        raise BrokenLawError("a vector kept by itself is another", raw)
    whole = reply.composed(kept, parts[0].model, 2)
    theirs, ours = json.loads(raw)["data"], json.loads(whole)["data"]
    ours_by_place = {one["index"]: one for one in ours}
    if any(ours_by_place[one["index"]] != one for one in theirs):
        raise BrokenLawError("put together again it says something else", raw, whole)
    return "complete"


PATH = Trial(_path, _checked)
FORM = Trial(_form, _read_form)
BATCH_LINE = Trial(_line, _read_line)
EMBEDDINGS = Trial(_embed, _asked)
EMBEDDED = Trial(_reply, _taken_apart)
