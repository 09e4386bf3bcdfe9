"""What `limner studio` says before it opens: bad addresses, ports that are in use, files where folders should be."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import NoReturn

import pytest

from limner.core.errors import UserError
from limner.studio import command
from limner.studio.command import Studio, studio


def _interrupt() -> NoReturn:
    raise KeyboardInterrupt


def _some_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_another_address_asks_for_a_password(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="give a --password"):
        studio(Studio(tmp_path, host="0.0.0.0"))
    with pytest.raises(UserError, match="8 characters"):
        studio(Studio(tmp_path, host="0.0.0.0", password="short"))


def test_a_port_in_use_gives_way_to_the_next_free_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert command._free("127.0.0.1", port) > port
        monkeypatch.setattr(command, "PORTS", 1)
        with pytest.raises(UserError, match=f"the ports {port} to {port} are all in use: give another --port"):
            command._free("127.0.0.1", port)


def test_it_says_which_port_it_took_instead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("gradio", reason="needs Gradio: pip install 'limner[studio]'")
    monkeypatch.setattr("limner.studio.app.open_doors", lambda *_: ("http://127.0.0.1:7861", None))
    monkeypatch.setattr(command, "_free", lambda *_: 7861)

    monkeypatch.setattr(command.time, "sleep", lambda _: _interrupt())
    studio(Studio(tmp_path / "runs", browser=False))
    said = " ".join("".join(capsys.readouterr()).split())
    assert "Port 7860 is in use; this is the next free one." in said and "closed" in said


def test_a_port_that_is_taken_at_the_last_moment_gives_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("gradio", reason="needs Gradio: pip install 'limner[studio]'")
    asked: list[int] = []
    with socket.socket() as quicker:

        def open_doors(house: object, host: str, port: int, *_: object) -> tuple[str, None]:
            asked.append(port)
            if len(asked) == 1:
                quicker.bind((host, port))
                quicker.listen()
                raise OSError(f"Cannot find empty port in range: {port}-{port}")
            return f"http://{host}:{port}", None

        monkeypatch.setattr("limner.studio.app.open_doors", open_doors)
        monkeypatch.setattr(command.time, "sleep", lambda _: _interrupt())
        studio(Studio(tmp_path / "runs", port=_some_port(), browser=False))
    said = " ".join("".join(capsys.readouterr()).split())
    assert len(asked) == 2 and asked[1] > asked[0]
    assert f"open at http://127.0.0.1:{asked[1]} " in said and f"Port {asked[0]} is in use" in said


def test_what_is_wrong_beside_the_port_is_not_taken_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("gradio", reason="needs Gradio: pip install 'limner[studio]'")

    def open_doors(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("limner.studio.app.open_doors", open_doors)
    with pytest.raises(OSError, match="no space left"):
        studio(Studio(tmp_path / "runs", port=_some_port(), browser=False))


def test_a_file_is_no_runs_folder(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("")
    with pytest.raises(UserError, match="is a file; expected a folder"):
        studio(Studio(tmp_path / "runs"))


def test_an_address_that_is_not_here_is_said() -> None:
    with pytest.raises(UserError, match="no such address"):
        command._free("203.0.113.7", 7860)
