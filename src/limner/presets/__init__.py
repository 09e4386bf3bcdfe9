"""Recipes: functions that return a frozen TrainConfig. A variant that differs only in numbers lives here."""

from __future__ import annotations

import inspect
import re

from limner.core.config import TrainConfig
from limner.core.errors import unknown
from limner.core.registry import Registry

PRESETS = Registry(
    "preset",
    {
        "demo": "limner.presets.dcgan:demo",
        "dcgan": "limner.presets.dcgan:dcgan",
        "dcgan-digits": "limner.presets.dcgan:dcgan_digits",
        "dcgan-faces": "limner.presets.dcgan:dcgan_faces",
        "dcgan-faces-reduced": "limner.presets.dcgan:dcgan_faces_reduced",
        "hr-dcgan": "limner.presets.hr_dcgan:hr_dcgan",
        "hr-dcgan-digits": "limner.presets.hr_dcgan:hr_dcgan_digits",
        "hr-dcgan-faces": "limner.presets.hr_dcgan:hr_dcgan_faces",
        "acgan": "limner.presets.acgan:acgan",
        "acgan-digits": "limner.presets.acgan:acgan_digits",
        "wgan": "limner.presets.wgan:wgan",
        "wgan-gp": "limner.presets.wgan:wgan_gp",
        "wgan-gp-digits": "limner.presets.wgan:wgan_gp_digits",
        "degan": "limner.presets.degan:degan",
        "degan-digits": "limner.presets.degan:degan_digits",
        "r3gan": "limner.presets.r3gan:r3gan",
        "r3gan-tiny": "limner.presets.r3gan:r3gan_tiny",
        "pix2pix": "limner.presets.pix2pix:pix2pix",
        "pix2pix-paper": "limner.presets.pix2pix:pix2pix_paper",
        "pix2pix-maps": "limner.presets.pix2pix:pix2pix_maps",
        "pix2pix-plus": "limner.presets.pix2pix:pix2pix_plus",
        "mugshot": "limner.presets.pix2pix:mugshot",
        "cyclegan": "limner.presets.cyclegan:cyclegan",
        "cyclegan-sketch": "limner.presets.cyclegan:cyclegan_sketch",
        "discogan": "limner.presets.discogan:discogan",
        "cut": "limner.presets.cut:cut",
        "fastcut": "limner.presets.cut:fastcut",
    },
    group="limner.presets",
)


def get(name: str) -> TrainConfig:
    """Return the config of the preset called `name`; a plug-in method's name gives that method's defaults."""
    if name in PRESETS:
        return PRESETS.load(name)()
    methods = Registry("method", {}, group="limner.methods")
    if name in methods:
        return TrainConfig(preset=name, method=name, settings=methods.load(name).Settings())
    raise unknown("preset", name, [*PRESETS.names(), *methods.names()])


def describe(name: str) -> tuple[str, str]:
    """Return what a preset does in one sentence, and the paper it is from, both read from its docstring."""
    text = inspect.getdoc(PRESETS.load(name)) or ""
    source = re.search(r"^Source: (.+)$", text, re.MULTILINE)
    return text.partition("\n")[0], source[1].rstrip(".") if source else ""
