"""A small three-scale U-Net of plain 3x3 residual blocks, for restoring RGB images.

Source: Ronneberger, Fischer, Brox, "U-Net", MICCAI 2015, https://arxiv.org/abs/1505.04597; the residual
blocks without normalization follow Zhang, Li, Zuo, Zhang, Van Gool, Timofte, "Plug-and-Play Image Restoration
with Deep Denoiser Prior" (DRUNet), TPAMI 2021, https://arxiv.org/abs/2008.13751 (authors' code MIT). Written
from the papers; no code was copied.

Where ours differs:
- the image enters through a PixelUnshuffle(2): a quarter of the positions, so a quarter of the cost;
- three scales, few channels, 1x1 convolution + PixelShuffle on the way up, added (not concatenated) skips;
- blind: no noise level goes in;
- nothing is averaged over space, so an output pixel depends on a finite neighborhood (`receptive_radius_px`)
  and an image may be restored in tiles.

NAF blocks (https://arxiv.org/abs/2204.04676) of about equal cost were tried instead. On one CPU thread their
training step takes nearly twice as long, and after 2.5 minutes they stood 1.3 dB behind (27.1 against 28.4 dB
at sigma 25), so for recipes of one core-hour plain convolutions were taken. A GPU may decide differently.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from torch import Tensor, nn
from torch.nn import functional

from pixelwright.errors import UsageError
from pixelwright.models.architecture import Architecture, Problem, Reading
from pixelwright.structures.spec import Tiling

MULTIPLE_PX = 8  # PixelUnshuffle(2), then two strides of 2: height and width must be multiples of this


@dataclass(frozen=True)
class Config:
    """Channels and numbers of residual blocks of the three scales (1/2, 1/4 and 1/8 of the input)."""

    channels: tuple[int, int, int] = (24, 48, 96)
    encoder_blocks: tuple[int, int] = (1, 1)  # at 1/2, then at 1/4
    middle_blocks: int = 1
    decoder_blocks: tuple[int, int] = (1, 2)  # at 1/4, then at 1/2
    image_channels: int = 3

    def __post_init__(self) -> None:
        if len(self.channels) != 3 or min(self.channels) < 1:
            raise ValueError(f"channels: expected three positive integers, got {self.channels!r}")
        if len(self.encoder_blocks) != 2 or len(self.decoder_blocks) != 2:
            raise ValueError(
                "encoder_blocks, decoder_blocks: expected two integers each, "
                f"got {self.encoder_blocks!r} and {self.decoder_blocks!r}"
            )


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions whose result is added to the input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        return features + self.second(functional.relu(self.first(features)))


def chain(channels: int, blocks: int) -> nn.Sequential:
    """`blocks` residual blocks, one after the other."""
    return nn.Sequential(*(ResidualBlock(channels) for _ in range(blocks)))


class ResUNet(nn.Module):
    """Maps an image `(N, C, H, W)`, 0..1, to its restoration of the same shape; H and W multiples of 8."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        fine, half, coarse = config.channels
        packed = 4 * config.image_channels
        self.head = nn.Conv2d(packed, fine, 3, padding=1)
        self.encoder_fine = chain(fine, config.encoder_blocks[0])
        self.down_half = nn.Conv2d(fine, half, 2, stride=2)
        self.encoder_half = chain(half, config.encoder_blocks[1])
        self.down_coarse = nn.Conv2d(half, coarse, 2, stride=2)
        self.middle = chain(coarse, config.middle_blocks)
        self.up_half = nn.Conv2d(coarse, 4 * half, 1)
        self.decoder_half = chain(half, config.decoder_blocks[0])
        self.up_fine = nn.Conv2d(half, 4 * fine, 1)
        self.decoder_fine = chain(fine, config.decoder_blocks[1])
        self.tail = nn.Conv2d(fine, packed, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        fine = self.encoder_fine(self.head(functional.pixel_unshuffle(image, 2)))
        half = self.encoder_half(self.down_half(fine))
        coarse = self.middle(self.down_coarse(half))
        half = self.decoder_half(functional.pixel_shuffle(self.up_half(coarse), 2) + half)
        fine = self.decoder_fine(functional.pixel_shuffle(self.up_fine(half), 2) + fine)
        return image + functional.pixel_shuffle(self.tail(fine), 2)


VARIANTS: Mapping[str, Config] = MappingProxyType({"small": Config()})  # 332,196 parameters, 18.0 kMAC/px


def receptive_radius_px(config: Config) -> int:
    """The farthest input pixel, in rows or columns, that can change an output pixel.

    A 3x3 convolution at 1/s of the input's size adds s, and the pixel's place in its cell 7 at the most; what goes down
    and up between the scales stays within a cell.
    """
    fine = 2 + 2 * (config.encoder_blocks[0] + config.decoder_blocks[1])  # head, tail, and two in each block
    half = 2 * (config.encoder_blocks[1] + config.decoder_blocks[0])
    return 2 * fine + 4 * half + 8 * 2 * config.middle_blocks + MULTIPLE_PX - 1


def build(config: Config) -> nn.Module:
    """A freshly initialized network of this configuration."""
    return ResUNet(config)


def fit(config: Config, problem: Problem) -> Config:
    """The configuration for the problem's channels.

    Raises:
        UsageError: The answer is to be larger than the picture.
    """
    if problem.scale != 1:
        raise UsageError(f"resunet: keeps the size of a picture, and {problem.scale} times it is wanted. Choose span.")
    return replace(config, image_channels=problem.channels)


def reading(config: Config, problem: Problem) -> Reading:
    """The picture itself; it can be cut into tiles."""
    del problem
    halo_px = -(-receptive_radius_px(config) // MULTIPLE_PX) * MULTIPLE_PX
    parameters = MappingProxyType({"output": "restored", "scale": 1})
    return Reading("image", parameters, tiling=Tiling(halo_px, MULTIPLE_PX), multiple_of=MULTIPLE_PX)


ARCHITECTURE = Architecture(
    name="resunet",
    summary="A U-Net of residual blocks without normalization, for pictures that keep their size.",
    tasks=frozenset({"enhance"}),
    source="https://arxiv.org/abs/2008.13751",
    variants=VARIANTS,
    fit=fit,
    build=build,
    outputs=("restored",),
    reading=reading,
    mean_std=(0.0, 1.0),
)
