"""A studio over two tiny trained models, in a process of its own, and a browser that looks at it."""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import tiny
from limner.commands.train import train

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
ARGUMENTS += ["--disable-component-update", "--disable-sync"]
PATIENCE = 120  # seconds: a loaded machine takes long to import Gradio


@dataclasses.dataclass(frozen=True)
class Server:
    """A studio that runs: its address, its runs folder, its process."""

    address: str
    runs: Path
    process: subprocess.Popen[str]


def start(runs: Path, *words: str) -> Server:
    """Start `limner studio` and wait until it says where it is."""
    pytest.importorskip("gradio", reason="needs Gradio: pip install 'limner[studio]'")
    with socket.create_server(("127.0.0.1", 0)) as free:  # other tests start studios at the same time
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "limner", "studio", "--runs", str(runs), "--port", str(port), "--no-browser"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        [*command, *words], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    until, said = time.monotonic() + PATIENCE, ""
    while time.monotonic() < until and process.poll() is None:
        said += process.stdout.readline()
        found = re.search(r"open at (http://\S+?)/? ", said)
        if found:
            return Server(found[1], runs, process)
    process.kill()
    raise AssertionError(f"the studio did not start: {said}")


def end(server: Server) -> None:
    """Stop it as Ctrl-C does."""
    assert server.process.stdout is not None
    server.process.terminate()
    server.process.wait(30)
    server.process.stdout.close()


@pytest.fixture(scope="session")
def models(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A runs folder with a model that generates, one that translates, and one that is broken."""
    runs = tmp_path_factory.mktemp("studio") / "runs"
    train(tiny.command("dcgan", pictures, runs / "discs"))
    train(tiny.command("pix2pix", pictures, runs / "negatives"))
    shutil.copytree(runs / "discs", runs / "broken")
    (runs / "broken" / "model.safetensors").write_bytes(b"not a model")
    return runs


@pytest.fixture(scope="session")
def server(models: Path) -> Iterator[Server]:
    """The studio over these models."""
    server = start(models)
    yield server
    end(server)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Debian's Chromium, driven by Playwright."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs Playwright: pip install playwright")
    if CHROMIUM is None:
        pytest.skip("needs a Chromium: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield opened
        opened.close()
