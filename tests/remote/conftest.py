"""A study under git and DVC with two releases, and an S3 server on the loopback that counts what it is asked."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import omicstore
from omicstore.releases import release

# Tests may `import remote_tools`: pytest's importlib mode puts no folder on the path.
_SPEC = importlib.util.spec_from_file_location("remote_tools", Path(__file__).with_name("remote_tools.py"))
remote_tools = importlib.util.module_from_spec(_SPEC)
sys.modules["remote_tools"] = remote_tools
_SPEC.loader.exec_module(remote_tools)
ENV, Study, dvc, sh = remote_tools.ENV, remote_tools.Study, remote_tools.dvc, remote_tools.sh

DVC_YAML = """
stages:
  assemble:
    cmd: "true"
    outs:
{outs}
"""


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory, store_factory: ModuleType) -> Study:
    """A study whose AAA differs between v1.0 and v2.0, pushed to a remote that is a folder."""
    folder = tmp_path_factory.mktemp("remotes") / "study"
    store = folder / "data" / "store"
    folder.mkdir()
    (folder / "params.yaml").write_text("study: {}\n")
    store_factory.make_store(store, n_patients=12)
    outs = ["store.json", "catalog", "index", "cohort=AAA", "cohort=BBB", "cohort=CCC"]
    listed = "\n".join(f"      - data/store/{out}:\n          persist: true" for out in outs)
    (folder / "dvc.yaml").write_text(DVC_YAML.format(outs=listed))
    (folder / ".gitignore").write_text("/data/store/.locks\n/data/store/.leases\n/data/store/releases\n")
    sh(folder, "git", "init", "-q", "-b", "main")
    dvc(folder, "init", "-q")
    dvc(folder, "remote", "add", "-q", "-d", "storage", str(folder.parent / "storage"))
    ids = {}
    for name in ("v1.0", "v2.0"):
        if name == "v2.0":
            changed = store_factory.make_cohort("AAA", seed=9, n_patients=12, reports=True)
            changed.write(store, "AAA")
            store_factory.assemble(store, ["AAA", "BBB", "CCC"], dataset="tiny", simulated=True)
        with omicstore.open(store) as opened:
            ids[name] = release(opened, name, date="2026-01-01", notes="").named.release
        dvc(folder, "commit", "-q", "-f")
        sh(folder, "git", "add", "-A")
        sh(folder, "git", "commit", "-q", "-m", name)
        sh(folder, "git", "tag", name)
        dvc(folder, "push", "-q")
    return Study(folder, ids)


@pytest.fixture
def clone(study: Study, tmp_path: Path) -> Path:
    """The store's place in a fresh clone of the study."""
    return study.clone(tmp_path / "clone")


@pytest.fixture
def command() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run ``omicstore`` in a process of its own, in a folder."""

    def run(folder: Path, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(Path(sys.executable).parent / "omicstore"), *words],
            cwd=folder, env=os.environ | ENV | env, capture_output=True, text=True, check=False,
        )  # fmt: skip

    return run


@dataclass
class Bucket:
    """An S3 server with one bucket.

    Attributes
    ----------
    url
        A prefix in the bucket.
    client
        boto3's client.
    requests
        Method, path and bytes of the answer, of each request.
    fail
        Asked before each request with the method and path; True gives 503.
    """

    endpoint: str
    url: str
    client: Any
    requests: list[tuple[str, str, int]] = field(default_factory=list)
    fail: Callable[[str, str], bool] = lambda method, path: False

    def keys(self, prefix: str = "") -> list[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket="bucket", Prefix=prefix)
        return [entry["Key"] for page in pages for entry in page.get("Contents", ())]


@pytest.fixture(scope="session")
def server() -> Iterator[Bucket]:
    """moto's S3 server, behind a counter."""
    pytest.importorskip("moto")
    pytest.importorskip("s3fs")
    import boto3
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import WSGIRequestHandler, make_server

    made = Bucket("", "", None)
    inner = DomainDispatcherApplication(create_backend_app)

    def counted(environ: dict[str, Any], start: Callable[..., Any]) -> Any:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        if made.fail(method, path):
            start("503 Slow Down", [("Content-Length", "0")])
            return [b""]
        body = b"".join(inner(environ, start))
        made.requests.append((method, path, 0 if method == "HEAD" else len(body)))
        return [body]

    class Quiet(WSGIRequestHandler):
        def log(self, *args: Any) -> None:
            """Say nothing."""

    running = make_server("127.0.0.1", 0, counted, threaded=True, request_handler=Quiet)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    made.endpoint = f"http://127.0.0.1:{running.server_port}"
    keys = {"aws_access_key_id": "x", "aws_secret_access_key": "y", "region_name": "us-east-1"}
    made.client = boto3.client("s3", endpoint_url=made.endpoint, **keys)
    made.client.create_bucket(Bucket="bucket")
    yield made
    running.shutdown()
    running.server_close()


@pytest.fixture
def bucket(server: Bucket, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Bucket:
    """The bucket, found through the environment, with an empty prefix of its own."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y", "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": server.endpoint,
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    server.fail = lambda method, path: False
    server.url = f"s3://bucket/{request.node.name.replace('[', '-').replace(']', '')}"
    server.requests.clear()
    return server
