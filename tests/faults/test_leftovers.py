"""What a disturbed training leaves beside its generator, and what is made of it."""

import pytest
import torch

from edn_core.checkpoint import load_discriminator, save_discriminator
from edn_core.training.records import Records


@pytest.mark.parametrize("torn", ['{"step": 2, "gan"', '{"step": 2, "ga\x00}', "}", '{"stop": 2}'])
def test_a_torn_row_of_metrics_is_dropped_and_the_whole_ones_stay(tmp_path, torn):
    metrics = tmp_path / "metrics.jsonl"
    metrics.write_text(f'{{"step": 1, "gan": 0.5}}\n{torn}\n{{"step": 3, "gan": 0.5}}\n')
    records = Records(tmp_path, step=2, is_new=False)
    records.note(4, {"gan": 0.25})
    records.close()
    assert metrics.read_text() == '{"step": 1, "gan": 0.5}\n{"step": 4, "gan": 0.25}\n'


def test_a_damaged_discriminator_names_its_generator_too(tmp_path):
    path = tmp_path / "discriminator.safetensors"
    save_discriminator(path, {"weight": torch.zeros(100)})
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(
        ValueError, match=r"it and \S*generator.safetensors and run `snakemake \S*gen"
    ):
        load_discriminator(path)
