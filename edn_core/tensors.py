"""Named tensors in a file: safetensors, with a description and a digest over everything.

Safetensors keeps no checksums, so its one metadata entry holds them: JSON with the schema, the
description and a SHA-256 over names, dtypes, shapes, values and the description. With more entries
than one their order, and so the bytes, would change from process to process.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save

from edn_core.errors import Refused, remake
from edn_core.store import check_schema, write_beside

ENTRY = "edn"

Tensors = dict[str, torch.Tensor]


def write_tensors(
    path: str | Path, schema: tuple[str, int], description: dict[str, Any], tensors: Tensors
) -> None:
    """Write tensors and what describes them, atomically; the same content gives the same bytes.

    Args:
        path: the file.
        schema: its name and version.
        description: JSON-able.
        tensors: by name, on any device.
    """
    own = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    # Safetensors refuses tensors that share their values.
    stores = [tensor.untyped_storage().data_ptr() for tensor in own.values()]
    if len(set(stores)) < len(stores):
        own = {name: tensor.clone() for name, tensor in own.items()}
    entry = {
        "schema": schema[0],
        "schema_version": schema[1],
        "description": json.loads(json.dumps(description)),
        "sha256": _digest(schema, description, own),
    }
    with write_beside(path) as partial:
        # Not by save_file: what a full disk says, it puts into an error without a number.
        partial.write_bytes(save(own, {ENTRY: json.dumps(entry, sort_keys=True)}))


def read_tensors(
    path: str | Path, schema: tuple[str, int], remedy: str = ""
) -> tuple[dict[str, Any], Tensors]:
    """Read what write_tensors wrote, and compare it with its digest (about 0.7 s a GB).

    Args:
        path: the file.
        schema: name and version that it has to have.
        remedy: what to do about a damaged one; by default, how the workflow remakes it.

    Returns:
        The description, and the tensors by name, on the CPU.

    Raises:
        FileNotFoundError: there is none.
        Refused: another kind of file, another version, or damaged.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(2, "no such file", str(path))
    remedy = remedy or remake(path)
    try:
        with safe_open(path, "pt") as stream:
            entry = json.loads((stream.metadata() or {})[ENTRY])
            tensors = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118 (no mapping)
        found = entry["schema"], entry["schema_version"]
        description, digest = entry["description"], entry["sha256"]
    except MemoryError:
        raise
    except Exception as error:  # safetensors' own kind, and what a damaged entry raises
        raise Refused(
            path, f"not a whole file of tensors ({type(error).__name__})", "", remedy
        ) from error
    check_schema(path, found, schema)
    if digest != _digest(schema, description, tensors):
        raise Refused(path, "is damaged: not what was written", "", remedy)
    return description, tensors


def _digest(schema: tuple[str, int], description: dict[str, Any], tensors: Tensors) -> str:
    digest = hashlib.sha256(json.dumps([*schema, description], sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
