"""What the studio refuses: other files, too much, the wrong password, pages that pretend to be it."""

from __future__ import annotations

import http.client
import json
import shutil
import socket
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import limner
from limner.studio.guard import BODY, BURST, Guard
from studio.conftest import Server, end, start

JSON, FORM = "application/json", "application/x-www-form-urlencoded"
PREFIXES = ("/gradio_api/file=", "/file=", "/gradio_api/file/", "/static/", "/assets/", "/svelte/", "/theme.css/../")


def ask(server: Server, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
    """One request: its status and what came back."""
    place = urllib.parse.urlsplit(server.address)
    connection = http.client.HTTPConnection(place.hostname or "", place.port or 0, timeout=60)
    try:
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def call(server: Server, endpoint: str, *data: Any) -> str:
    """Call an endpoint as the docs say; what the last event says."""
    status, content = ask(
        server,
        "POST",
        f"/gradio_api/call/{endpoint}",
        json.dumps({"data": data}).encode(),
        Content_Type="application/json",
    )
    if status != 200:
        return f"{status} {content!r}"
    event = json.loads(content)["event_id"]
    return ask(server, "GET", f"/gradio_api/call/{endpoint}/{event}")[1].decode()


def test_an_endpoint_answers(server: Server) -> None:
    assert "event: complete" in call(server, "runs")
    made = call(server, "generate", "discs", 0, 2, None, 3.0)
    assert "event: complete" in made and made.count("seed") >= 2


def test_the_endpoint_that_translates_gives_the_pixels_of_limner_translate(server: Server, tmp_path: Path) -> None:
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8)).save(tmp_path / "a.png")
    head = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
    body = head + (tmp_path / "a.png").read_bytes() + b"\r\n--x--\r\n"
    _, sent = ask(server, "POST", "/gradio_api/upload", body, Content_Type="multipart/form-data; boundary=x")
    given = {"path": json.loads(sent)[0], "meta": {"_type": "gradio.FileData"}}
    said = call(server, "translate", given, "negatives", "", False)
    assert "event: complete" in said, said
    made = json.loads(said.partition("data: ")[2])[0]["path"]
    (wanted,) = limner.translate(server.runs / "negatives", str(tmp_path / "a.png")).arrays
    assert (np.asarray(Image.open(made)) == wanted).all()


OUTSIDE = ["/etc/passwd", "../../../../etc/passwd", "file:///etc/passwd", "/proc/self/environ"]


@pytest.mark.parametrize("path", OUTSIDE)
def test_no_other_file_is_served(server: Server, path: str) -> None:
    for prefix in PREFIXES:
        for shown in (path, urllib.parse.quote(path, safe="")):
            status, content = ask(server, "GET", prefix + shown)
            assert status != 200 or b"root:" not in content, prefix + shown
            assert b"PATH=" not in content


@pytest.mark.parametrize("path", [*OUTSIDE, "RUNS/discs/config.json"])
def test_no_other_file_is_taken_for_an_upload(server: Server, path: str) -> None:
    path = path.replace("RUNS", str(server.runs))
    said = call(server, "translate", {"path": path, "meta": {"_type": "gradio.FileData"}}, "negatives", "", False)
    assert "event: error" in said and "root:" not in said


@pytest.mark.parametrize("name", ["../discs", "/etc", "..", ".studio", "discs/../../runs/discs", "<b>discs</b>"])
def test_no_other_folder_is_taken_for_a_run(server: Server, name: str) -> None:
    for endpoint, data in (("generate", (name, 0, 1, None, 3.0)), ("stop", (name,)), ("continue", (name,))):
        assert "event: error" in call(server, endpoint, *data)


@pytest.mark.parametrize("name", ["../evil", "/tmp/evil", "a/b", "", ".hidden", "x" * 200, "<script>"])
def test_no_training_begins_outside(server: Server, name: str) -> None:
    before = sorted(path.name for path in server.runs.parent.iterdir())
    assert "event: error" in call(server, "train", "digits", "dcgan-digits", name, None, 100)
    assert sorted(path.name for path in server.runs.parent.iterdir()) == before


@pytest.mark.parametrize("data", ["/etc", "../..", "folder:/etc", "~", "hub:someone/something"])
def test_no_other_data_is_read(server: Server, data: str) -> None:
    assert "event: error" in call(server, "train", data, "dcgan-digits", "other", None, 100)
    assert not (server.runs / "other").exists()


def test_too_large_a_body_is_refused(server: Server) -> None:
    status, _ = ask(server, "POST", "/gradio_api/upload", b"", Content_Length=str(BODY + 1))
    assert status == 413


def test_another_sites_name_is_refused(server: Server) -> None:
    assert ask(server, "GET", "/", Host="evil.example")[0] == 403


def test_ten_thousand_requests_a_minute_are_too_many() -> None:
    guard = Guard(app=None, names=None)  # type: ignore[arg-type]
    answers = [guard._may("1.2.3.4") for _ in range(10_000)]
    assert sum(answers) < 2 * BURST and guard._may("5.6.7.8")


def test_a_body_of_unstated_length_is_cut_off(server: Server) -> None:
    place = urllib.parse.urlsplit(server.address)
    with socket.create_connection((place.hostname, place.port), 60) as line:
        line.sendall(b"POST /gradio_api/upload HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n")
        line.sendall(b"Content-Type: multipart/form-data; boundary=x\r\n\r\n")
        piece = b"100000\r\n" + b"0" * 0x100000 + b"\r\n"
        refused = False
        try:
            for _ in range(BODY // 0x100000 + 10):
                line.sendall(piece)
            line.sendall(b"0\r\n\r\n")
            refused = b" 200 " not in line.recv(1000)
        except OSError:
            refused = True
    assert refused
    assert ask(server, "GET", "/")[0] == 200


@pytest.fixture
def locked(models: Path, tmp_path: Path) -> Iterator[Server]:
    """A studio with a password."""
    shutil.copytree(models / "discs", tmp_path / "runs" / "discs")
    server = start(tmp_path / "runs", "--password", "correct horse")
    yield server
    end(server)


def test_without_the_password_nothing_is_told(locked: Server) -> None:
    for path in ("/config", "/gradio_api/info", "/gradio_api/file=x"):
        assert ask(locked, "GET", path)[0] == 401
    assert "401" in call(locked, "generate", "discs", 0, 1, None, 3.0)
    wrong = ask(locked, "POST", "/login", b"username=limner&password=guess", Content_Type=FORM)
    assert wrong[0] in (400, 401)
    right = b"username=limner&password=correct+horse"
    assert ask(locked, "POST", "/login", right, Content_Type=FORM)[0] == 200
