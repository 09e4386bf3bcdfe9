"""`limner fetch`: the list, what is known of one thing, and the way from a name to training."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from limner.cli import main
from limner.core import fetching, weights
from limner.core.fetching import PublishedFile
from limner.core.weights import Weights
from limner.data import catalog
from limner.data.catalog import PublicSet
from serving import Served, serving

IDX = bytes((0, 0, 8, 3, 0, 0, 0, 9, 0, 0, 0, 8, 0, 0, 0, 8)) + np.random.default_rng(0).bytes(9 * 64)
NETWORK = b"a network" * 1000


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setenv("LIMNER_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("LIMNER_DATA", raising=False)
    monkeypatch.setattr(fetching, "WAIT", 0.0)
    with serving({"train-images-idx3-ubyte.gz": gzip.compress(IDX), "net.bin": NETWORK}) as server:
        file = PublishedFile("train-images-idx3-ubyte.gz", "", 900, server.url("train-images-idx3-ubyte.gz"))
        toys = PublicSet("toys", "nine toys", "CC0", "Maker: Toys", "page", (file,), unpacks=False)
        stars = PublicSet("stars", "stars", "no passing on", "Maker", "page", by_hand="ask.")
        monkeypatch.setattr(catalog, "sets", lambda: {"toys": toys, "stars": stars})
        known = PublishedFile("net.bin", hashlib.sha256(NETWORK).hexdigest(), len(NETWORK), server.url("net.bin"))
        monkeypatch.setattr(weights, "WEIGHTS", {"net": Weights("a net", (known,), name="net", terms="MIT")})
        yield server


def test_the_list(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fetch"]) == 0
    said = capsys.readouterr().out
    assert "toys" in said and "by hand" in said and "net" in said and served.asked == []
    assert main(["fetch", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["toys"]["here"] is None and rows["toys"]["terms"] == "CC0" and rows.keys() == {"toys", "stars", "net"}


def test_what_is_known_is_shown_and_nothing_fetched(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fetch", "toys", "net", "--about"]) == 0
    said = capsys.readouterr().out
    assert all(word in said for word in (served.address, "CC0", "Maker: Toys", "MIT", "SHA-256")) and not served.asked


def test_sets_and_weights_come_and_are_found_again(
    served: Served, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fetch", "toys", "net", "--json"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out) == {
        "toys": str(tmp_path / "cache" / "data" / "toys"),
        "net": str(tmp_path / "cache" / "weights" / "net.bin"),
    }
    assert "CC0" in captured.err and "Maker: Toys" in captured.err
    assert main(["fetch", "toys", "net"]) == 0 and len(served.asked) == 2
    assert main(["inspect", "toys", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["parts"][0]["pictures"] == 9


def test_mistakes(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fetch", "toy"]) == 2
    assert "did you mean 'toys'" in capsys.readouterr().err
    assert main(["fetch", "stars"]) == 2
    assert "By hand: ask." in capsys.readouterr().err
    assert main(["fetch", "stars", "toys"]) == 2
    assert "stars could not be fetched" in capsys.readouterr().err
    assert catalog.folder_of("toys") is not None, "the others are fetched all the same"
