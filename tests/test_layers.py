"""The architecture: imports run one way, and what a bare GPU machine lacks is not asked for."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "edn_core"
LAYERS = (
    "errors config store png logs pages weights threads split skeleton timeline preset device "
    "video intake provenance mark frames keypoints demo pose smoothing normalize window face band "
    "matte compose inpainting shadow tidy room footage film render pictures comparison preflight "
    "resources status metrics app doctor dataset tensors networks accelerate losses checkpoint "
    "published synthesize export live training evaluate forensics summary report verify"
).split()
# What OpenPose's backend imports when it is asked for; nothing else in front of training has torch.
WITH_TORCH = {Path(f"pose/openpose{part}.py") for part in ("", "_networks", "_parts")}
MODULES = sorted(
    path.relative_to(PACKAGE)
    for path in PACKAGE.rglob("*.py")
    if path.relative_to(PACKAGE) != Path("__init__.py")
)


def layer(module: Path) -> str:
    """The layer a module of edn_core belongs to: its first folder, or its own name."""
    return module.with_suffix("").parts[0]


def dotted(module: Path) -> str:
    """The name a module is imported by."""
    parts = module.with_suffix("").parts
    return ".".join(("edn_core", *parts[: -1 if parts[-1] == "__init__" else None]))


def imported_layers(source: str) -> set[str]:
    """Layers that a module's source imports, wherever in it the import stands."""
    names = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: import by full name, not relatively"
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    inside = [name.split(".")[1] for name in names if name.startswith("edn_core.")]
    return {name for name in inside if name not in ("__version__", "REVISIONS")}


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_imports_only_from_those_before_it(name):
    later = set(LAYERS[LAYERS.index(name) + 1 :])
    wrong = {
        str(module): found
        for module in MODULES
        if layer(module) == name
        and (found := imported_layers((PACKAGE / module).read_text()) & later)
    }
    assert not wrong


def test_the_package_itself_imports_nothing():
    assert not imported_layers((PACKAGE / "__init__.py").read_text())


def test_the_layers_are_those_there_are():
    assert set(LAYERS) == {layer(module) for module in MODULES}


def test_every_way_of_importing_is_seen():
    source = "import edn_core.face\nfrom edn_core.pose import tracking\nfrom edn_core import video"
    assert imported_layers(source) == {"face", "pose", "video"}


def test_no_module_delays_its_imports():
    for module in MODULES:
        for node in ast.parse((PACKAGE / module).read_text()).body:
            assert getattr(node, "name", "") != "__getattr__", module


BEFORE_TORCH = [
    dotted(module)
    for module in MODULES
    if layer(module) in LAYERS[: LAYERS.index("dataset")] and module not in WITH_TORCH
]
NAMES = ("training", "synthesize", "evaluate", "checkpoint", "dataset")
BARE_MACHINE = ["benchmarks.gpu_real", *(f"edn_core.{name}" for name in NAMES)]


@pytest.mark.parametrize(
    ("hidden", "names"),
    [
        (["torch"], BEFORE_TORCH),
        (["av", "snakemake"], BARE_MACHINE),
    ],
    ids=["what comes before the dataset, without torch", "a GPU machine with little on it"],
)
def test_it_imports_where_these_are_not_installed(hidden, names):
    program = "\n".join(
        [
            "import importlib, sys",
            # Not `sys.modules['torch'] = None`: scipy looks there for the classes of its arguments.
            "class Hidden:",
            "    def find_spec(self, name, path=None, target=None):",
            f"        if name.partition('.')[0] in {hidden}:",
            "            raise ImportError(f'{name} is not to be imported here')",
            "sys.meta_path.insert(0, Hidden())",
            f"for name in {names}:",
            "    try:",
            "        importlib.import_module(name)",
            "    except ImportError as error:",
            "        print(f'{name}: {error}')",
        ]
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == ""
