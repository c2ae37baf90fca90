"""``check`` says everything about a configuration; ``--live`` asks real servers and says in words what is wrong."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from .conftest import program


class Provider(BaseHTTPRequestHandler):
    def do_GET(self):
        status, body = {
            "/good/models": (200, b'{"data": [{"id": "m1"}]}'),
            "/keyed/models": (
                200 if self.headers["authorization"] == "Bearer right-key-of-good-length" else 401,
                b"{}",
            ),
            "/azure/models": (200 if self.headers["api-key"] == "right-key-of-good-length" else 401, b"{}"),
            "/page/models": (200, b"<html>"),
            "/moved/models": (301, b""),
            "/busy/models": (429, b""),
            "/broken/models": (500, b""),
        }.get(self.path, (404, b""))
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def provider():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def live(command, monkeypatch, tmp_path, base_url, key="right-key-of-good-length", more=""):
    monkeypatch.setenv("THE_KEY", key)
    (tmp_path / "p.toml").write_text(f'[providers.it]\nbase_url = "{base_url}"\nkey_env = "THE_KEY"\n{more}')
    ended = command("check", "p.toml", "--live", "--json")
    return ended.code, ended.json["live"][0]


@pytest.mark.parametrize(
    ("path", "code", "severity", "said"),
    [
        ("/good", 0, "ok", "offers 1 models"),
        ("/keyed", 0, "warning", "list of models"),
        ("/page", 0, "warning", "web page"),
        ("/busy", 0, "ok", "more slowly"),
        ("/nowhere", 0, "warning", "version"),
        ("/moved", 3, "error", "301"),
        ("/broken", 3, "error", "500"),
    ],
)
def test_what_a_provider_answers_is_said_in_words(command, monkeypatch, tmp_path, provider, path, code, severity, said):
    ended, finding = live(command, monkeypatch, tmp_path, f"http://{provider}{path}")
    assert (ended, finding["severity"]) == (code, severity)
    assert said in finding["message"] + finding["fix"]


def test_a_refused_key_is_named_by_its_configuration_key_and_never_shown(command, monkeypatch, tmp_path, provider):
    code, finding = live(command, monkeypatch, tmp_path, f"http://{provider}/keyed", key="wrong-key-of-good-length")
    assert code == 3
    assert finding["key"] == "providers.it.key_env"
    assert "THE_KEY" in finding["message"]
    assert "wrong-key" not in str(finding)


@pytest.mark.parametrize(
    ("base_url", "said"),
    [
        ("http://no-such-host.invalid/v1", "(DNS)"),
        ("http://127.0.0.1:9/v1", "refused"),
        ("https://{provider}/v1", "secure connection"),
    ],
)
def test_a_road_that_does_not_lead_there_is_told_from_others(command, monkeypatch, tmp_path, provider, base_url, said):
    code, finding = live(command, monkeypatch, tmp_path, base_url.format(provider=provider))
    assert (code, finding["severity"]) == (3, "error")
    assert said in finding["message"]
    assert finding["fix"]


def test_the_key_is_shown_as_the_provider_wants_it(command, monkeypatch, tmp_path, provider):
    for auth, expected in (('"api-key"', 0), ('"bearer"', 3)):
        code, _ = live(command, monkeypatch, tmp_path, f"http://{provider}/azure", more=f"auth = {auth}")
        assert code == expected


@pytest.mark.parametrize(
    ("more", "ended", "key", "said"),
    [
        ('proxy = "http://127.0.0.1:9"', 3, "providers.it.proxy", "the proxy http://127.0.0.1:9 is not reached"),
        ('proxy = "http://{provider}"', 3, "providers.it.proxy", "answers 501"),
        ('ca_file = "/no/such.pem"', 2, "providers.it.ca_file", "cannot be read"),
    ],
)
def test_a_proxy_or_a_certificate_that_does_not_serve_is_named(
    command, monkeypatch, tmp_path, provider, more, ended, key, said
):
    code, finding = live(command, monkeypatch, tmp_path, "https://127.0.0.1:9/v1", more=more.format(provider=provider))
    assert (code, finding["key"]) == (ended, key)
    assert said in finding["message"]


def test_a_model_that_the_provider_does_not_list_is_a_warning(command, monkeypatch, tmp_path, provider):
    more = '[models.m9]\nprovider = "it"\nprice = { input = "1", output = "2" }\n'
    code, finding = live(command, monkeypatch, tmp_path, f"http://{provider}/good", more=more)
    assert (code, finding["severity"], finding["key"]) == (0, "warning", "models.m9")


def test_every_error_of_a_configuration_is_told_at_once_with_its_fix(tmp_path):
    (tmp_path / "bad.toml").write_text('[listen]\nport = 99999\nhots = "x"\n')
    ended = program("check", tmp_path / "bad.toml", "--json")
    assert ended.code == 2
    assert ended.json["usable"] is False
    assert {each["key"] for each in ended.json["findings"]} == {"listen.port", "listen.hots"}
    assert all(each["fix"] for each in ended.json["findings"])


def test_a_good_configuration_says_what_to_do_next(command, monkeypatch, tmp_path):
    monkeypatch.setenv("OPENAI_API_KEY", "a-key-that-is-long-enough")
    (tmp_path / "good.toml").write_text("[providers.openai]\n")
    ended = command("check", "good.toml", "--show")
    assert ended.code == 0
    assert "It can be used" in ended.out
    assert "What is configured" in ended.out
    assert "pennyworth check good.toml --live" in ended.err


def test_a_model_without_a_price_and_an_overlay_that_is_wrong_are_found(command, monkeypatch, tmp_path):
    monkeypatch.setenv("OPENAI_API_KEY", "a-key-that-is-long-enough")
    (tmp_path / "a.toml").write_text('[providers.openai]\n[models.my-own]\nprovider = "openai"\n')
    found = command("check", "a.toml", "--json")
    assert found.code == 0
    assert [each["severity"] for each in found.json["findings"] if each["key"] == "models.my-own.price"] == ["warning"]
    (tmp_path / "prices.toml").write_text("[[price]]\nnonsense = 1\n")
    (tmp_path / "b.toml").write_text('[providers.openai]\n[prices]\noverlay = "prices.toml"\n')
    assert command("check", "b.toml").code == 2


def test_a_model_that_cannot_be_asked_under_a_budget_is_found_wherever_it_is_named(command, monkeypatch, tmp_path):
    monkeypatch.setenv("OPENAI_API_KEY", "a-key-that-is-long-enough")
    own = '[providers.own]\nbase_url = "http://127.0.0.1:9/v1"\nmodels = ["m1", "n*"]\n'
    route = '[[routes]]\nname = "r"\nmodels = ["x"]\nfallbacks = ["own/n2"]\n'
    (tmp_path / "a.toml").write_text(
        f'{own}{route}[everyone]\nbudget_day = "1 USD"\nat_limit = "downgrade"\ndowngrade_to = "n3"\n'
    )
    found = {each["key"]: each for each in command("check", "a.toml", "--json").json["findings"]}
    for key in ("models.m1.price", 'models."own/n2".price', "models.n3.price"):
        assert "under a budget it is not asked" in found[key]["message"]
    assert "providers.own.price_provider" in found["models.m1.price"]["fix"]
    (tmp_path / "b.toml").write_text(own)
    found = {each["key"]: each for each in command("check", "b.toml", "--json").json["findings"]}
    assert "it is served" in found["models.m1.price"]["message"]


def test_a_file_that_is_not_there_is_an_error(command):
    ended = command("check", "nowhere.toml")
    assert ended.code == 2
    assert "nowhere.toml" in ended.out
