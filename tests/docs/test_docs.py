"""What the documentation shows works: its commands parse, its plug-ins train, its links lead somewhere."""

from __future__ import annotations

import ast
import dataclasses
import importlib.util
import inspect
import re
import shlex
import sys
import tarfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

import limner
from limner import api, cli, presets
from limner.core.registry import Registry
from limner.core.runs import Run
from limner.presets.overlay import overlay

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(DOCS.glob("*.md"))]
PLUGINS = [DOCS / "add-a-method.md", DOCS / "add-a-source.md"]
TINY = ["--batch", "8", "--frames", "2", "--threads", "1", "--show", "quiet"]


@dataclasses.dataclass(frozen=True)
class Block:
    """One fenced block of a page."""

    page: Path
    language: str
    title: str
    text: str


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page."""
    found = re.findall(r"^```(\w+)([^\n]*)\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    titles = [re.search(r'title="(.+?)"', options) for _, options, _ in found]
    return [
        Block(page, language, title[1] if title else "", text)
        for (language, _, text), title in zip(found, titles, strict=True)
    ]


BLOCKS = [block for page in PAGES for block in blocks(page)]


def commands() -> Iterator[tuple[str, list[str]]]:
    """Every command line of limner's in the pages: where it stands, and its words after `limner`."""
    for block in BLOCKS:
        if block.language != "sh":
            continue
        for line in block.text.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words and words[0] == "torchrun":
                words = words[words.index("-m") + 1 :]
            if words and Path(words[0]).name == "limner":
                yield block.page.name, words[1:]


COMMANDS = list(commands())
QUICK = [words for _, words in COMMANDS if words[0] in ("presets", "show", "--help", "--version")]


@pytest.fixture(scope="module")
def plugins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The packages of the plug-in pages, as installed: their files and their entry points on the path."""
    folder, before = tmp_path_factory.mktemp("packages"), set(sys.modules)
    for page in PLUGINS:
        files = {block.title: block.text for block in blocks(page) if block.title}
        project = tomllib.loads(files.pop("pyproject.toml"))
        assert [f"{name}.py" for name in project["tool"]["setuptools"]["py-modules"]] == list(files)
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
        name, version = project["project"]["name"], project["project"]["version"]
        installed = folder / f"{name.replace('-', '_')}-{version}.dist-info"
        installed.mkdir()
        (installed / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (installed / "entry_points.txt").write_text(
            "".join(
                f"[{group}]\n" + "".join(f"{point} = {target}\n" for point, target in points.items())
                for group, points in project["project"]["entry-points"].items()
            )
        )
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        _forget_plugins()
        yield
    _forget_plugins()
    for name in set(sys.modules) - before:
        if str(folder) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def _forget_plugins() -> None:
    from limner.data import SOURCES
    from limner.methods import METHODS

    for registry in (METHODS, SOURCES, presets.PRESETS):
        assert isinstance(registry, Registry)
        vars(registry).pop("_plugins", None)


def parse(words: list[str]) -> Any:
    """What the command line makes of these words, without doing it."""
    if words[0].startswith("-"):
        assert words[0] in ("--help", "--version")
        return None
    place = cli.COMMANDS[words[0]][0]
    if words[0] == "prepare":
        place, words = cli.PREPARE[words[1]][0], words[1:]
    module, flags, _ = place.split(":")
    if words[0] == "train":
        return cli._parse_train(words[1:])
    return cli._parse(getattr(importlib.import_module(module), flags), words[0], words[1:])


def train(words: list[str], out: Path, *more: str) -> Run:
    """Run a page's training command, made tiny by flags that follow it."""
    assert cli.main([*words, *TINY, "--images", "32", "--size", "12", "--out", str(out), *more]) == 0
    return Run(out)


@pytest.mark.parametrize(("page", "words"), COMMANDS, ids=lambda value: value if isinstance(value, str) else None)
def test_every_command_in_the_pages_parses(page: str, words: list[str], plugins: None) -> None:
    try:
        parse(words)
    except SystemExit as stop:
        assert stop.code == 0 and "--help" in words, f"{page}: limner {shlex.join(words)}"


@pytest.mark.parametrize("words", QUICK, ids=shlex.join)
def test_quick_commands_run(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(words) == 0
    assert capsys.readouterr().out


def test_pages_show_every_command_and_only_targets_that_make_has() -> None:
    assert {words[0] for _, words in COMMANDS} >= cli.COMMANDS.keys()
    targets = set(re.findall(r"^(\w+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
    shown = {target for block in BLOCKS for target in re.findall(r"^make (\w+)", block.text, re.MULTILINE)}
    assert shown <= targets


def test_python_in_the_pages_calls_what_there_is() -> None:
    for block in BLOCKS:
        if block.language != "python":
            continue
        for call in (node for node in ast.walk(ast.parse(block.text)) if isinstance(node, ast.Call)):
            owner = call.func.value if isinstance(call.func, ast.Attribute) else None
            if not (isinstance(owner, ast.Name) and owner.id == "limner"):
                continue
            function = getattr(limner, call.func.attr)  # type: ignore[attr-defined]
            keywords = {word.arg: word.value for word in call.keywords if word.arg}
            inspect.signature(function).bind(*call.args, **keywords)
            if function is api.train:
                own = inspect.signature(function).parameters
                settings = {name: ast.literal_eval(value) for name, value in keywords.items() if name not in own}
                overlay(presets.get(ast.literal_eval(call.args[0])), **settings)


def test_a_method_as_the_page_writes_it_trains_resumes_and_generates(tmp_path: Path, plugins: None) -> None:
    words = next(words for page, words in COMMANDS if page == "add-a-method.md" and words[0] == "train")
    run = train(words, tmp_path / "run")
    assert run.read_config()["config"]["method"] == "mlp"
    assert run.read_config()["config"]["settings"]["width"] == 512
    assert [line["images"] for line in run.metrics() if line["kind"] == "log"] == [8, 16, 24, 32]
    assert train(words, run.folder).sample_sheets()
    told = (DOCS / "run-folder.md").read_text(encoding="utf-8")
    assert not [path.name for path in run.folder.iterdir() if f"`{path.name}" not in told]
    made = limner.load(run.folder).generate(count=3)
    assert made.array.shape == (3, 12, 12, 1)


@pytest.mark.parametrize("name", ["faces.npz", "holiday.tar"])
def test_sources_as_the_page_writes_them_train(tmp_path: Path, name: str, plugins: None) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (9, 12, 12, 3), dtype=np.uint8)
    np.savez(tmp_path / "faces.npz", images=pixels, labels=np.arange(9) % 3)
    (tmp_path / "days").mkdir()
    for index, array in enumerate(pixels):
        Image.fromarray(array).save(tmp_path / "days" / f"{index}.png")
    (tmp_path / "days" / "broken.png").write_bytes(b"no picture")
    with tarfile.open(tmp_path / "holiday.tar", "w") as archive:
        archive.add(tmp_path / "days", "days")
    words = next(words for _, words in COMMANDS if any(word.endswith(name) for word in words))
    data = next(word for word in words if word.endswith(name)).replace(name, str(tmp_path / name))
    found = train(words, tmp_path / "run", "--data", data, "--filters", "4").read_config()["resolved"]["data"]
    assert (found["count"], found["channels"]) == (9, 3)
    if name == "faces.npz":
        assert found["classes"] == ["0", "1", "2"] and found["skipped"] == 0
    else:
        assert found["classes"] == [] and found["skipped"] == 1


def _module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"docs_{name}", DOCS / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_reference_is_what_the_code_says() -> None:
    reference = _module("reference")
    assert (DOCS / "reference.md").read_text(encoding="utf-8") == reference.render(), (
        "docs/reference.md is stale: run `python docs/reference.py`"
    )


def test_the_readme_lists_the_presets_as_they_are() -> None:
    reference, text = _module("reference"), (ROOT / "README.md").read_text(encoding="utf-8")
    assert "\n".join(reference.preset_rows()) in text


def test_pages_name_every_format_and_every_folder_of_the_code() -> None:
    from limner.data import SOURCES

    formats, design = ((DOCS / name).read_text(encoding="utf-8") for name in ("data.md", "design.md"))
    assert not [name for name in SOURCES.entries if f"| `{name}` |" not in formats]
    folders = [path.parent.name for path in (ROOT / "src/limner").glob("*/__init__.py")]
    assert not [name for name in folders if f"`{name}`" not in design]


def test_links_between_files_lead_somewhere() -> None:
    for page in PAGES:
        text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
        for address in re.findall(r'\]\(([^)#\s]+)|(?:src|href)="([^"#]+)"', text):
            link = "".join(address)
            target = page.parent / link
            if "://" not in link:
                assert target.exists(), f"{page.name}: {link}"


def test_the_link_check_finds_what_is_broken(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text('<p id="here"></p><a href="b.html#there">b</a><a href="#here">a</a>')
    (tmp_path / "b.html").write_text('<a href="a.html#gone">a</a><img src="none.png"><script src="https://x.org/y.js">')
    found = _module("build").problems(tmp_path)
    assert [problem.split(": ")[1].split(" ", 1) for problem in found] == [
        ["b.html#there", "has no such anchor"],
        ["a.html#gone", "has no such anchor"],
        ["none.png", "leads nowhere"],
        ["https://x.org/y.js", "is loaded from elsewhere"],
    ]


def test_the_site_builds(tmp_path: Path) -> None:
    pytest.importorskip("zensical")
    for path in [ROOT / "mkdocs.yml", *(path for path in DOCS.rglob("*") if path.is_file())]:
        copy = tmp_path / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    assert _module("build").main(tmp_path) == 0
    assert (tmp_path / "site" / "tour.html").is_file()
