"""Which convolutions OpenPose's networks consist of, and what each of them reads.

Cao et al., "Realtime Multi-Person 2D Pose Estimation using Part Affinity Fields" (2017): COCO-18;
Cao et al., "OpenPose: Realtime Multi-Person 2D Pose Estimation using Part Affinity Fields" (2019),
section 3.1: BODY_25; Simon et al., "Hand Keypoint Detection in Single Images using Multiview
Bootstrapping" (2017): hand, and face likewise. State-dict keys are those of the public weight
files.
"""

from dataclasses import dataclass, replace

from edn_core.pose.paf_layout import PAF_LAYOUTS
from edn_core.skeleton import BODY_25, COCO_18, FACE_70, HAND_21, Skeleton


@dataclass(frozen=True)
class Layer:
    """A convolution with what follows it.

    Attributes:
        key: of the convolution in the state dict; its last part is the layer's name.
        kernel: side of the (padded) kernel.
        inputs: names of the layers whose outputs it reads, concatenated; none: the image.
        activation: key of its PReLU; "relu"; or "" for none.
        is_pooled: whether its output is halved.
    """

    key: str
    kernel: int
    inputs: tuple[str, ...]
    activation: str = "relu"
    is_pooled: bool = False

    @property
    def name(self) -> str:
        """Name in the flat weight files."""
        return self.key.rpartition(".")[2]


@dataclass(frozen=True)
class Architecture:
    """Which convolutions a network has.

    Attributes:
        name: as it is called in messages.
        skeleton: what its heatmaps show, one each, then one of the background.
        layers: in order of execution.
        heatmaps: names of the layers that give them, stage by stage.
        pafs: likewise the part affinity fields; none for hand and face.
    """

    name: str
    skeleton: Skeleton
    layers: tuple[Layer, ...]
    heatmaps: tuple[str, ...]
    pafs: tuple[str, ...] = ()

    def n_outputs(self) -> dict[str, int]:
        """How many maps each of the layers in ``heatmaps`` and ``pafs`` gives."""
        outputs = dict.fromkeys(self.heatmaps, len(self.skeleton) + 1)
        if self.pafs:
            outputs |= dict.fromkeys(self.pafs, 2 * len(PAF_LAYOUTS[self.skeleton.name].limbs))
        return outputs


def _chain(folder: str, names: str, kernel: int, inputs: tuple[str, ...] = ()) -> list[Layer]:
    """Convolutions that read one another; a star marks one whose output is halved."""
    layers = []
    for name in names.split():
        layer = Layer(folder + name.rstrip("*"), kernel, inputs, is_pooled=name.endswith("*"))
        layers.append(layer)
        inputs = (layer.name,)
    return layers


def _output(folder: str, name: str, inputs: tuple[str, ...]) -> Layer:
    # Maps are sums of Gaussians and unit vectors; a ReLU here would cut what training balanced.
    return Layer(folder + name, 1, inputs, activation="")


_VGG = (
    "conv1_1 conv1_2* conv2_1 conv2_2* conv3_1 conv3_2 conv3_3 conv3_4* conv4_1 conv4_2"  # VGG-19
)


def coco_18(stages: int = 6) -> Architecture:
    """The COCO-18 body network: two branches, PAFs (L1) and heatmaps (L2), refined stage by stage.

    Args:
        stages: 6 in the published one.
    """
    layers = _chain("model0.", f"{_VGG} conv4_3_CPM conv4_4_CPM", 3)
    for branch in (1, 2):
        names = [f"conv5_{number}_CPM_L{branch}" for number in range(1, 6)]
        folder = f"model1_{branch}."
        layers += _chain(folder, " ".join(names[:3]), 3, ("conv4_4_CPM",))
        layers += _chain(folder, names[3], 1, (names[2],))
        layers.append(_output(folder, names[4], (names[3],)))
    previous = ("conv5_5_CPM_L1", "conv5_5_CPM_L2")
    pafs, heatmaps = [previous[0]], [previous[1]]
    for stage in range(2, stages + 1):
        for branch in (1, 2):
            layers += _refinement(
                f"model{stage}_{branch}.", f"stage{stage}_L{branch}", (*previous, "conv4_4_CPM")
            )
        previous = (f"Mconv7_stage{stage}_L1", f"Mconv7_stage{stage}_L2")
        pafs.append(previous[0])
        heatmaps.append(previous[1])
    return Architecture("COCO-18 body", COCO_18, tuple(layers), tuple(heatmaps), tuple(pafs))


def _refinement(folder: str, suffix: str, inputs: tuple[str, ...]) -> list[Layer]:
    """Five 7 x 7 convolutions and two 1 x 1."""
    names = [f"Mconv{number}_{suffix}" for number in range(1, 8)]
    return [
        *_chain(folder, " ".join(names[:5]), 7, inputs),
        *_chain(folder, names[5], 1, (names[4],)),
        _output(folder, names[6], (names[5],)),
    ]


def body_25(paf_stages: int = 4, heatmap_stages: int = 2) -> Architecture:
    """The BODY_25 network: PAF stages (L2) one after another, then heatmap stages (L1).

    A stage is five blocks of three convolutions, of which all three outputs are passed on, and two
    1 x 1 convolutions (Cao et al. 2019, figure 3).

    Args:
        paf_stages: 4 in the published one.
        heatmap_stages: 2 in the published one.
    """
    features = _chain("model0.", f"{_VGG} conv4_3_CPM conv4_4_CPM", 3)
    layers = features[:-3] + [_with_prelu(layer) for layer in features[-3:]]
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


def _with_prelu(layer: Layer) -> Layer:
    activation = f"{layer.key.rpartition('.')[0]}.{layer.name.replace('conv', 'prelu', 1)}"
    return replace(layer, activation=activation)


def _dense_stage(suffix: str, inputs: tuple[str, ...]) -> list[Layer]:
    layers: list[Layer] = []
    for block in range(1, 6):
        names = []
        for number in range(3):
            name = f"Mconv{block}_{suffix}_{number}"
            key = f"models.Mconv{block}_{suffix}.{number}.{name}"
            layers.append(_with_prelu(Layer(key, 3, inputs)))
            names.append(name)
            inputs = (name,)
        inputs = tuple(names)
    folder = f"models.Mconv6_7_{suffix}"
    wide = _with_prelu(Layer(f"{folder}.0.Mconv6_{suffix}", 1, inputs))
    return [*layers, wide, _output(f"{folder}.1.", f"Mconv7_{suffix}", (wide.name,))]


def hand(stages: int = 6) -> Architecture:
    """The hand network, 21 points (6 stages in the published one)."""
    return _single("hand", HAND_21, stages, ("model1_0.", "model1_1.", "model{}."))


def face(stages: int = 6) -> Architecture:
    """The face network, 70 points (6 stages in the published one)."""
    return _single("face", FACE_70, stages, ("", "", ""))


def _single(
    name: str, skeleton: Skeleton, stages: int, folders: tuple[str, str, str]
) -> Architecture:
    """Heatmaps only, refined stage by stage."""
    layers = _chain(folders[0], f"{_VGG} conv4_3 conv4_4 conv5_1 conv5_2 conv5_3_CPM", 3)
    layers += _chain(folders[1], "conv6_1_CPM", 1, ("conv5_3_CPM",))
    layers.append(_output(folders[1], "conv6_2_CPM", ("conv6_1_CPM",)))
    heatmaps = ["conv6_2_CPM"]
    for stage in range(2, stages + 1):
        inputs = (heatmaps[-1], "conv5_3_CPM")
        layers += _refinement(folders[2].format(stage), f"stage{stage}", inputs)
        heatmaps.append(f"Mconv7_stage{stage}")
    return Architecture(name, skeleton, tuple(layers), tuple(heatmaps))
