"""Tiny images for tests: functions that the fork server calls in a child."""

from __future__ import annotations

import http.server
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any


def show(argv: list[str]) -> int:
    print(argv)
    print(os.environ["COLOUR"])
    return 5


def hello(argv: list[str]) -> None:
    print("hello")


def leave(argv: list[str]) -> None:
    sys.exit(7)


def leave_with_words(argv: list[str]) -> None:
    sys.exit("so long")


def fail(argv: list[str]) -> None:
    raise ValueError("wrong")


def wait(argv: list[str]) -> None:
    signal.pause()


def stubborn(argv: list[str]) -> None:
    """Does not stop on SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: print("no", flush=True))
    print("ready", flush=True)
    while True:
        time.sleep(60)


def descriptors(argv: list[str]) -> None:
    print([fd for fd in range(200) if _is_open(fd)])


def _is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def last_words(argv: list[str]) -> int:
    (Path(os.environ["MESHCOURSE_ROOT"]) / "dev/termination-log").write_text("I was told to go")
    return 1


def web(argv: list[str]) -> None:
    """Answers with its name; /fail once the file ``fail`` is in its directory, /env with its environment."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            broken = self.path == "/health" and Path("fail").exists()
            environment = {**os.environ, "headers": dict(self.headers)}
            body = json.dumps(environment).encode() if self.path == "/env" else name
            self.send_response(500 if broken else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: Any) -> None:
            return

    name = os.environ["HOSTNAME"].encode()
    port, _ = json.loads(os.environ["MESHCOURSE_PORTS"]).get("8080", (8080, 8080))
    Handler.protocol_version = "HTTP/1.1"
    server = http.server.ThreadingHTTPServer((os.environ["MESHCOURSE_LISTEN_HOST"], port), Handler)
    print("listening", flush=True)
    server.serve_forever()
