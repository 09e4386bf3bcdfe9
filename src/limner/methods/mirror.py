"""A generator and the discriminator that mirrors it, as settings and pictures ask for: what DCGAN and WGAN share."""

from __future__ import annotations

from limner.core.contract import Spec
from limner.core.errors import UserError
from limner.nets.dcgan import Discriminator, Generator, Ladder, ladder
from limner.presets.dcgan import MirrorSettings

LARGEST = 512


def mirror(
    settings: MirrorSettings, spec: Spec, norm: bool = True, clusters: int = 0
) -> tuple[Generator, Discriminator]:
    """Build both, for pictures of 1, 3 or 4 channels; `norm=False` leaves BatchNorm out of the discriminator.

    The generator's noise has `settings.latent` numbers and `clusters` more, of which only the largest counts.

    Errors: UserError when height or width is no multiple of 4 or beyond 512 px, or when the layers do not fit them.
    """
    height, width = spec.height, spec.width
    if height % 4 or width % 4 or not 4 <= min(height, width) <= max(height, width) <= LARGEST:
        near = [max(4, min(LARGEST, round(side / 4) * 4)) for side in (height, width)]
        raise UserError(
            f"a DCGAN makes pictures whose height and width are multiples of 4 from 4 to {LARGEST}, not "
            f"{height}x{width}: try --size {near[0]}x{near[1]}"
        )
    glasses = settings.glasses

    def plan(widths: tuple[int, ...], strides: tuple[int, ...]) -> Ladder:
        tall, wide = glasses * height, glasses * width
        return ladder(tall, wide, settings.filters, settings.kernel, widths, strides, settings.stride_one)

    try:
        if glasses < 1:
            raise ValueError(f"glasses of {glasses} leave nothing to see; 1 is off")
        up = down = plan(settings.widths, settings.strides)
        if settings.d_widths or settings.d_strides:
            down = plan(settings.d_widths or up.widths, settings.d_strides or up.strides)
        return (
            Generator(up, spec.channels, settings.latent, settings.activation, glasses, clusters),
            Discriminator(down, spec.channels, settings.activation, glasses, norm),
        )
    except ValueError as error:
        raise UserError(f"these layers do not fit pictures of {height}x{width}: {error}") from error
