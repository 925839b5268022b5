"""The architecture: imports run one way, and what comes before training does without torch."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "edn_core"
LAYERS = (
    "config errors disk shortage store png timeline integrity tensor_file hdf5 logs batch_job scratch "
    "threads split skeleton intake preset out_of_memory device video provenance mark canvas frames film "
    "keypoints demo pose smoothing doubt normalize render face hands pictures background preflight "
    "resources status doctor dataset render_torch networks accelerate losses metrics checkpoint "
    "published synthesize export live training evaluate forensics summary report verify"
).split()
# What OpenPose's backend imports when it is asked for; nothing else in front of training has torch.
WITH_TORCH = {Path("pose/openpose_layers.py"), Path("pose/openpose_networks.py")}
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


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_a_module_imports_only_from_layers_before_it(module):
    later = LAYERS[LAYERS.index(layer(module)) + 1 :]
    assert not imported_layers((PACKAGE / module).read_text()) & set(later)


def test_the_package_itself_imports_nothing():
    assert not imported_layers((PACKAGE / "__init__.py").read_text())


def test_the_layers_are_those_there_are():
    assert set(LAYERS) == {layer(module) for module in MODULES}


def test_every_way_of_importing_is_seen():
    source = "import edn_core.face\nfrom edn_core.pose import tracking\nfrom edn_core import video"
    assert imported_layers(source) == {"face", "pose", "video"}


def test_everything_before_the_dataset_imports_without_torch():
    without_torch = LAYERS[: LAYERS.index("dataset")]
    names = [
        dotted(module)
        for module in MODULES
        if layer(module) in without_torch and module not in WITH_TORCH
    ]
    program = "\n".join(
        [
            "import importlib, sys",
            # Not `sys.modules['torch'] = None`: scipy looks there for the classes of its arguments.
            "class NoTorch:",
            "    def find_spec(self, name, path=None, target=None):",
            "        if name.partition('.')[0] == 'torch':",
            "            raise ImportError('torch is not to be imported here')",
            "sys.meta_path.insert(0, NoTorch())",
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
