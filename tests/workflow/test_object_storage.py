"""Results in an object storage: a server that speaks S3, on this machine, and no shared folder."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from checkout import COMMAND, ENVIRONMENT, Ran
from test_kill import wait_for

boto3 = pytest.importorskip("boto3", reason="no boto3 (snakemake-storage-plugin-s3 brings it)")
moto_server = pytest.importorskip("moto.server", reason="no moto, which stands for the storage")

pytestmark = pytest.mark.workflow

BUCKET, PREFIX = "edn", "run"
MODEL = "results/models/demo_target/{}/generator.safetensors"
LOCAL = Path(f".snakemake/storage/s3/{BUCKET}/{PREFIX}")
KEYS = {"SNAKEMAKE_STORAGE_S3_ACCESS_KEY": "key", "SNAKEMAKE_STORAGE_S3_SECRET_KEY": "secret"}


class Storage:
    """A bucket, and Snakemake that keeps its files there."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._client: Any = boto3.client(
            "s3",
            endpoint_url=endpoint,
            aws_access_key_id="key",
            aws_secret_access_key="secret",
            region_name="us-east-1",
        )
        self._client.create_bucket(Bucket=BUCKET)

    def put(self, path: Path, name: str) -> None:
        self._client.upload_file(str(path), BUCKET, f"{PREFIX}/{name}")

    def get(self, name: str) -> bytes:
        return self._client.get_object(Bucket=BUCKET, Key=f"{PREFIX}/{name}")["Body"].read()

    def names(self) -> set[str]:
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
        every = (one["Key"] for page in pages for one in page.get("Contents", ()))
        return {name.removeprefix(f"{PREFIX}/") for name in every}

    def start(self, folder: Path, *arguments: str) -> subprocess.Popen:
        return subprocess.Popen(
            [
                *COMMAND,
                "--default-storage-provider=s3",
                f"--default-storage-prefix=s3://{BUCKET}/{PREFIX}",
                f"--storage-s3-endpoint-url={self._endpoint}",
                *arguments,
            ],
            cwd=folder,
            env=ENVIRONMENT | KEYS,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, folder: Path, *arguments: str) -> Ran:
        process = self.start(folder, *arguments)
        output = process.communicate()[0]
        return Ran(process.returncode, output)


@pytest.fixture
def storage(monkeypatch) -> Iterator[Storage]:
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    server = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    try:
        yield Storage("http://{}:{}".format(*server.get_host_and_port()))
    finally:
        server.stop()


@pytest.fixture
def checkout(finished_demo, storage, tmp_path) -> Path:
    """A checkout without results; what comes before the training lies in the storage alone."""
    folder = tmp_path / "checkout"
    shutil.copytree(
        finished_demo, folder, ignore=shutil.ignore_patterns("results", "logs", ".snakemake")
    )
    before = [
        path
        for path in finished_demo.glob("results/**/*")
        if path.is_file() and path.parts[-2] in ("demo", "demo_source", "demo_target")
    ]
    models = [path for path in finished_demo.glob("resources/models/*") if path.is_file()]
    for path in [*models, *sorted(before, key=lambda path: path.stat().st_mtime_ns)]:
        storage.put(path, str(path.relative_to(finished_demo)))
    return folder


SETTINGS = ("--configfile", "config/test.yaml")


def test_a_training_reads_from_the_storage_writes_into_it_and_ends_in_the_same_bytes(
    finished_demo, storage, checkout
):
    ran = storage.run(checkout, *SETTINGS, "--", "body")
    assert ran.status == 0, ran.output
    # Another machine has nothing of it but what is in the storage.
    shutil.rmtree(checkout / LOCAL)
    ran = storage.run(checkout, *SETTINGS, "--", "temporal")
    assert ran.status == 0, ran.output
    for stage in ("body", "temporal"):
        model = MODEL.format(stage)
        assert storage.get(model) == (finished_demo / model).read_bytes(), stage
        assert model.replace("generator", "discriminator") in storage.names()
    assert "logs/models/demo_target/temporal.log" in storage.names()
    assert not (checkout / "results/models").exists()
    again = storage.run(checkout, *SETTINGS, "--dry-run", "--", "temporal")
    assert again.jobs == {}, again.output


def test_a_training_that_was_killed_goes_on_where_its_local_folder_was_kept(storage, checkout):
    (checkout / "long.yaml").write_text(
        "training: {body: {steps: 240, validations: 3}}\nruntime: {checkpoint_every_s: 0.2}\n"
    )
    target = (*SETTINGS, "long.yaml", "--", "body")
    running = storage.start(checkout, *target)
    state = checkout / LOCAL / Path(MODEL.format("body")).with_name("training_state.safetensors")
    wait_for(state.exists, 120)
    running.send_signal(signal.SIGKILL)
    running.communicate()
    lock = state.with_name("lock")
    trainer = int(lock.read_text())
    wait_for(lambda: not Path(f"/proc/{trainer}").exists(), 60)
    assert storage.run(checkout, *SETTINGS, "--unlock").status == 0
    ran = storage.run(checkout, *target)
    assert ran.status == 0, ran.output
    assert "body: goes on from step" in ran.output
    assert not state.exists()
