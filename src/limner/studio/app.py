"""The studio as one application: its pages, its looks, its doors."""

from __future__ import annotations

import os

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # before Gradio is imported: it asks then
os.environ["HF_HUB_OFFLINE"] = "1"

import gradio as gr
from starlette.middleware import Middleware

from limner.studio import choosing, generating, starting, translating, watching
from limner.studio.guard import Guard
from limner.studio.house import House
from limner.studio.look import ALT_TEXTS, CSS, THEME
from limner.studio.uploads import BYTES

TITLE = "limner studio"
EVERY = 5.0  # seconds between looks at the runs folder
KEPT = (3600, 24 * 3600)  # seconds: how often files are tidied, and how old they may grow
SESSIONS = 100  # pages and callers that are remembered, a quarter of a megabyte each; the oldest are forgotten first
WAITING = 40  # requests in the queue; who comes later is told that it is full


def build(house: House) -> gr.Blocks:
    """Put the pages together."""
    with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=KEPT) as blocks:
        gr.HTML('<h1 class="name">limner <span>studio</span></h1>', elem_classes="bare")
        refresh = gr.Timer(EVERY)
        with gr.Tabs(selected=_first_page(house)):
            with gr.Tab("Translate", id="translate"):
                translating.page(house, blocks, refresh)
            with gr.Tab("Generate", id="generate") as tab:
                generating.page(house, blocks, refresh, tab)
            with gr.Tab("Runs", id="runs"):
                watching.page(house, blocks, refresh)
            with gr.Tab("Train", id="train"):
                starting.page(house, blocks)
    blocks.queue(max_size=WAITING, default_concurrency_limit=1)
    return blocks


def _first_page(house: House) -> str:
    # the first one that has something to show
    for page, translates in (("translate", True), ("generate", False)):
        if choosing.models(house, translates):
            return page
    return "runs" if house.shelf.folders() else "train"


def open_doors(house: House, host: str, port: int, password: str | None, api_only: bool) -> tuple[str, gr.Blocks]:
    """Listen, and return the address and what serves it; the caller keeps the process alive."""
    os.environ["GRADIO_TEMP_DIR"] = str(house.files)
    local = host in ("127.0.0.1", "localhost", "::1")
    names = frozenset(("127.0.0.1", "localhost", "[::1]")) if local else None
    blocks = build(house)
    _, address, _ = blocks.launch(
        server_name=host,
        server_port=port,
        auth=("limner", password) if password else None,
        theme=THEME,
        css=CSS,
        js=ALT_TEXTS,
        footer_links=["api"],
        prevent_thread_lock=True,
        quiet=True,
        show_error=True,
        max_file_size=BYTES,
        ssr_mode=False,
        enable_monitoring=False,
        share=False,
        state_session_capacity=SESSIONS,
        app_kwargs={"middleware": [Middleware(Guard, names=names, api_only=api_only)]},
    )
    return str(address), blocks
