"""Weights are found where they should be, fetched only when asked, and never used when they are others."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import http.server
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from limner.core.errors import UserError
from limner.core.fetching import PublishedFile, cache_folder
from limner.core.weights import LPIPS_ALEX, WEIGHTS, Weights, find

CONTENT = bytes(range(256)) * 9_000  # 2.3 MB: more than one chunk
SHA256 = hashlib.sha256(CONTENT).hexdigest()
OTHER = b"not these"


class Server(http.server.ThreadingHTTPServer):
    asked: int = 0


class Handler(http.server.SimpleHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Server)
        self.server.asked += 1
        super().do_GET()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, Server]]:
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "good.bin").write_bytes(CONTENT)
    (folder / "bad.bin").write_bytes(OTHER)
    server = Server(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LIMNER_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("LIMNER_DATA", raising=False)
    return tmp_path / "cache" / "weights"


def wanted(url: str = "", **settings: object) -> Weights:
    files = (PublishedFile("ours.bin", SHA256, len(CONTENT)), PublishedFile("public.bin", SHA256, len(CONTENT), url))
    return Weights("a test", files, flag="--weights", **settings)  # pyright: ignore[reportArgumentType]


def put(folder: Path, name: str, content: bytes = CONTENT) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)
    return folder / name


def test_looks_at_the_data_folder_before_the_cache(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = put(cache, "public.bin")
    assert find(wanted()) == kept
    monkeypatch.setenv("LIMNER_DATA", str(tmp_path / "data"))
    assert find(wanted()) == kept
    ours = put(tmp_path / "data" / "weights", "ours.bin")
    assert find(wanted()) == ours


def test_the_cache_has_a_place_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LIMNER_CACHE", raising=False)
    assert cache_folder().name.lower() == "limner" or "limner" in cache_folder().parts


def test_a_given_file_or_folder_is_the_only_place(cache: Path, tmp_path: Path) -> None:
    put(cache, "ours.bin")
    elsewhere = put(tmp_path / "elsewhere", "ours.bin")
    assert find(wanted(), elsewhere) == elsewhere
    assert find(wanted(), elsewhere.parent) == elsewhere
    renamed = put(tmp_path, "renamed.bin")
    assert find(wanted(), renamed) == renamed
    with pytest.raises(UserError, match=r"missing\.bin: there is no such file.*ours\.bin, public\.bin"):
        find(wanted(), tmp_path / "missing.bin", download=True)
    with pytest.raises(UserError, match=r"holds none of ours\.bin, public\.bin"):
        find(wanted(), tmp_path)


def test_a_wrong_hash_is_refused_with_both(cache: Path, tmp_path: Path) -> None:
    found = hashlib.sha256(OTHER).hexdigest()
    for path, given in ((put(cache, "ours.bin", OTHER), False), (put(tmp_path, "renamed.bin", OTHER), True)):
        with pytest.raises(UserError) as caught:
            find(wanted(), path if given else None)
        assert all(word in str(caught.value) for word in (str(path), found, SHA256, "fetch it again"))
        assert path.read_bytes() == OTHER


def test_an_unknown_name_is_left_to_a_reader_that_knows_the_content(tmp_path: Path) -> None:
    mine = put(tmp_path, "mine.bin", OTHER)
    assert find(wanted(by_content=True), mine) == mine
    with pytest.raises(UserError, match="SHA-256"):
        find(wanted(by_content=True), put(tmp_path, "public.bin", OTHER))


def test_absent_weights_say_what_to_do_and_fetch_nothing(
    cache: Path, served: tuple[str, Server], capsys: pytest.CaptureFixture[str]
) -> None:
    address, server = served
    with pytest.raises(UserError) as caught:
        find(wanted(f"{address}/good.bin"))
    for word in (f"{address}/good.bin", "(2 MB)", str(cache), "ours.bin, public.bin", "--download", "--weights"):
        assert word in str(caught.value)
    assert server.asked == 0 and not cache.exists() and capsys.readouterr() == ("", "")


def test_fetches_once(cache: Path, served: tuple[str, Server], capsys: pytest.CaptureFixture[str]) -> None:
    address, server = served
    path = find(wanted(f"{address}/good.bin"), download=True)
    assert path == cache / "public.bin" and path.read_bytes() == CONTENT
    assert f"{address}/good.bin (2 MB)" in capsys.readouterr().err
    assert find(wanted(f"{address}/good.bin"), download=True) == path
    assert server.asked == 1 and [file.name for file in cache.iterdir()] == ["public.bin"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("bad.bin", f"SHA-256 is {hashlib.sha256(OTHER).hexdigest()}, expected {SHA256}"),
        ("absent.bin", "absent.bin cannot be fetched: HTTP Error 404"),
    ],
)
def test_a_download_that_fails_leaves_nothing(cache: Path, served: tuple[str, Server], name: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        find(wanted(f"{served[0]}/{name}"), download=True)
    assert list(cache.iterdir()) == []


def test_offline(cache: Path) -> None:
    with socket.socket() as closed:  # bound but not listening: a connection is refused
        closed.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{closed.getsockname()[1]}/good.bin"
        with pytest.raises(UserError, match=r"good\.bin cannot be fetched: .*network.*copy public\.bin \(2 MB\)"):
            find(wanted(address), download=True)
    assert list(cache.iterdir()) == []


def parts_of_lpips(folder: Path, tensors: dict[str, torch.Tensor]) -> tuple[PublishedFile, ...]:
    """The two public files as they would be fetched: a trunk with layers too many, and the heads."""
    folder.mkdir()
    features = {name: tensor for name, tensor in tensors.items() if name.startswith("features.")}
    heads = {name.removeprefix("heads."): tensor for name, tensor in tensors.items() if name.startswith("heads.")}
    torch.save({**features, "classifier.1.weight": torch.zeros(2, 2)}, folder / "trunk.pth")
    torch.save(heads, folder / "heads.pth")
    paths = (folder / "trunk.pth", folder / "heads.pth")
    return tuple(
        PublishedFile(path.name, hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_size, path.as_uri())
        for path in paths
    )


def test_lpips_is_made_of_its_public_parts(cache: Path, tmp_path: Path) -> None:
    assert LPIPS_ALEX.make is not None
    tensors = {"features.0.weight": torch.arange(6.0), "heads.lin0.model.1.weight": torch.ones(3)}
    parts = parts_of_lpips(tmp_path / "parts", tensors)
    made = LPIPS_ALEX.make([tmp_path / "parts" / part.name for part in parts])
    file = dataclasses.replace(LPIPS_ALEX.files[0], sha256=hashlib.sha256(made).hexdigest())
    path = find(dataclasses.replace(LPIPS_ALEX, files=(file,), parts=parts), download=True)
    assert path == cache / file.name and [file.name for file in cache.iterdir()] == [path.name]
    assert {name: tensor.tolist() for name, tensor in load_file(path).items()} == {
        name: tensor.tolist() for name, tensor in tensors.items()
    }
    path.unlink()
    with pytest.raises(UserError, match=r"expected 0d71472b"):  # not the published numbers
        find(dataclasses.replace(LPIPS_ALEX, parts=parts), download=True)
    assert list(cache.iterdir()) == []
    with pytest.raises(UserError, match=r"no public address .*alexnet-owt-7be5be79.*244 MB.*alex\.pth.*6 kB"):
        find(LPIPS_ALEX)


def test_the_pins_fit_the_files_that_people_have(real_data: Path, tmp_path: Path) -> None:
    folder = real_data.parent / "weights"
    for name, weights in WEIGHTS.items():
        assert weights.name == name
        path = find(weights, folder)
        assert path.stat().st_size == next(file.size for file in weights.files if file.name == path.name)
    assert LPIPS_ALEX.make is not None
    parts = parts_of_lpips(tmp_path / "parts", load_file(folder / LPIPS_ALEX.files[0].name))
    made = LPIPS_ALEX.make([tmp_path / "parts" / part.name for part in parts])
    assert hashlib.sha256(made).hexdigest() == LPIPS_ALEX.files[0].sha256
