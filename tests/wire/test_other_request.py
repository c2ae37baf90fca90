"""What is read of a request that is passed through: the model it names, and what of its head goes along."""

from __future__ import annotations

import contextlib

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennyworth.errors import RequestError
from pennyworth.request import Caller, Request
from pennyworth.secret import Secret
from pennyworth.wire.other import Asking, read_request
from pennyworth.wire.other.striking import Striking


def read(body: bytes = b"", method: str = "POST", path: str = "/v1/images", **headers: str) -> Request:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return read_request(Asking(method, path, "", named), body, Caller("local"))


def model_of(body: bytes, kind: str = "application/json", **more: str) -> str:
    through = read(body, content_type=kind, **more).through
    assert through is not None
    return through.named


def form(**fields: str) -> tuple[bytes, str]:
    files = {
        "file": ("a.bin", b'\r\n--x\r\ncontent-disposition: form-data; name="model"\r\n\r\nnot this', "audio/mpeg")
    }
    made = httpx.Request("POST", "http://a", data=fields, files=files)
    return made.read(), made.headers["content-type"]


NAMED = [
    (b'{"model": "dall-e-3"}', "application/json", "dall-e-3"),
    (b' \n{"model": "dall-e-3"}', "application/merge-patch+json", "dall-e-3"),
    (b'{"model": 7}', "application/json", ""),
    (b'{"model": ""}', "application/json", ""),
    (b'["model"]', "application/json", ""),
    (b"", "application/json", ""),
    (b'{"model": "x"}', "text/plain", ""),
    (b'{"model": "dall-e-3"}', "application/x-www-form-urlencoded", "dall-e-3"),
    (b"model=dall-e-3", "application/x-www-form-urlencoded", ""),
    (b"\xff\xfe", "application/octet-stream", ""),
    (b"no form at all", "multipart/form-data", ""),
    (b"--b\r\nno form", "multipart/form-data; boundary=b", ""),
]


@pytest.mark.parametrize(("body", "kind", "model"), NAMED)
def test_the_model_is_the_one_a_body_names(body: bytes, kind: str, model: str):
    assert model_of(body, kind) == model


@pytest.mark.parametrize("model", ["whisper-1", "a/b", "模型", 'q"uote', "with space"])
def test_the_model_of_an_upload_is_its_field_whatever_stands_in_its_file(model: str):
    body, kind = form(model=model, prompt="model")
    assert model_of(body, kind) == model


def test_an_upload_without_the_field_names_none():
    body, kind = form(prompt="model")
    assert model_of(body, kind) == ""


def test_an_upload_with_two_models_is_refused():
    with pytest.raises(RequestError, match="two models"):
        model_of(two_models(), "multipart/form-data; boundary=b")


def two_models() -> bytes:
    part = b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\n%b\r\n'
    return part % b"one" + part % b"two" + b"--b--\r\n"


@given(st.binary(max_size=300), st.text(max_size=40))
def test_whatever_an_upload_holds_reading_it_ends_in_a_name_or_a_refusal(body: bytes, boundary: str):
    with contextlib.suppress(RequestError):
        model_of(b"--" + boundary.encode()[:70] + b"\r\n" + body, f"multipart/form-data; boundary={boundary}")


@pytest.mark.parametrize("field", ["api_base", "base_url", "api_key"])
def test_a_field_by_which_a_caller_would_choose_who_is_asked_is_refused(field: str):
    with pytest.raises(RequestError):
        read(b'{"%b": "http://evil"}' % field.encode(), content_type="application/json")


def test_of_a_head_goes_along_what_speaks_of_the_body_and_its_version_and_nothing_else():
    said = {
        "accept": "audio/*",
        "content-type": "audio/mpeg",
        "range": "bytes=0-",
        "idempotency-key": "k",
        "anthropic-version": "2023-06-01",
        "anthropic-beta": "files",
        "openai-beta": "assistants=v2",
    }
    never = dict.fromkeys(
        ("authorization", "x-api-key", "cookie", "connection", "te", "host", "expect", "forwarded"), "x"
    )
    asked = read_request(Asking("POST", "/v1/files", "", {**said, **never}), b"", Caller("local"))
    assert asked.through is not None
    assert dict(asked.through.headers) == said


@pytest.mark.parametrize(
    ("path", "model"), [("/v1/models/gpt-4o", "gpt-4o"), ("/v1/models/a/b", ""), ("/v1/files/a", "")]
)
def test_a_model_that_is_looked_up_is_named_by_its_path(path: str, model: str):
    through = read(method="GET", path=path).through
    assert through is not None
    assert through.named == model


def test_neither_a_request_nor_where_it_goes_prints_what_is_a_caller_s_own():
    asked = read(b'{"model": "m", "prompt": "secret"}', path="/v1/files/secret", content_type="application/json")
    assert "secret" not in repr(asked)
    assert "secret" not in repr(asked.through)


@given(st.lists(st.sampled_from([b"sk-ab", b"sk-", b"s", b"k", b"-", b"a", b"b", b"sk-a", b"x"]), max_size=12))
def test_a_credential_is_struck_in_whatever_pieces_it_comes_and_nothing_else_is_lost(pieces: list[bytes]):
    striking = Striking(Secret("sk-ab"))
    passed = b"".join(striking.feed(piece) for piece in pieces) + striking.rest()
    assert passed == b"".join(pieces).replace(b"sk-ab", "…".encode())


def test_only_what_may_be_its_beginning_is_held_back():
    striking = Striking(Secret("sk-ab"))
    assert striking.feed(b"data: 1\n\nsk") == b"data: 1\n\n"
    assert striking.feed(b"ip") == b"skip"
    assert Striking(Secret("")).feed(b"sk") == b"sk"


def test_a_value_that_begins_like_a_boundary_does_not_end_its_part():
    body = b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n--bare\r\n--b--\r\n'
    assert model_of(body, "multipart/form-data; boundary=b") == ""  # nothing of a length that a model has
