"""A machine of its own for every test (empty folders, no other network) and a server on it."""

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import pytest

from jaxseq.api.datasets import fetch


class Folders(NamedTuple):
    """Where files are looked for."""

    own: Path
    kept: Path
    keras: Path
    system: Path


@pytest.fixture(autouse=True)
def folders(tmp_path, monkeypatch) -> Folders:
    """The folders of this test's machine. JAXSEQ_DATA names none until `folders.own` is set."""
    found = Folders(*(tmp_path / name for name in ("own", "home/datasets", "keras/datasets", "system")))
    for folder in found.own, found.keras, found.system:
        folder.mkdir(parents=True)
    monkeypatch.setenv("JAXSEQ_HOME", str(found.kept.parent))
    monkeypatch.setenv("KERAS_HOME", str(found.keras.parent))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("JAXSEQ_DATA", raising=False)
    monkeypatch.setattr(fetch, "SYSTEM", found.system)
    monkeypatch.setattr(fetch, "PAUSES", (0, 0))
    monkeypatch.setattr(fetch, "TIMEOUT", 0.5)
    return found


class Server:
    """Gives what `pages` says: bytes, or a function of the request. Knows what it was asked for."""

    def __init__(self):
        self.pages, self.asked = {}, []
        self.over = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.asked.append(self.path)
                page = outer.pages.get(self.path.partition("?")[0])
                if page is None:
                    self.send_error(404)
                elif callable(page):
                    page(self)
                else:
                    self.answer(page, len(page))

            def answer(self, content, length):
                self.send_response(200)
                self.send_header("Content-Length", str(length))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                return None

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.http.server_port}{path}"


@pytest.fixture
def server():
    here = Server()
    thread = threading.Thread(target=here.http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield here
    here.over.set()
    here.http.shutdown()
    here.http.server_close()
    thread.join()


def sha256(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@pytest.fixture
def given(folders, monkeypatch):
    """given(module, "FILE", content): the module's file has this content, and lies in the cache."""
    def give(module, name, content):
        file = getattr(module, name)._replace(checksums=(sha256(content),))
        monkeypatch.setattr(module, name, file)
        place = folders.kept / file.name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        return place

    return give
