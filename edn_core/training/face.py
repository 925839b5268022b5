"""Face: a residual on the face crop, the full-image generator frozen (paper, section 3.3)."""

from typing import Any

import torch
from torch import nn

from edn_core.dataset import crop_faces, paste_faces
from edn_core.losses import gan_loss
from edn_core.networks import face_discriminator, face_generator, initialize
from edn_core.training.stage import Networks, Stage, Start, Terms, Weighting


def build(start: Start) -> dict[str, nn.Module]:
    """The frozen generator of the stage before, fresh face generator and face discriminator."""
    if start.previous is None:
        raise ValueError("the face stage starts from a trained generator: train the body first")
    networks: dict[str, nn.Module] = {
        "generator": start.previous.build()["generator"].requires_grad_(False),
        "face_generator": face_generator(start.label_channels, start.network),
        "face_discriminator": face_discriminator(start.label_channels, start.network),
    }
    initialize(networks["face_generator"], start.seed)
    initialize(networks["face_discriminator"], start.seed)
    return networks


def losses(networks: Networks, batch: dict[str, Any], weighting: Weighting) -> tuple[Terms, Terms]:
    """Face objective (paper, equation 3) over both frames of the pair, each in its own box.

    The first frame, face included, is what the second is fed; it is detached there, as the
    generator between them is frozen.
    """
    generator, face_network = networks["generator"], networks["face_generator"]
    judge = networks["face_discriminator"]
    real, fake, face_labels = [], [], []
    previous = torch.zeros_like(batch["image"][:, 0])
    for i in range(2):
        label, image, boxes = (batch[name][:, i] for name in ("label", "image", "face_box"))
        with torch.no_grad():
            output = generator(torch.cat([label, previous], dim=1))
        face_label, crop = crop_faces(label, boxes), crop_faces(output, boxes)
        face = crop + face_network(torch.cat([face_label, crop], dim=1))
        previous = paste_faces(output, face.detach(), boxes).clamp(-1, 1)
        real.append(crop_faces(image, boxes))
        fake.append(face)
        face_labels.append(face_label)
    labels, faces, truth = torch.cat(face_labels), torch.cat(fake), torch.cat(real)

    score_fake = judge(torch.cat([labels, faces], dim=1))
    generator_terms = {
        "gan": weighting.config.gan * gan_loss(score_fake, is_real=True)
    } | weighting.image_term(faces, truth, frames=2)
    discriminator_terms = {
        "real": 0.5 * gan_loss(judge(torch.cat([labels, truth], dim=1)), is_real=True),
        "fake": 0.5 * gan_loss(judge(torch.cat([labels, faces.detach()], dim=1)), is_real=False),
    }
    return generator_terms, discriminator_terms


FACE = Stage(
    name="face",
    build=build,
    losses=losses,
    generator="face_generator",
    discriminator="face_discriminator",
    needs_face=True,
)
