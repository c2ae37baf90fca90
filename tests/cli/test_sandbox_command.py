"""``sandbox`` runs the simulated provider as it is told, and says where."""

import json
import re
import select
import subprocess
import urllib.request

import pytest

from .conftest import ENV, PROGRAM


def test_it_listens_says_where_and_charges_the_given_prices(tmp_path):
    (tmp_path / "prices.json").write_text('{"m": {"input": "1", "output": "2"}}')
    (tmp_path / "faults.toml").write_text('[[rules]]\nkind = "status"\nstatus = 503\nmarker = "break"\n')
    process = subprocess.Popen(
        [PROGRAM, "sandbox", "--port", "0", "--prices", "prices.json", "--faults", "faults.toml"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env=ENV,
    )
    try:
        ready, _, _ = select.select([process.stdout], [], [], 60)
        assert ready
        url = re.search(r"listens on (\S+)/v1", process.stdout.readline())[1]
        with urllib.request.urlopen(url + "/v1/models") as reply:
            assert [model["id"] for model in json.load(reply)["data"]] == ["m"]
        body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "please break"}]}).encode()
        request = urllib.request.Request(url + "/v1/chat/completions", body, {"authorization": "Bearer a"})
        with pytest.raises(urllib.error.HTTPError, match="503"):
            urllib.request.urlopen(request)
    finally:
        process.terminate()
        process.communicate(timeout=20)


@pytest.mark.parametrize(
    ("argv", "content", "said"),
    [
        (["--prices", "nowhere.json"], None, "cannot be read"),
        (["--prices", "f.json"], "{", "is not JSON"),
        (["--prices", "f.json"], '{"m": 3}', "cannot be used"),
        (["--prices", "f.json"], '{"m": {"input": "cheap", "output": "1"}}', "'cheap' is no price"),
        (["--faults", "f.json"], '{"rules": [{"kind": "earthquake"}]}', "earthquake"),
    ],
)
def test_files_that_cannot_be_used_end_with_2_and_an_example(command, tmp_path, argv, content, said):
    if content is not None:
        (tmp_path / "f.json").write_text(content)
    ended = command("sandbox", *argv, "--port", "0")
    assert ended.code == 2
    assert said in ended.err
    assert "Traceback" not in ended.err
