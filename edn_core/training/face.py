"""Face: a residual on the face crop, the full-image generator frozen (paper, section 3.3)."""

import torch
from torch import nn

from edn_core.dataset import crop_faces, face_share, paste_faces
from edn_core.losses import gan_loss
from edn_core.networks import face_discriminator, face_generator, initialize
from edn_core.training.stage import (
    Batch,
    Networks,
    Stage,
    Start,
    Terms,
    Weighting,
    both,
    discriminator_terms,
    generate,
)


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


def losses(networks: Networks, batch: Batch, weighting: Weighting) -> tuple[Terms, Terms]:
    """Face objective (paper, equation 3) over both frames of the pair, each in its own box.

    The first frame, face included, is what the second is fed; it is detached there, as the
    generator between them is frozen.
    """
    generator, face_network = networks["generator"], networks["face_generator"]
    judge = networks["face_discriminator"]
    side = weighting.face_side
    real, fake, face_labels = [], [], []
    every_filmed = both(batch, "filmed")
    previous = torch.zeros_like(batch["image"][:, 0])
    for i in range(2):
        label, image, boxes = (batch[name][:, i] for name in ("label", "image", "face_box"))
        with torch.no_grad():
            painted = generate(generator, label, previous)
        face_label, crop = crop_faces(label, boxes, side), crop_faces(painted.image, boxes, side)
        residual = face_network(torch.cat([face_label, crop], dim=1))
        if painted.matte is not None:
            residual = residual * face_share(painted.matte, boxes, side)
        face = crop + residual
        previous = paste_faces(painted.image, face.detach(), boxes).clamp(-1, 1)
        if (filmed := every_filmed[i]) is not None:
            face = face * crop_faces(filmed, boxes, side)
        real.append(crop_faces(image, boxes, side))
        fake.append(face)
        face_labels.append(face_label)
    labels, faces, truth = torch.cat(face_labels), torch.cat(fake), torch.cat(real)

    # Real and fake each in a pass of their own: the discriminator's batch normalization would mix
    # them. The fake one serves both sides.
    score_fake = judge(torch.cat([labels, faces], dim=1))
    score_real = judge(torch.cat([labels, truth], dim=1))
    gan = weighting.config.gan * gan_loss(score_fake, is_real=True)
    generator_terms = {"gan": gan} | weighting.image_term(faces, truth, frames=2)
    return generator_terms, discriminator_terms(score_real, score_fake)


FACE = Stage(
    name="face",
    build=build,
    losses=losses,
    generator="face_generator",
    discriminator="face_discriminator",
    needs_face=True,
    pairs_per_frame=4,
    architecture=None,
)
