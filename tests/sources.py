"""The project's own Python as syntax trees, and what in them would let a file or a name do harm."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

REPOSITORY = Path(__file__).resolve().parents[1]
SOURCES = sorted(
    path
    for folder in ("edn_core", "workflow", "benchmarks")
    for path in (REPOSITORY / folder).rglob("*.py")
)
RULES = sorted([REPOSITORY / "Snakefile", *(REPOSITORY / "workflow").rglob("*.smk")])

# A file read by these can run what it likes.
RUNS_A_FILE = (
    r"(pickle|cPickle|_pickle|dill|cloudpickle|joblib|marshal|shelve|jsonpickle|runpy|code)\b.*",
    r"yaml\.(?!safe_load$|safe_dump$|YAMLError$|SafeLoader$|CSafeLoader$).*",
    r"pandas\.read_pickle|torch\.(jit|hub|package)\..*|torch\.serialization\..*",
    r"numpy\.(lib\.format\..*|DataSource)",
    r"builtins\.(eval|exec|compile|__import__)",
)
# These unpack where an archive says, or end the program on a damaged file.
UNPACKS = (
    r"shutil\.unpack_archive|.*\.(extract|extractall)|cv2\.FileStorage",
    r"tempfile\.mktemp|ctypes\b.*",
)
SHELLS = (
    r"os\.(system|popen|exec.*|spawn.*|posix_spawn.*)|pty\.spawn",
    r"subprocess\.(getoutput|getstatusoutput)|asyncio\.create_subprocess_shell|snakemake\.shell.*",
)
FETCHES = (
    r"(socket|socketserver|http|urllib\.request|urllib3|requests|httpx|aiohttp|ftplib|smtplib)\b.*",
    r"(poplib|imaplib|nntplib|xmlrpc|webbrowser|boto3|s3transfer|pip|ssl)\b.*",
    r"multiprocessing\.(connection|managers|Manager)\b.*|torch\.hub\..*|wget\..*|pooch\..*",
    r".*\.(urlopen|urlretrieve|download_url_to_file|load_state_dict_from_url|hf_hub_download)",
)
FORBIDDEN = (*RUNS_A_FILE, *UNPACKS, *SHELLS, *FETCHES)
# The name of an error is no call, and the machine's own name opens no connection.
ALLOWED = r"pickle(\.UnpicklingError)?|socket\.gethostname"
STARTS_A_PROGRAM = ("run", "Popen", "call", "check_call", "check_output")


def trees() -> Iterator[tuple[Path, ast.Module]]:
    """Every module and script, and the Python that Snakemake makes of every file of rules."""
    for path in SOURCES:
        yield path, ast.parse(path.read_text())
    for path in RULES:
        yield path, ast.parse(compiled_rules(path))


def compiled_rules(path: Path) -> str:
    """What Snakemake makes of a file of rules."""
    from snakemake.parser import parse
    from snakemake.sourcecache import LocalSourceFile, SourceCache

    workflow = SimpleNamespace(sourcecache=SourceCache(path.parent))
    return parse(LocalSourceFile(str(path)), workflow, linemap={})[0]


def full_names(tree: ast.Module) -> dict[str, str]:
    """Names that imports bind, wherever they stand: np -> numpy, run -> subprocess.run."""
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for one in node.names:
                first = one.name.partition(".")[0]
                names[one.asname or first] = one.name if one.asname else first
        elif isinstance(node, ast.ImportFrom):
            names |= {one.asname or one.name: f"{node.module}.{one.name}" for one in node.names}
    return names


def dotted(node: ast.AST, names: dict[str, str]) -> str:
    """A name or attribute in full; "" for what is neither, "?.load" for one of something else."""
    if isinstance(node, ast.Name):
        return names.get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value, names) or '?'}.{node.attr}"
    return ""


def dangers(tree: ast.Module) -> Iterator[str]:
    """What a module does that none of the project's may, as line: what."""
    names = full_names(tree)
    imported = [*names.values()]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported += [one.name for one in node.names]
        found = ""
        if isinstance(node, ast.Attribute | ast.Name):
            found = dotted(node, names)
        if isinstance(node, ast.Call):
            yield from (f"{node.lineno}: {one}" for one in _calls(node, dotted(node.func, names)))
        if found and not re.fullmatch(ALLOWED, found):
            yield from (f"{node.lineno}: {found}" for one in FORBIDDEN if re.fullmatch(one, found))
    for found in imported:
        if not re.fullmatch(ALLOWED, found):
            yield from (f"import {found}" for one in FORBIDDEN if re.fullmatch(one, found))


def _calls(node: ast.Call, name: str) -> Iterator[str]:
    """What is dangerous about the arguments of a call."""
    given = {one.arg: one.value for one in node.keywords}
    if name == "torch.load" and not _is(given.get("weights_only"), True):
        yield "torch.load without weights_only=True"
    if "allow_pickle" in given and not _is(given["allow_pickle"], False):
        yield f"{name} with allow_pickle"
    if "shell" in given and not _is(given["shell"], False):
        yield f"{name} with a shell"
    if name.partition(".")[0] == "subprocess" and name.rpartition(".")[2] in STARTS_A_PROGRAM:
        is_list = bool(node.args) and isinstance(node.args[0], ast.List)
        yield from [] if is_list else [f"{name} with something that is no list of arguments"]
    if isinstance(node.func, ast.Name) and name in ("eval", "exec", "compile", "__import__"):
        yield name
    if name == "importlib.import_module" and not _is_own_module(node.args[0]):
        yield f"{name} of what need not be the library's own"


def _is_own_module(name: ast.expr) -> bool:
    """Whether a text begins with "edn_core", or with the name of the module that it stands in."""
    first = name.values[0] if isinstance(name, ast.JoinedStr) else name
    value = first.value if isinstance(first, ast.FormattedValue) else first
    if isinstance(value, ast.Name):
        return value.id == "__name__"
    return isinstance(value, ast.Constant) and str(value.value).startswith("edn_core.")


def _is(node: ast.expr | None, value: object) -> bool:
    return isinstance(node, ast.Constant) and node.value is value
