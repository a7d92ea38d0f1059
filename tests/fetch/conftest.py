"""A portal on the loopback: it speaks GDC's API and serves files as an object store does, and misbehaves on demand."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

import omicstore.fetch.http


class Portal:
    """Files by path, GDC's files by id, and what goes wrong with which request."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.gdc: list[dict[str, Any]] = []
        self.projects = ["TCGA-BLCA", "CPTAC-3", "TARGET-AML"]
        self.cases = 412
        self.requests: list[tuple[str, str, dict[str, str], Any]] = []
        self.mishaps: dict[str, list[Callable[[Handler, bytes], bool]]] = {}
        self.ranges = True
        self.etags = True
        self.delay = 0.0
        self.busy = self.most_busy = 0
        self.lock = threading.Lock()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.handle_error = lambda *args: None  # clients that hang up are what is tested
        self.server.portal = self
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def add_gdc(self, name: str, data: bytes, **fields: Any) -> str:
        """Add an open file; returns its id. Fields are GDC's, with those of a BLCA RNA file where absent."""
        digest = hashlib.md5(data).hexdigest()
        identity = f"{digest[:8]}-0000-4000-8000-{len(self.gdc):012d}"
        sample = fields.pop("sample", "TCGA-4Z-AA7M-01A")
        project = fields.pop("project", "TCGA-BLCA")
        self.gdc.append(
            {
                "file_id": identity, "file_name": name, "md5sum": digest, "file_size": len(data),
                "state": "released", "access": "open", "data_category": "Transcriptome Profiling",
                "data_type": "Gene Expression Quantification", "data_format": "TSV", "platform": "Illumina",
                "analysis": {"workflow_type": "STAR - Counts"},
                "associated_entities": [{"entity_submitter_id": f"{sample}-11R-A39I-07"}],
                "cases": [
                    {
                        "submitter_id": sample[:12], "project": {"project_id": project},
                        "samples": [{"submitter_id": sample, "sample_type": "Primary Tumor"}],
                    }
                ],
            } | fields
        )  # fmt: skip
        self.files[f"/data/{identity}"] = data
        return identity

    def goes_wrong(self, path: str, *mishaps: Callable[[Handler, bytes], bool]) -> None:
        """Let the next requests of a path go wrong, one after the other."""
        self.mishaps.setdefault(path, []).extend(mishaps)

    def asked(self, path: str, method: str = "GET") -> list[dict[str, str]]:
        """The headers of the requests of a path."""
        return [headers for how, where, headers, _ in self.requests if (how, where) == (method, path)]

    def downloads(self) -> list[str]:
        return [where for how, where, _, _ in self.requests if how == "GET" or where == "/clinical_tar"]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Any

    def log_message(self, *args: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        self.answer()

    def do_POST(self) -> None:
        self.answer(json.loads(self.rfile.read(int(self.headers["content-length"]))))

    def answer(self, body: Any = None) -> None:
        portal: Portal = self.server.portal
        path = unquote(urlsplit(self.path).path)
        with portal.lock:
            portal.requests.append((self.command, path, {k.lower(): v for k, v in self.headers.items()}, body))
            waiting = portal.mishaps.get(path, [])
            mishap = waiting.pop(0) if waiting and self.command != "HEAD" else None
            portal.busy += 1
            portal.most_busy = max(portal.busy, portal.most_busy)
        try:
            if portal.delay and self.command != "HEAD":
                time.sleep(portal.delay)
            data = portal.files.get(path, b"")
            if mishap is not None and mishap(self, data):
                return
            if path in ("/files", "/projects", "/cases"):
                self.json(getattr(self, path[1:])(body))
            elif path in portal.files:
                self.file(data)
            else:
                self.json({"message": "no such file"}, 404)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        finally:
            with portal.lock:
                portal.busy -= 1

    def file(self, data: bytes) -> None:
        portal: Portal = self.server.portal
        etag = f'"{hashlib.sha1(data).hexdigest()}"'
        wanted = self.headers.get("range") if portal.ranges else None
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        if self.headers.get("if-range", etag) != etag:
            start = 0
        if start >= len(data) > 0:
            self.send_response(416)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(data) - start))
        if portal.etags:
            self.send_header("ETag", etag)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data[start:])

    def json(self, value: Any, status: int = 200) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def files(self, body: Any) -> Any:
        wanted = {c["content"]["field"]: c["content"]["value"] for c in body["filters"]["content"]}

        def value(hit: dict[str, Any], field: str) -> Any:
            if field == "cases.project.project_id":
                return hit["cases"][0]["project"]["project_id"]
            for name in field.split("."):
                hit = hit[name]
            return hit

        hits = [h for h in self.server.portal.gdc if all(value(h, f) in v for f, v in wanted.items())]
        hits = sorted(hits, key=lambda h: h["file_id"])
        start, size = body.get("from", 0), body["size"]
        return {"data": {"hits": hits[start : start + size], "pagination": {"total": len(hits), "from": start}}}

    def projects(self, body: Any) -> Any:
        hits = [{"project_id": name} for name in self.server.portal.projects]
        return {"data": {"hits": hits, "pagination": {"total": len(hits)}}}

    def cases(self, body: Any) -> Any:
        return {"data": {"hits": [], "pagination": {"total": self.server.portal.cases}}}

    def status(self, code: int, **headers: str) -> bool:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", "0")
        self.end_headers()
        return True

    def cut(self, data: bytes, *, promised: int, sent: int, start: int = 0) -> bool:
        """Send some of a file and hang up."""
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(promised))
        if self.server.portal.etags:
            self.send_header("ETag", f'"{hashlib.sha1(data).hexdigest()}"')
        self.end_headers()
        self.wfile.write(data[start : start + sent])
        self.wfile.flush()
        self.close_connection = True
        return True


def drop(after: int) -> Callable[[Handler, bytes], bool]:
    """Hang up after so many bytes of what was asked for."""

    def wrong(handler: Handler, data: bytes) -> bool:
        wanted = handler.headers.get("range", "bytes=0-")
        start = int(wanted.removeprefix("bytes=").rstrip("-"))
        return handler.cut(data, promised=len(data) - start, sent=after, start=start)

    return wrong


def truncate(to: int) -> Callable[[Handler, bytes], bool]:
    """Send a body that is too short, and say that it is all."""
    return lambda handler, data: handler.cut(data, promised=to, sent=to)


def garble(handler: Handler, data: bytes) -> bool:
    """Send as many bytes as promised, one of them wrong."""
    handler.file(bytes([data[0] ^ 1]) + data[1:])
    return True


def status(code: int, **headers: str) -> Callable[[Handler, bytes], bool]:
    """Answer with a status alone."""
    return lambda handler, data: handler.status(code, **headers)


@pytest.fixture
def portal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Portal]:
    """A portal that answers, and a client that does not wait long."""
    monkeypatch.setattr(omicstore.fetch.http, "FIRST_WAIT", 0.01)
    made = Portal()
    made.mishap = {"drop": drop, "truncate": truncate, "garble": garble, "status": status}
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()
