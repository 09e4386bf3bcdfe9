"""One calm theme, light and dark, without a font or a script from elsewhere."""

from __future__ import annotations

from gradio.themes import Base
from gradio.themes.utils import colors, sizes

SANS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif")
MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")
THEME = Base(
    primary_hue=colors.blue,
    neutral_hue=colors.stone,
    radius_size=sizes.radius_md,
    font=SANS,
    font_mono=MONO,
).set(button_primary_background_fill="*primary_600", button_primary_background_fill_dark="*primary_600")
CSS = """
.gradio-container { max-width: 1180px !important; width: 100%; margin: 0 auto; }
.tabs, .tabitem { width: 100%; }
h1.name { font-size: 1.5rem; font-weight: 650; letter-spacing: -0.01em; margin: 0.2rem 0 0.4rem; }
h1.name span { font-weight: 400; opacity: 0.65; }
.soft { opacity: 0.75; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(320px, 1fr)); gap: 1rem; }
.plots figure { margin: 0; color: var(--body-text-color); }
.plots figcaption { font-weight: 600; margin-bottom: 0.2rem; }
.wide { overflow-x: auto; }
table.runs { width: 100%; border-collapse: collapse; font-size: 0.9rem; white-space: nowrap; }
table.runs, table.runs th, table.runs td { border: none !important; }
table.runs th { text-align: left; font-weight: 600; opacity: 0.7; padding: 0.3rem 0.9rem 0.3rem 0 !important; }
table.runs td { padding: 0.4rem 0.9rem 0.4rem 0 !important; }
table.runs tbody tr { border-top: 1px solid var(--border-color-primary) !important; }
table.runs td:last-child { white-space: normal; min-width: 12rem; }
table.runs tr.trains td { font-weight: 600; }
table.runs tr.broken td { opacity: 0.7; }
#grid .grid-container { grid-template-columns: repeat(var(--grid-cols), minmax(0, 1fr)) !important; }
#grid img, #result img { image-rendering: pixelated; }
iframe.page { width: 100%; height: 75vh; border: 1px solid var(--border-color-primary); border-radius: 6px; }
@media (max-width: 480px) { .gradio-container { padding: 0.5rem !important; } }
"""
