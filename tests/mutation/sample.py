"""Do the tests notice when the library is wrong? A random sample of mutants, one at a time.

    python tests/mutation/sample.py --count 50 --seed 0

Cosmic Ray makes the mutants of geometry, losses and stores; each is put into a copy of the
repository, where the tests named after its module run, or where there are none those that import
it or are named after a module that does. A mutant whose tests fail, or take five times as long as
they should, is caught.
"""

import argparse
import ast
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path

from cosmic_ray.commands import init
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator
from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import MutationSpec
from tqdm import tqdm

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- mutants: written by tests/mutation/sample.py -->", "<!-- end of mutants -->"
COPIED = (
    *("edn_core", "tests", "benchmarks", "workflow", "config", "docs", "envs", "profiles"),
    *("Snakefile", "Makefile", "pyproject.toml", "requirements.lock", "resources", "CHANGELOG.md"),
)
PLACES = {
    "geometry": "normalize/*.py face.py hands.py skeleton.py smoothing.py",
    "losses": "losses.py",
    "stores": "artefact.py frames/*.py keypoints.py checkpoint.py background.py hdf5/*.py",
}
PATIENCE = 5.0
"""A mutant may make a loop endless: so many times the time of the tests without it."""


@dataclass(frozen=True)
class Mutant:
    """A module with one change.

    Attributes:
        group: a key of PLACES.
        module: path of the module below the root.
        line: of the change.
        operator: Cosmic Ray's name of the change.
        code: the module with the change.
        change: the lines that differ.
    """

    group: str
    module: Path
    line: int
    operator: str
    code: str
    change: str


def spans_of_annotations(source: str) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Where types are named: changes there are no change of what the module does."""
    found: list[ast.expr | None] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found.append(node.returns)
        elif isinstance(node, ast.arg | ast.AnnAssign):
            found.append(node.annotation)
    return [
        ((one.lineno, one.col_offset), (one.end_lineno or 0, one.end_col_offset or 0))
        for one in found
        if one is not None
    ]


def draw_mutants(count: int, seed: int) -> list[Mutant]:
    """Draw places at random, each once, and one change at each."""
    groups = {
        path: group
        for group, patterns in PLACES.items()
        for pattern in patterns.split()
        for path in sorted((ROOT / "edn_core").glob(pattern))
    }
    with use_db(":memory:", WorkDB.Mode.create) as database:
        init(list(groups), database, {})
        specs = [one for item in database.work_items for one in item.mutations]
    annotations = {path: spans_of_annotations(path.read_text()) for path in groups}
    places: dict[tuple[str, tuple[int, int]], list[MutationSpec]] = {}
    for spec in specs:
        path, start = Path(spec.module_path), tuple(spec.start_pos)
        if not any(first <= start < last for first, last in annotations[path]):
            places.setdefault((str(path), start), []).append(spec)
    chance = random.Random(seed)
    mutants: list[Mutant] = []
    drawn = sorted(places)
    chance.shuffle(drawn)
    for place in drawn:
        if len(mutants) == count:
            break
        spec = chance.choice(sorted(places[place], key=lambda one: one.operator_name))
        path = Path(spec.module_path)
        before = path.read_text()
        operator = get_operator(spec.operator_name)()
        after = mutate_code(before, operator, spec.occurrence)
        if after is None or ast.dump(ast.parse(before)) == ast.dump(parsed_or_none(after)):
            continue
        lines = unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
        change = "\n".join(list(lines)[3:])
        module = path.relative_to(ROOT)
        name = spec.operator_name.removeprefix("core/")
        mutants.append(Mutant(groups[path], module, spec.start_pos[0], name, after, change))
    return mutants


def parsed_or_none(source: str) -> ast.AST:
    """The syntax tree; an empty one of what is no Python."""
    try:
        return ast.parse(source)
    except SyntaxError:
        return ast.Module(body=[], type_ignores=[])


def tests_of(module: Path) -> list[str]:
    """Unit tests named after a module or its package; without any, those that import it, and those
    named after modules that do."""
    dotted = ".".join(module.with_suffix("").parts).removesuffix(".__init__")
    package = ".".join(dotted.split(".")[:2])
    imports = re.compile(rf"(from|import) {re.escape(package)}\b")
    everything = sorted((ROOT / "tests").glob("test_*.py"))
    own = _named_after([package.split(".")[1]], everything)
    if own:
        found = own
    else:
        importers = [
            path.relative_to(ROOT / "edn_core").with_suffix("").parts[0]
            for path in sorted((ROOT / "edn_core").rglob("*.py"))
            if imports.search(path.read_text())
        ]
        direct = {one for one in everything if imports.search(one.read_text())}
        found = sorted(direct | set(_named_after(importers, everything)))
    return [str(one.relative_to(ROOT)) for one in found]


def _named_after(modules: list[str], tests: list[Path]) -> list[Path]:
    named = re.compile(rf"test_({'|'.join(map(re.escape, modules))})(_|\.)")
    return [one for one in tests if named.match(one.name)]


def make_copy(folder: Path) -> None:
    """Copy what the unit tests need, so that the repository itself is never wrong."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(
                source, folder / name, ignore=shutil.ignore_patterns("__pycache__", ".*")
            )
        elif source.is_file():
            shutil.copy2(source, folder / name)


def passes(folder: Path, tests: list[str], limit_s: float) -> bool:
    """Whether the tests pass in time."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-m", "not workflow", *tests]
    command += ["-p", "no:cacheprovider", "--hypothesis-seed=0"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, timeout=limit_s, check=False
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


class Judge:
    """Runs the tests of mutants in a copy of the repository; knows how long they take without."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._took: dict[tuple[str, ...], float] = {}

    def is_caught(self, mutant: Mutant) -> bool:
        """Whether the tests of a mutant's module fail."""
        path, tests = self.folder / mutant.module, tests_of(mutant.module)
        limit_s = self._limit(tests)
        original = path.read_text()
        path.write_text(mutant.code)
        try:
            return not passes(self.folder, tests, limit_s)
        finally:
            path.write_text(original)

    def _limit(self, tests: list[str]) -> float:
        key = tuple(tests)
        if key not in self._took:
            start = time.monotonic()
            if not passes(self.folder, tests, 3600):
                raise ValueError(f"{' '.join(tests)}: fail without any change; mend that first")
            self._took[key] = time.monotonic() - start
        return PATIENCE * self._took[key] + 10


def rows(results: list[tuple[Mutant, bool]]) -> Iterator[str]:
    """The table by group, then every mutant that was not caught."""
    yield "| place | mutants | caught |"
    yield "|---|---:|---:|"
    for group in PLACES:
        caught = [is_caught for mutant, is_caught in results if mutant.group == group]
        yield f"| {group} | {len(caught)} | {sum(caught)} |"
    caught = [is_caught for _, is_caught in results]
    yield f"| **all** | {len(caught)} | **{sum(caught)} ({sum(caught) / len(caught):.0%})** |"
    missed = [mutant for mutant, is_caught in results if not is_caught]
    if missed:
        yield ""
        yield "Not caught:"
        yield ""
    for mutant in missed:
        changed = [line[1:].strip() for line in mutant.change.splitlines() if line[0] == "+"]
        yield f"* `{mutant.module}` line {mutant.line}, {mutant.operator}: `{' '.join(changed)}`"


def main() -> None:
    """Draw, run, print; write the page where asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=50, help="mutants (50)")
    parser.add_argument("--seed", type=int, default=0, help="of the sample (0)")
    parser.add_argument("--write", action="store_true", help="put the table into the docs")
    parser.add_argument("--least", type=float, default=0.8, help="part to be caught (0.8)")
    arguments = parser.parse_args()
    start = time.monotonic()
    mutants = draw_mutants(arguments.count, arguments.seed)
    results = []
    with tempfile.TemporaryDirectory(prefix="edn-mutants-") as folder:
        make_copy(Path(folder))
        judge = Judge(Path(folder))
        for mutant in tqdm(mutants, desc="mutants"):
            is_caught = judge.is_caught(mutant)
            results.append((mutant, is_caught))
            if not is_caught:
                tqdm.write(f"not caught: {mutant.module}:{mutant.line} {mutant.operator}")
                tqdm.write(mutant.change)
    minutes = (time.monotonic() - start) / 60
    text = "\n".join(rows(results))
    print(text)
    if arguments.write:
        about = (
            f"`python tests/mutation/sample.py --count {arguments.count} --seed {arguments.seed}`, "
            f"{minutes:.0f} minutes:"
        )
        before, rest = PAGE.read_text().split(BEGIN)
        page = f"{before}{BEGIN}\n\n{about}\n\n{text}\n\n{END}{rest.split(END)[1]}"
        PAGE.write_text(page)
    caught = sum(is_caught for _, is_caught in results)
    if caught < arguments.least * len(results):
        sys.exit(
            f"edn: error: {caught} of {len(results)} mutants caught, at least "
            f"{arguments.least:.0%} were expected; write a test for one that was not"
        )


if __name__ == "__main__":
    main()
