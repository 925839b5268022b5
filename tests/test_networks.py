import pytest
import torch

from edn_core.config import NetworkConfig
from edn_core.errors import Refused
from edn_core.losses import perceptual_loss
from edn_core.networks import (
    FaceDiscriminator,
    GlobalGenerator,
    MattedGenerator,
    Vgg19Features,
    discriminator,
    initialize,
    read_vgg19,
    widen_discriminator_for_pairs,
)
from edn_core.store import file_sha256

TINY = NetworkConfig(
    generator_channels=4,
    downsamplings=2,
    residual_blocks=1,
    discriminator_channels=4,
    discriminator_scales=2,
    face_generator_channels=4,
    face_downsamplings=2,
    face_residual_blocks=1,
    face_discriminator_channels=4,
)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, generator=seeded(seed)) * 2 - 1


class Constant(torch.nn.Module):
    """Stands where the painting network stands: every pixel gets the same four values."""

    def __init__(self, *values: float) -> None:
        super().__init__()
        self.values = torch.tensor(values).view(1, -1, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.values.expand(len(x), -1, *x.shape[-2:])


@pytest.mark.parametrize("size", [(18, 16), (16, 18), (4, 16)])
def test_a_size_the_generator_cannot_halve_is_refused_and_named(size):
    network = GlobalGenerator(6, 3, 4, downsamplings=2, residual_blocks=1)
    message = rf"{size[0]} x {size[1]} \(H x W\); both must be multiples of 4 and at least 8"
    with pytest.raises(ValueError, match=message):
        network(torch.zeros(1, 6, *size))


def test_the_mask_takes_the_colours_to_the_ground():
    # Outputs of -1, 0 and 1 are mattes of 0, 1/2 and 1.
    for mask, matte in ((-1.0, 0.0), (0.0, 0.5), (1.0, 1.0)):
        painted = MattedGenerator(Constant(0.5, -1.0, 0.25, mask))(torch.zeros(1, 6, 1, 2))
        assert painted.shape == (1, 4, 1, 2)
        assert painted[0, :, 0, 0].tolist() == [0.5 * matte, -matte, 0.25 * matte, matte]


def test_a_pair_of_equal_frames_scores_as_the_one_frame_did():
    label, image = random(1, 4, 32, 32, seed=1).abs(), random(1, 3, 32, 32, seed=2)
    single, pairs = discriminator(7, TINY), discriminator(14, TINY)
    initialize(single, seeded())
    pairs.load_state_dict(widen_discriminator_for_pairs(single.state_dict(), label_channels=4))
    for one, two in zip(
        single(torch.cat([label, image], dim=1)),
        pairs(torch.cat([label, label, image, image], dim=1)),
        strict=True,
    ):
        torch.testing.assert_close(one[-1], two[-1], atol=1e-5, rtol=0)


def test_weights_are_drawn_from_pix2pixhds_distributions():
    network = FaceDiscriminator(6, 32)
    initialize(network, seeded())
    weights = network.state_dict()
    assert weights["facemodel.5.weight"].std().item() == pytest.approx(0.02, rel=0.02)
    assert weights["facemodel.5.weight"].mean().abs().item() < 0.001
    assert weights["facemodel.6.weight"].mean().item() == pytest.approx(1, abs=0.01)
    assert weights["facemodel.6.bias"].abs().max() == 0


@pytest.fixture(scope="module")
def vgg19_file(tmp_path_factory):
    """Random weights in the shapes of torchvision's file, with a stand-in for its classifier."""
    network = Vgg19Features()
    initialize(network, seeded())
    path = tmp_path_factory.mktemp("vgg19") / "vgg19.pth"
    torch.save({**network.state_dict(), "classifier.0.bias": torch.zeros(1)}, path)
    yield path, file_sha256(path)
    path.unlink()


def test_vgg19_gives_five_layers_and_learns_nothing_itself(vgg19_file):
    path, sha256 = vgg19_file
    with pytest.raises(ValueError, match=f"SHA-256 begins {sha256[:8]}, expected 0bad"):
        read_vgg19(path, "0bad0bad")
    network = read_vgg19(path, sha256[:8])
    image = random(1, 3, 32, 32).requires_grad_()
    layers = network(image)
    assert [tuple(one.shape[1:]) for one in layers] == [
        (64, 32, 32),
        (128, 16, 16),
        (256, 8, 8),
        (512, 4, 4),
        (512, 2, 2),
    ]
    perceptual_loss(network, image, random(1, 3, 32, 32, seed=1)).backward()
    assert image.grad.abs().max() > 0
    assert all(one.grad is None for one in network.parameters())
    assert perceptual_loss(network, image, image).item() == 0


def test_a_file_that_is_no_vgg19_is_refused(tmp_path):
    path = tmp_path / "vgg19.pth"
    torch.save({"features.0.weight": torch.zeros(1)}, path)
    with pytest.raises(Refused, match=r"features.0.weight is of shape \(1,\), expected \(64, 3"):
        read_vgg19(path, file_sha256(path))
    path.write_bytes(b"")
    with pytest.raises(Refused, match=r"not readable \(EOFError\), expected VGG19's weights"):
        read_vgg19(path, "e3b0c442")  # SHA-256 of nothing
    with pytest.raises(Refused, match=r"No such file or directory.*training\.vgg19"):
        read_vgg19(tmp_path / "nowhere.pth", "dcbb9e9d")
