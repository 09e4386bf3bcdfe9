"""Builds the documentation into site/ and checks every link in it: `make docs`."""

from __future__ import annotations

import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).resolve().parents[1]
LOADED = {"script", "img", "iframe", "source", "video", "audio", "link"}  # tags whose address a browser fetches
NOT_LOADED = {"canonical", "next", "prev"}  # links of the head that it does not


class Page(HTMLParser):
    """What one page links to (tag, address), and the anchors that others may link to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[tuple[str, str]] = []
        self.anchors: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the addresses and anchors of a tag."""
        values = dict(attrs)
        self.anchors |= {name for name in (values.get("id"), values.get("name")) if name}
        if tag == "link" and values.get("rel") in NOT_LOADED:
            tag = "a"
        self.links += [(tag, address) for key in ("href", "src") if (address := values.get(key)) is not None]


def problems(site: Path) -> list[str]:
    """List the links that lead nowhere, and whatever a page would load from another host."""
    pages = {path: Page(path) for path in sorted(site.rglob("*.html"))}
    found = []
    for path, page in pages.items():
        for tag, address in page.links:
            parts = urlsplit(address)
            where = f"{path.relative_to(site).as_posix()}: {address}"
            if parts.scheme == "data":
                continue
            if parts.scheme or parts.netloc:
                found += [f"{where} is loaded from elsewhere"] if tag in LOADED else []
                continue
            base = site / parts.path.lstrip("/") if parts.path.startswith("/") else path.parent / unquote(parts.path)
            target = path if not parts.path else base.resolve()
            target = target / "index.html" if target.is_dir() else target
            if not target.is_file():
                found.append(f"{where} leads nowhere")
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors:
                found.append(f"{where} has no such anchor")
    return found


def main(root: Path = ROOT) -> int:
    """Build strictly, then check; returns the exit code."""
    build = [sys.executable, "-m", "zensical", "build", "--strict", "--clean"]
    if subprocess.run(build, cwd=root, check=False).returncode:
        return 1
    found = problems(root / "site")
    sys.stderr.write("".join(f"{problem}\n" for problem in found))
    if found:
        return 1
    sys.stdout.write(f"{root / 'site' / 'index.html'}: every link leads somewhere\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
