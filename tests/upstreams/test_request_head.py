"""The bytes of a request's head: rows of call and answer."""

from __future__ import annotations

import pytest

from pennyworth.errors import UpstreamError
from pennyworth.plan import Provider, Target
from pennyworth.ports import Call
from pennyworth.secret import Secret
from pennyworth.upstreams.request_head import Sites

JSON = ("content-type", "application/json")


def call(base_url: str, *headers: tuple[str, str], body: bytes = b"{}") -> Call:
    at = Provider(name="openai", base_url=base_url, credential=Secret("sk"))
    return Call(
        target=Target(provider=at, model="m"), path="/chat/completions", headers=headers, body=body, stream=False
    )


def asking(method: str, path: str, body: bytes = b"") -> Call:
    asked = call("http://a/v1", body=body)
    return Call(target=asked.target, path=path, headers=(), body=body, stream=True, method=method)


def lines(asked: Call) -> list[str]:
    return Sites().of(asked).head(asked).decode().split("\r\n")


def test_a_head_is_the_line_what_is_always_said_what_the_call_says_and_its_length():
    assert lines(call("http://127.0.0.1:8000/v1", JSON, ("authorization", "Bearer sk"), body=b"abc")) == [
        "POST /v1/chat/completions HTTP/1.1",
        "host: 127.0.0.1:8000",
        "accept: */*",
        "accept-encoding: identity",
        "user-agent: pennyworth",
        "content-type: application/json",
        "authorization: Bearer sk",
        "content-length: 3",
        "",
        "",
    ]


HOSTS = [
    ("http://api.example.com/v1", False, "api.example.com", 80, "api.example.com"),
    ("http://api.example.com:80/v1", False, "api.example.com", 80, "api.example.com"),
    ("https://api.example.com:443/v1", True, "api.example.com", 443, "api.example.com"),
    ("https://api.example.com:80/v1/", True, "api.example.com", 80, "api.example.com:80"),
    ("http://[::1]:8000", False, "::1", 8000, "[::1]:8000"),
]


@pytest.mark.parametrize(("base_url", "tls", "host", "port", "said"), HOSTS)
def test_the_host_is_said_with_its_port_where_it_is_not_the_schemes_own(
    base_url: str, tls: bool, host: str, port: int, said: str
):
    asked = call(base_url)
    assert Sites().of(asked).origin[:3] == (tls, host, port)
    assert lines(asked)[1] == f"host: {said}"
    assert "//" not in lines(asked)[0]


def test_what_a_call_says_itself_stands_instead_of_what_is_always_said():
    said = lines(call("http://a/v1", ("user-agent", "mine"), ("x-b", "1"), ("x-b", "2")))
    assert [line for line in said if line.startswith(("user-agent", "x-b"))] == ["user-agent: mine", "x-b: 1", "x-b: 2"]


def test_a_call_cannot_say_where_its_request_ends_or_for_whom_it_is():
    mine = [("Host", "b"), ("content-length", "9"), ("transfer-encoding", "chunked"), ("connection", "close")]
    said = lines(call("http://a/v1", *mine, ("x-b", "1")))
    assert [line for line in said if line.startswith(("host", "Host", "content-l", "trans", "conn", "x-b"))] == [
        "host: a",
        "x-b: 1",
        "content-length: 2",
    ]


SMUGGLED = [
    ("authorization", "Bearer sk-secret\r\nx-evil: 1"),
    ("authorization", "Bearer sk-secret\nx-evil: 1"),
    ("authorization", "Bearer sk-secret\rx-evil: 1"),
    ("authorization", "Bearer sk-secret\0"),
    ("authorization", "Bearer sk-secret\ud800"),
    ("x-evil: 1\r\nx-b", "sk-secret"),
    ("x evil", "sk-secret"),
    ("", "sk-secret"),
]


@pytest.mark.parametrize("header", SMUGGLED)
def test_a_header_that_would_not_stay_one_header_is_not_sent_and_not_quoted(header: tuple[str, str]):
    asked = call("http://a/v1", JSON, header)
    with pytest.raises(UpstreamError) as caught:
        lines(asked)
    assert caught.value.fault == "malformed"
    assert "a line break" in caught.value.message
    assert "sk-secret" not in caught.value.message


def test_credentials_are_never_remembered():
    sites = Sites()
    for key in ("sk-of-ann", "sk-of-bob"):
        asked = call("http://a/v1", ("authorization", key))
        head = sites.of(asked).head(asked)
        assert f"authorization: {key}\r\n".encode() in head
    assert "sk-of" not in repr(vars(sites))
    again = call("http://a/v1")
    assert b"authorization" not in sites.of(again).head(again)


def test_however_many_sites_there_are_few_are_remembered():
    sites = Sites()
    for number in range(1000):
        sites.of(call(f"http://a{number}/v1"))
    assert len(sites) <= 256


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "POST", "PUT", "PATCH"])
def test_a_call_has_its_own_method_and_query_and_says_a_length_where_there_may_be_a_body(method: str):
    first, *rest = lines(asking(method, "/files?limit=2&after=file%2F1"))
    assert first == f"{method} /v1/files?limit=2&after=file%2F1 HTTP/1.1"
    assert ("content-length: 0" in rest) is (method in ("POST", "PUT", "PATCH"))
    assert "content-length: 3" in lines(asking(method, "/files", b"abc"))


@pytest.mark.parametrize("method", ["GET /x HTTP/1.1\r\nHost: b\r\n\r\nGET", "G ET", "", "G\x00"])
def test_a_method_that_would_not_stay_one_word_is_not_sent(method: str):
    with pytest.raises(UpstreamError):
        lines(asking(method, "/files"))


def test_two_methods_on_one_path_are_two_heads():
    sites = Sites()
    get, delete = asking("GET", "/files/1"), asking("DELETE", "/files/1")
    assert sites.of(get).head(get).startswith(b"GET ")
    assert sites.of(delete).head(delete).startswith(b"DELETE ")


def test_paths_without_number_do_not_push_out_what_is_called_all_the_time():
    sites = Sites()
    usual = sites.of(call("http://a/v1"))
    for number in range(1000):
        sites.of(asking("GET", f"/files/{number}"))
        assert sites.of(call("http://a/v1")) is usual
