"""What `limner studio` says before it opens: bad addresses, ports that are in use, files where folders should be."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from limner.core.errors import UserError
from limner.studio import command
from limner.studio.command import Studio, studio


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

    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command.time, "sleep", interrupted)
    studio(Studio(tmp_path / "runs", browser=False))
    said = " ".join("".join(capsys.readouterr()).split())
    assert "Port 7860 is in use; this is the next free one." in said and "closed" in said


def test_a_file_is_no_runs_folder(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("")
    with pytest.raises(UserError, match="is a file; expected a folder"):
        studio(Studio(tmp_path / "runs"))


def test_an_address_that_is_not_here_is_said() -> None:
    with pytest.raises(UserError, match="no such address"):
        command._free("203.0.113.7", 7860)
