"""The detector's network: are these two consecutive frames synthetic?"""

from torch import nn

WIDENINGS = (1, 2, 4, 6)
"""Channels of the four resolutions, in multiples of the first."""


def detector(channels: int = 16) -> nn.Sequential:
    """A small convolutional classifier of pairs of frames; 16 ``channels`` give 211 000 weights.

    At each of four resolutions two 3 x 3 convolutions with batch normalization; then the mean over
    the picture and one linear layer. The first two work at full resolution, since what gives a
    generator away is fine: noise, edges, texture. Weights begin as PyTorch's defaults.

    (B, 6, H, W) in [-1, 1], the earlier frame first -> logits (B,), positive for synthetic; H and W
    at least 16.
    """
    layers: list[nn.Module] = []
    before = 6
    for number, widening in enumerate(WIDENINGS):
        width = channels * widening
        for stride in (1 if number == 0 else 2, 1):
            layers += [
                nn.Conv2d(before, width, 3, stride, 1, bias=False),
                # With group normalization it had learned nothing after 160 steps.
                nn.BatchNorm2d(width),
                nn.ReLU(inplace=True),
            ]
            before = width
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, 1), nn.Flatten(0)]
    return nn.Sequential(*layers)
