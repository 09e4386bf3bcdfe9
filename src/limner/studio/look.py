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
).set(
    body_background_fill="*neutral_50",
    body_background_fill_dark="*neutral_950",
    block_background_fill="white",
    block_background_fill_dark="*neutral_900",
    block_border_color="*neutral_200",
    block_border_color_dark="*neutral_800",
    button_primary_background_fill="*primary_600",
    button_primary_background_fill_dark="*primary_600",
    button_large_text_size="*text_md",
    button_large_text_weight="500",
    button_large_padding="*spacing_md *spacing_xl",
)
# Gradio gives pictures in sliders and galleries no words: they get those of their caption, or of the box they are in.
ALT_TEXTS = """() => {
  document.documentElement.lang = 'en';
  const name = () => document.querySelectorAll('.gradio-container img:not([alt]), .gradio-container img[alt=""]')
    .forEach((picture, i) => {
      const slider = picture.closest('#result'), cell = picture.closest('.gallery-item');
      const words = slider ? (picture === slider.querySelector('img') ? 'before or after' : 'after or before')
        : cell ? (cell.querySelector('.caption-label') || cell.querySelector('button') || {}).innerText : '';
      picture.alt = (words || '').trim() || 'picture';
    });
  name();
  new MutationObserver(name).observe(document.body, {childList: true, subtree: true});
}"""
CSS = """
.gradio-container { max-width: 1180px !important; width: 100%; margin: 0 auto; }
.tabs, .tabitem { width: 100%; }
h1.name { font-size: 1.4rem; font-weight: 650; letter-spacing: -0.01em; margin: 0.4rem 0 0.2rem; }
h1.name span { font-weight: 400; opacity: 0.65; }
.bare, .bare .html-container { padding: 0 !important; }
footer .divider { display: none; }
.soft { opacity: 0.8; }
.soft, .soft p { font-size: 0.9rem; }
.empty { max-width: 42rem; padding: 2.5rem 0 4rem; }
.broken p { color: var(--error-text-color); font-size: 0.9rem; }
button.link { color: var(--link-text-color); font-weight: 600; cursor: pointer; }
button.link:hover { text-decoration: underline; }
:is(button, input, select, textarea, a, [tabindex]):focus-visible {
  outline: 2px solid var(--color-accent) !important; outline-offset: 2px; }
.slim, .slim button { align-self: flex-end; }

.models { padding: 0 !important; border: none !important; background: none !important; }
.models :is(.gallery-container, .grid-wrap), #grid .gallery-container { min-height: 0 !important; }
.models .grid-wrap { height: auto !important; max-height: none !important; padding: 4px !important; }
.models .grid-container { display: flex !important; overflow-x: auto; gap: 0.75rem; padding: 4px; }
.models .gallery-item { flex: 0 0 104px; }
.models .thumbnail-item { width: 104px; height: auto; aspect-ratio: auto; border: none; background: none; }
.models .thumbnail-item img { width: 104px; height: 104px; object-fit: cover; border-radius: 6px; }
.models .caption-label { position: static; max-width: 104px; padding: 0.2rem 0; background: none; border: none;
  color: var(--body-text-color); font-size: 0.8rem; text-align: center; overflow: hidden; text-overflow: ellipsis; }
.models .thumbnail-item, .models .thumbnail-item:is(.selected, :hover) {
  box-shadow: none !important; border: none !important; overflow: visible; }
.models .thumbnail-item.selected img { outline: 3px solid var(--color-accent); outline-offset: 1px; }

#grid .grid-wrap { height: auto !important; min-height: 0 !important; max-height: none !important; }
#grid .grid-container { grid-template-columns: repeat(var(--grid-cols), minmax(0, 1fr)) !important; gap: 6px;
  grid-auto-rows: auto !important; height: auto !important; align-content: start; }
#grid .gallery-item { height: auto !important; }
#film img { width: 100%; height: 100%; object-fit: contain; }
#grid .thumbnail-item { aspect-ratio: auto !important; height: auto !important; }
#grid .thumbnail-item img { height: auto; }
#grid .thumbnail-item { position: relative; display: block; }
#grid .caption-label { position: absolute; opacity: 0; left: 2px; bottom: 2px; font-size: 0.7rem; padding: 0 4px; }
#grid .thumbnail-item:is(:hover, :focus-visible) .caption-label { opacity: 1; }
.sharp img { image-rendering: pixelated; }

.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(320px, 100%), 1fr)); gap: 1.2rem; }
.plots figure { margin: 0; color: var(--body-text-color); min-width: 0; }
.plots svg { max-width: 100%; height: auto; }
.plots figcaption { font-weight: 600; margin-bottom: 0.2rem; }
.wide { overflow-x: auto; }
table.runs { width: 100%; border-collapse: collapse; font-size: 0.88rem; white-space: nowrap;
  font-variant-numeric: tabular-nums; }
table.runs th { text-align: left; font-weight: 500; opacity: 0.65; padding: 0.3rem 0.9rem 0.3rem 0; }
table.runs td { padding: 0.5rem 0.9rem 0.5rem 0; border-top: 1px solid var(--border-color-primary); }
table.runs td:last-child { white-space: normal; min-width: 10rem; }
table.runs tr:is(.broken, .failed) td:last-child { color: var(--error-text-color); min-width: 16rem; }
table.runs .bar { display: block; width: 6.5rem; height: 4px; margin-top: 3px; border-radius: 2px;
  background: var(--border-color-primary); overflow: hidden; }
table.runs .bar i { display: block; height: 100%; background: var(--color-accent); }
.state { display: inline-block; padding: 0 0.5rem; border-radius: 1rem; border: 1px solid var(--border-color-primary); }
.trains .state { color: white; background: #1d6fdc; border-color: #1d6fdc; }
#seen ul { margin: 0.3rem 0 0.6rem 1.2rem; list-style: disc; }
#seen p { margin: 0.3rem 0; }
iframe.page { width: 100%; height: 75vh; border: 1px solid var(--border-color-primary); border-radius: 6px;
  background: white; }
@media (max-width: 480px) {
  .gradio-container { padding: 0.5rem !important; }
  #grid .grid-container { grid-template-columns: repeat(4, minmax(0, 1fr)) !important; }
  .many #grid .grid-container, #grid.square .grid-container {
    grid-template-columns: repeat(var(--grid-cols), minmax(0, 1fr)) !important; gap: 2px; }
}
"""
