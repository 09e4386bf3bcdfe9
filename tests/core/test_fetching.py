"""A file from the net is whole and the right one, or not there; what came before is never fetched twice."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import filelock
import numpy as np
import pytest

from limner.core import fetching
from limner.core.errors import UserError
from limner.core.fetching import PublishedFile, fetch
from serving import Served, serving, wait_until

CONTENT = np.random.default_rng(0).bytes(2_300_000)  # more than one chunk
SHA256 = hashlib.sha256(CONTENT).hexdigest()
MD5 = hashlib.md5(CONTENT).hexdigest()
OTHER = np.random.default_rng(1).bytes(2_300_000)


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setattr(fetching, "WAIT", 0.0)
    with serving({"a.bin": CONTENT, "b.bin": OTHER}) as server:
        yield server


def file(served: Served, sha256: str = SHA256, md5: str = "", name: str = "a.bin") -> PublishedFile:
    return PublishedFile("a.bin", sha256, len(CONTENT), served.url(name), md5)


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def begin(target: Path, served: Served, count: int = 1_000_000, content: bytes = CONTENT, **note: Any) -> None:
    """What a killed process leaves."""
    target.parent.mkdir(exist_ok=True)
    target.with_name("a.bin.part").write_bytes(content[:count])
    whole = {"url": served.url("a.bin"), "validator": '"1"', "total": len(CONTENT), **note}
    target.with_name("a.bin.part.json").write_text(json.dumps(whole))


@pytest.mark.parametrize("pinned", [{"sha256": SHA256}, {"sha256": "", "md5": MD5}, {"sha256": ""}])
def test_a_file_comes_whole(served: Served, tmp_path: Path, pinned: dict[str, str]) -> None:
    target = tmp_path / "deep" / "a.bin"
    assert fetch(file(served, **pinned), target) == SHA256
    assert target.read_bytes() == CONTENT and left(target.parent) == ["a.bin"]


@pytest.mark.parametrize(
    ("ways", "asked"),
    [
        (["cut", "well"], ["", "bytes=1150000-"]),
        (["cut", "cut", "well"], ["", "bytes=1150000-", "bytes=1725000-"]),
        (["stall", "well"], ["", "bytes=1150000-"]),
        (["cut", "busy", "well"], ["", "bytes=1150000-", "bytes=1150000-"]),
        (["cut", "plain"], ["", "bytes=1150000-"]),  # it starts anew, and so do we
        (["cut", "elsewhere", "well"], ["", "bytes=1150000-", ""]),
    ],
)
def test_a_broken_connection_is_gone_on_with(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ways: list[str], asked: list[str]
) -> None:
    monkeypatch.setattr(fetching, "PATIENCE", 0.3)
    served.ways = ways
    assert fetch(file(served), tmp_path / "a.bin") == SHA256
    assert served.asked == asked and left(tmp_path) == ["a.bin"]


@pytest.mark.parametrize("tag", ['"1"', ""])
def test_what_a_killed_process_left_is_gone_on_with(served: Served, tmp_path: Path, tag: str) -> None:
    served.tag, served.modified = tag, "Sun, 22 Nov 2026 08:00:00 GMT"
    begin(tmp_path / "a.bin", served, validator=tag or served.modified)
    assert fetch(file(served, sha256=""), tmp_path / "a.bin") == SHA256
    assert served.asked == ["bytes=1000000-"] and left(tmp_path) == ["a.bin"]


def test_a_download_that_was_all_but_renamed_asks_for_nothing(served: Served, tmp_path: Path) -> None:
    begin(tmp_path / "a.bin", served, len(CONTENT))
    assert fetch(file(served), tmp_path / "a.bin") == SHA256
    assert served.asked == []


@pytest.mark.parametrize(
    "note",
    [
        {"validator": '"0"'},  # the server has another file by now
        {"url": "http://127.0.0.1/elsewhere"},
        {"validator": ""},  # nothing tells, and no checksum is published
    ],
)
def test_the_rest_of_another_file_is_never_joined_on(served: Served, tmp_path: Path, note: dict[str, Any]) -> None:
    begin(tmp_path / "a.bin", served, content=OTHER, **note)
    assert fetch(file(served, sha256=""), tmp_path / "a.bin") == SHA256


@pytest.mark.parametrize("count", [1_000_000, len(CONTENT), len(CONTENT) + 5])
def test_what_was_left_is_checked_by_its_sum(served: Served, tmp_path: Path, count: int) -> None:
    begin(tmp_path / "a.bin", served, count, OTHER + OTHER)
    assert fetch(file(served), tmp_path / "a.bin") == SHA256
    assert served.asked[-1] == "" and left(tmp_path) == ["a.bin"]


@pytest.mark.parametrize("pin", [{"sha256": SHA256}, {"sha256": "", "md5": MD5}])
def test_another_file_than_the_published_one_is_refused(served: Served, tmp_path: Path, pin: dict[str, str]) -> None:
    words = (
        rf"b\.bin gave another file than expected: its (SHA-256|MD5) is .*expected ({SHA256}|{MD5}).*Nothing was kept"
    )
    with pytest.raises(UserError, match=words):
        fetch(file(served, name="b.bin", **pin), tmp_path / "a.bin")
    assert left(tmp_path) == [] and len(served.asked) == 1


@pytest.mark.parametrize(
    ("ways", "words", "kept"),
    [
        (["absent"], r"404.*Nothing was kept\. Is there a network\? .*copy a\.bin \(2 MB\)", 0),
        (["page"], r"its server gave a web page in its place", 0),
        (["cut", "absent"], r"404.*1 MB of 2 MB are here and kept: the same command again goes on there", 1_150_000),
        (["long"], r"the connection was cut.*are here and kept", len(CONTENT)),
        (["busy"], r"503", 0),
    ],
)
def test_a_download_that_fails_says_what_is_kept(
    served: Served, tmp_path: Path, ways: list[str], words: str, kept: int
) -> None:
    served.ways = ways
    with pytest.raises(UserError, match=words):
        fetch(file(served, sha256=""), tmp_path / "a.bin")
    assert not (tmp_path / "a.bin").exists()
    part = tmp_path / "a.bin.part"
    assert (part.stat().st_size if part.exists() else 0) == kept
    assert len(served.asked) < 8


def test_a_server_that_promises_too_little_is_found_out_by_the_sum(served: Served, tmp_path: Path) -> None:
    served.ways = ["short"]
    with pytest.raises(UserError, match="another file than expected"):
        fetch(file(served), tmp_path / "a.bin")
    assert left(tmp_path) == []


def test_without_a_net_it_fails_at_once(tmp_path: Path) -> None:
    lost = PublishedFile("a.bin", "", 0, "http://127.0.0.1:9/a.bin")
    with pytest.raises(UserError, match=r"a\.bin \(size unknown\) from a machine that has one into"):
        fetch(lost, tmp_path / "a.bin")
    assert left(tmp_path) == []


def test_a_disk_without_room_is_told_before(served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 1_000_000}))
    with pytest.raises(UserError, match=r"2 MB are needed there, and 1 MB are free.*LIMNER_CACHE"):
        fetch(file(served), tmp_path / "a.bin")
    assert not (tmp_path / "a.bin").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_disk_that_fills_up_is_told(served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.bin.part").symlink_to("/dev/full")
    monkeypatch.setattr("limner.core.fetching._Part.begin", lambda self, note: None)
    with pytest.raises(UserError, match="No space left on device"):
        fetch(file(served), tmp_path / "a.bin")
    assert not (tmp_path / "a.bin").exists()


def test_two_processes_do_not_fetch_one_file(served: Served, tmp_path: Path) -> None:
    with filelock.FileLock(tmp_path / ".a.bin.lock"), pytest.raises(UserError, match="another process is fetching"):
        fetch(file(served), tmp_path / "a.bin")


@pytest.mark.skipif(os.name != "posix", reason="there is no such signal here")
def test_killed_in_the_middle_and_run_again(served: Served, tmp_path: Path) -> None:
    served.ways = ["drip", "well"]
    program = (
        "import sys; from pathlib import Path; from limner.core.fetching import PublishedFile, fetch\n"
        "fetch(PublishedFile('a.bin', '', 0, sys.argv[1]), Path(sys.argv[2]))"
    )
    target, part = tmp_path / "a.bin", tmp_path / "a.bin.part"
    words = [sys.executable, "-c", program, served.url("a.bin"), str(target)]
    with subprocess.Popen(words, stderr=subprocess.DEVNULL) as process:
        try:
            wait_until(lambda: part.exists() and part.stat().st_size > 0)
        finally:
            process.send_signal(signal.SIGKILL)
    came = part.stat().st_size
    assert 0 < came < len(CONTENT) and not target.exists()
    assert fetch(file(served, sha256=""), target) == SHA256
    assert served.asked == ["", f"bytes={came}-"] and left(tmp_path) == ["a.bin"]
