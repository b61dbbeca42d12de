"""A Hugging Face hub on this machine: the routes that huggingface_hub takes to read a model and to fill a
Space.
"""

import base64
import hashlib
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

Files = dict[str, bytes]
COMMIT = "c0ffee" * 6 + "c0de"


class FakeHub:
    """`models` and `spaces` map a name to its files; `asked` records (method, path); answers take `delay` seconds."""

    def __init__(self, models: dict[str, Files] | None = None, token: str = "hf_test", delay: float = 0):
        self.models, self.spaces, self.token, self.delay = models or {}, {}, token, delay
        self.asked: list[tuple[str, str]] = []
        self.messages: list[str] = []
        self.stored: dict[str, bytes] = {}  # large files by sha256
        handler = type("Handler", (_Handler,), {"hub": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def commit(self, space: str, lines: list[dict[str, Any]]) -> None:
        files = self.spaces[space]
        for line in lines:
            value = line["value"]
            if line["key"] == "header":
                self.messages.append(value["summary"])
            elif line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.stored[value["oid"]]
            elif line["key"] == "deletedFile":
                del files[value["path"]]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: FakeHub

    def log_message(self, *_: Any) -> None:
        pass

    def _answer(self, content: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for key, value in ({"Content-Length": str(len(body))} | (headers or {})).items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _missing(self) -> None:
        self._answer({"error": "Repository not found"}, 404, {"X-Error-Code": "RepoNotFound"})

    def _start(self) -> list[str]:
        path = unquote(urlsplit(self.path).path)
        self.hub.asked.append((self.command, path))
        time.sleep(self.hub.delay)
        return path.strip("/").split("/")

    def do_GET(self) -> None:
        match self._start():
            case ["api", "models" | "spaces" as kind, user, name, *rest]:
                files = getattr(self.hub, kind).get(f"{user}/{name}")
                if files is None:
                    self._missing()
                elif rest[:1] == ["tree"]:
                    self._answer([_entry(path, content) for path, content in files.items()])
                else:
                    self._answer(_info(f"{user}/{name}", files))
            case [user, name, "resolve", _, *path]:
                self._file(self.hub.models.get(f"{user}/{name}", {}).get("/".join(path)))
            case _:
                self._missing()

    do_HEAD = do_GET

    def _file(self, content: bytes | None) -> None:
        if content is None:
            self._answer({"error": "Entry not found"}, 404, {"X-Error-Code": "EntryNotFound"})
        else:
            self._answer(content, headers={"ETag": f'"{_oid(content)}"', "X-Repo-Commit": COMMIT})

    def do_PUT(self) -> None:
        oid = self._start()[-1]
        content = self.rfile.read(int(self.headers["Content-Length"]))
        assert hashlib.sha256(content).hexdigest() == oid
        self.hub.stored[oid] = content
        self._answer({})

    def do_POST(self) -> None:
        path = self._start()
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Authorization") != f"Bearer {self.hub.token}" and "validate-yaml" not in path:
            self._answer({"error": "Invalid username or password."}, 401)
            return
        match path:
            case ["api", "validate-yaml"]:
                self._answer({"errors": [], "warnings": []})
            case ["api", "repos", "create"]:
                self._create(json.loads(body))
            case ["api", "spaces", _, _, "preupload", _]:
                self._answer({"files": [_mode(file) for file in json.loads(body)["files"]]})
            case ["spaces", _, _, "info", "lfs", "objects", "batch"]:
                objects = json.loads(body)["objects"]
                self._answer({"transfer": "basic", "objects": [self._place(entry) for entry in objects]})
            case ["api", "spaces", user, name, "commit", _]:
                self.hub.commit(f"{user}/{name}", [json.loads(line) for line in body.splitlines()])
                url = f"{self.hub.url}/spaces/{user}/{name}/commit/{COMMIT}"
                self._answer({"commitUrl": url, "commitOid": COMMIT})
            case _:
                self._missing()

    def _create(self, wanted: dict[str, str]) -> None:
        space = f"{wanted['organization']}/{wanted['name']}"
        assert (wanted["type"], wanted["sdk"]) == ("space", "gradio")
        exists = space in self.hub.spaces
        self.hub.spaces.setdefault(space, {".gitattributes": b"*.safetensors filter=lfs\n"})
        self._answer({"url": f"{self.hub.url}/spaces/{space}", "name": space}, 409 if exists else 200)

    def _place(self, entry: dict[str, Any]) -> dict[str, Any]:
        upload = {"href": f"{self.hub.url}/store/{entry['oid']}"}
        return {"oid": entry["oid"], "size": entry["size"], "actions": {"upload": upload}}


def _oid(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def _entry(path: str, content: bytes) -> dict[str, Any]:
    return {"type": "file", "path": path, "size": len(content), "oid": _oid(content)}


def _info(name: str, files: Files) -> dict[str, Any]:
    siblings = [{"rfilename": path, "size": len(content)} for path, content in files.items()]
    return {"_id": "0", "id": name, "modelId": name, "sha": COMMIT, "siblings": siblings, "tags": []}


def _mode(file: dict[str, Any]) -> dict[str, Any]:
    binary = b"\0" in base64.b64decode(file["sample"])
    return {"path": file["path"], "uploadMode": "lfs" if binary else "regular", "shouldIgnore": False}
