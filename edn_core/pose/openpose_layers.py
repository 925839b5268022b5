"""Which convolutions OpenPose's networks consist of, and what each of them reads.

Cao et al., "Realtime Multi-Person 2D Pose Estimation using Part Affinity Fields" (2017): COCO-18;
Cao et al., "OpenPose: Realtime Multi-Person 2D Pose Estimation using Part Affinity Fields" (2019),
section 3.1: BODY_25; Simon et al., "Hand Keypoint Detection in Single Images using Multiview
Bootstrapping" (2017): hand, and face likewise. Layers have the names of the public weight files.
"""

from dataclasses import dataclass, replace

from edn_core.pose.grouping import PAF_LIMBS
from edn_core.skeleton import BODY_25, COCO_18, FACE_70, HAND_21, Skeleton


@dataclass(frozen=True)
class Layer:
    """A convolution with what follows it.

    Its name is that in the weight files. It reads the outputs of the layers named in ``inputs``,
    concatenated; without any, the image.
    """

    name: str
    kernel: int  # side; padded, so that the size stays
    inputs: tuple[str, ...]
    activation: str = "relu"  # or "prelu", or "" for none
    is_pooled: bool = False  # to half the size

    @property
    def slopes(self) -> str:
        """Name of its PReLU's slopes in the weight files."""
        return self.name.replace("conv", "prelu", 1)


@dataclass(frozen=True)
class Architecture:
    """Which convolutions a network has."""

    name: str  # as it is called in messages
    skeleton: Skeleton  # what its heatmaps show, one each, then one of the background
    layers: tuple[Layer, ...]  # in order of execution
    heatmaps: tuple[str, ...]  # names of the layers that give them, stage by stage
    pafs: tuple[str, ...] = ()  # likewise the part affinity fields; none for hand and face

    def n_outputs(self) -> dict[str, int]:
        """How many maps each of the layers in ``heatmaps`` and ``pafs`` gives."""
        outputs = dict.fromkeys(self.heatmaps, len(self.skeleton) + 1)
        if self.pafs:
            outputs |= dict.fromkeys(self.pafs, 2 * len(PAF_LIMBS[self.skeleton.name]))
        return outputs


_VGG = "conv1_1 conv1_2* conv2_1 conv2_2* conv3_1 conv3_2 conv3_3 conv3_4* conv4_1 conv4_2"


def _chain(names: str, kernel: int, inputs: tuple[str, ...] = ()) -> list[Layer]:
    """Layers one after another; those marked with * are pooled."""
    layers: list[Layer] = []
    for name in names.split():
        plain = name.rstrip("*")
        layers.append(Layer(plain, kernel, inputs, is_pooled=name != plain))
        inputs = (plain,)
    return layers


def _output(name: str, *inputs: str) -> Layer:
    """The last layer of a stage: maps may be negative."""
    return Layer(name, 1, inputs, activation="")


def _refinement(suffix: str, inputs: tuple[str, ...]) -> list[Layer]:
    """Five 7 x 7 convolutions and two 1 x 1."""
    names = [f"Mconv{number}_{suffix}" for number in range(1, 8)]
    wide = _chain(" ".join(names[:5]), 7, inputs)
    return [*wide, *_chain(names[5], 1, (names[4],)), _output(names[6], names[5])]


def coco_18(stages: int = 6) -> Architecture:
    """The COCO-18 body network: branches L1 of PAFs and L2 of heatmaps, refined stage by stage."""
    layers = _chain(f"{_VGG} conv4_3_CPM conv4_4_CPM", 3)
    for branch in ("L1", "L2"):
        names = [f"conv5_{number}_CPM_{branch}" for number in range(1, 6)]
        layers += _chain(" ".join(names[:3]), 3, ("conv4_4_CPM",))
        layers += _chain(names[3], 1, (names[2],))
        layers.append(_output(names[4], names[3]))
    pafs, heatmaps = ["conv5_5_CPM_L1"], ["conv5_5_CPM_L2"]
    for stage in range(2, stages + 1):
        inputs = (pafs[-1], heatmaps[-1], "conv4_4_CPM")
        for branch, maps in (("L1", pafs), ("L2", heatmaps)):
            layers += _refinement(f"stage{stage}_{branch}", inputs)
            maps.append(f"Mconv7_stage{stage}_{branch}")
    return Architecture("COCO-18 body", COCO_18, tuple(layers), tuple(heatmaps), tuple(pafs))


def body_25(paf_stages: int = 4, heatmap_stages: int = 2) -> Architecture:
    """The BODY_25 network: PAF stages (L2) one after another, then heatmap stages (L1).

    A stage is five blocks of three convolutions, of which all three outputs are passed on, and two
    1 x 1 convolutions (Cao et al. 2019, figure 3).
    """
    features = _chain(f"{_VGG} conv4_3_CPM conv4_4_CPM", 3)
    layers = features[:-3] + [replace(layer, activation="prelu") for layer in features[-3:]]
    pafs, heatmaps = [], []
    inputs: tuple[str, ...] = ("conv4_4_CPM",)
    for stage in range(paf_stages):
        layers += _dense_stage(f"stage{stage}_L2", inputs)
        pafs.append(f"Mconv7_stage{stage}_L2")
        inputs = ("conv4_4_CPM", pafs[-1])
    for stage in range(heatmap_stages):
        layers += _dense_stage(f"stage{stage}_L1", inputs)
        heatmaps.append(f"Mconv7_stage{stage}_L1")
        inputs = ("conv4_4_CPM", heatmaps[-1], pafs[-1])
    return Architecture("BODY_25 body", BODY_25, tuple(layers), tuple(heatmaps), tuple(pafs))


def _dense_stage(suffix: str, inputs: tuple[str, ...]) -> list[Layer]:
    layers: list[Layer] = []
    for block in range(1, 6):
        names = tuple(f"Mconv{block}_{suffix}_{number}" for number in range(3))
        layers += _chain(" ".join(names), 3, inputs)
        inputs = names
    layers.append(Layer(f"Mconv6_{suffix}", 1, inputs))
    dense = [replace(layer, activation="prelu") for layer in layers]
    return [*dense, _output(f"Mconv7_{suffix}", f"Mconv6_{suffix}")]


def hand(stages: int = 6) -> Architecture:
    """The hand network, 21 points."""
    return _heatmaps_only("hand", HAND_21, stages)


def face(stages: int = 6) -> Architecture:
    """The face network, 70 points."""
    return _heatmaps_only("face", FACE_70, stages)


def _heatmaps_only(name: str, skeleton: Skeleton, stages: int) -> Architecture:
    layers = _chain(f"{_VGG} conv4_3 conv4_4 conv5_1 conv5_2 conv5_3_CPM", 3)
    layers += _chain("conv6_1_CPM", 1, ("conv5_3_CPM",))
    layers.append(_output("conv6_2_CPM", "conv6_1_CPM"))
    heatmaps = ["conv6_2_CPM"]
    for stage in range(2, stages + 1):
        layers += _refinement(f"stage{stage}", (heatmaps[-1], "conv5_3_CPM"))
        heatmaps.append(f"Mconv7_stage{stage}")
    return Architecture(name, skeleton, tuple(layers), tuple(heatmaps))
