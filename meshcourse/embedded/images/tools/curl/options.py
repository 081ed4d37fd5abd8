"""curl's command line."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote_plus, urlsplit

from meshcourse.embedded.images.tools.curl.errors import UsageError

#: Flags without a value: long name → field that becomes True.
FLAGS = {
    "silent": "silent",
    "show-error": "show_error",
    "head": "head",
    "include": "include",
    "show-headers": "include",
    "verbose": "verbose",
    "insecure": "insecure",
    "location": "follow",
    "fail": "fail",
    "fail-with-body": "fail_with_body",
    "get": "get",
    "remote-name": "remote_name",
    "help": "help",
    "version": "version",
}
#: Flags that change nothing here: what they ask for is so, or has no meaning for one HTTP/1.1 request.
IGNORED = {
    "http1.1",
    "http2",
    "no-buffer",
    "ipv4",
    "ipv6",
    "no-progress-meter",
    "globoff",
    "compressed",
    "disable",
}
#: Options with a value: long name → field.
VALUES = {
    "output": "output",
    "write-out": "write_out",
    "request": "method",
    "user": "user",
    "user-agent": "agent",
    "referer": "referer",
    "cookie": "cookie",
    "max-time": "max_time",
    "connect-timeout": "connect_timeout",
    "max-redirs": "max_redirects",
    "cacert": "ca",
    "cert": "cert",
    "key": "key",
    "proxy": "proxy",
    "noproxy": "no_proxy",
    "dump-header": "dump_header",
    "oauth2-bearer": "bearer",
}
#: Options with a value that may be given several times.
LISTS = {"header": "headers", "resolve": "resolve", "connect-to": "connect_to", "url": "urls"}
DATA = {"data", "data-ascii", "data-binary", "data-raw", "data-urlencode", "json"}
SHORT = {
    **{
        "s": "silent",
        "S": "show-error",
        "I": "head",
        "i": "include",
        "v": "verbose",
        "k": "insecure",
    },
    **{"L": "location", "f": "fail", "G": "get", "O": "remote-name", "h": "help", "V": "version"},
    **{
        "o": "output",
        "w": "write-out",
        "X": "request",
        "u": "user",
        "A": "user-agent",
        "e": "referer",
    },
    **{
        "b": "cookie",
        "m": "max-time",
        "E": "cert",
        "x": "proxy",
        "D": "dump-header",
        "H": "header",
        "d": "data",
    },
    **{"N": "no-buffer", "4": "ipv4", "6": "ipv6", "g": "globoff", "q": "disable"},
}


@dataclass
class Options:
    """What a command line asks for; times in seconds."""

    urls: list[str] = field(default_factory=list)
    headers: list[str] = field(default_factory=list)
    resolve: list[str] = field(default_factory=list)
    connect_to: list[str] = field(default_factory=list)
    data: bytes | None = None
    json: bool = False
    method: str = ""
    output: str = ""
    write_out: str = ""
    user: str = ""
    bearer: str = ""
    agent: str = ""
    referer: str = ""
    cookie: str = ""
    ca: str = ""
    cert: str = ""
    key: str = ""
    proxy: str | None = None
    no_proxy: str | None = None
    dump_header: str = ""
    max_time: float = 0.0
    connect_timeout: float = 0.0
    max_redirects: int = 50
    silent: bool = False
    show_error: bool = False
    head: bool = False
    include: bool = False
    verbose: bool = False
    insecure: bool = False
    follow: bool = False
    fail: bool = False
    fail_with_body: bool = False
    get: bool = False
    remote_name: bool = False
    help: bool = False
    version: bool = False

    @property
    def quiet(self) -> bool:
        """Whether errors are kept silent."""
        return self.silent and not self.show_error


def parse(arguments: list[str]) -> Options:
    """The options of a command line.

    :raises UsageError: for an option that is unknown or lacks its value.
    """
    options = Options()
    words = list(arguments)
    while words:
        word = words.pop(0)
        if word.startswith("--") and len(word) > 2:
            _long(options, word[2:], words)
        elif word.startswith("-") and len(word) > 1:
            _short(options, word[1:], words)
        else:
            options.urls.append(word)
    return options


def _short(options: Options, letters: str, words: list[str]) -> None:
    """``-sSo/dev/null``: flags may share a dash, and a value may stick to its letter."""
    while letters:
        letter, letters = letters[0], letters[1:]
        name = SHORT.get(letter)
        if name is None:
            raise UsageError(f"option -{letter}: is unknown")
        if name in FLAGS or name in IGNORED:
            _flag(options, name, True)
            continue
        if letters:
            words.insert(0, letters)
        _value(options, name, words)
        return


def _long(options: Options, name: str, words: list[str]) -> None:
    negated = name.removeprefix("no-")
    if name in FLAGS or name in IGNORED:
        _flag(options, name, True)
    elif negated in FLAGS:
        _flag(options, negated, False)
    elif name in VALUES or name in LISTS or name in DATA:
        _value(options, name, words)
    else:
        raise UsageError(f"option --{name}: is unknown")


def _flag(options: Options, name: str, value: bool) -> None:
    if name in FLAGS:
        setattr(options, FLAGS[name], value)


def _value(options: Options, name: str, words: list[str]) -> None:
    if not words:
        raise UsageError(f"option --{name}: requires parameter")
    value = words.pop(0)
    if name in DATA:
        _data(options, name, value)
    elif name in LISTS:
        getattr(options, LISTS[name]).append(value)
    else:
        setattr(options, VALUES[name], _typed(name, value))


def _typed(name: str, value: str) -> str | float | int:
    try:
        if name in ("max-time", "connect-timeout"):
            return float(value)
        return int(value) if name == "max-redirs" else value
    except ValueError as error:
        raise UsageError(f"option --{name}: expected a proper numerical parameter") from error


def _data(options: Options, name: str, value: str) -> None:
    piece = _urlencoded(value) if name == "data-urlencode" else _plain(name, value)
    joint = b"" if options.data is None or name == "json" else b"&"
    options.data = (options.data or b"") + joint + piece
    options.json = options.json or name == "json"


def _read(path: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    except OSError as error:
        raise UsageError(f"Failed to open {path}: {error.strerror}") from error


def _plain(name: str, value: str) -> bytes:
    if not value.startswith("@") or name == "data-raw":
        return value.encode()
    content = _read(value[1:])
    if name in ("data-binary", "json"):
        return content
    return content.replace(b"\r", b"").replace(b"\n", b"")


def _urlencoded(value: str) -> bytes:
    name, equals, text = value.partition("=")
    if not equals:
        name, text = "", value
    return ((name + "=" if name else "") + quote_plus(text).replace("+", "%20")).encode()


def url_of(text: str) -> str:
    """A URL with its scheme; without one curl guesses http."""
    return text if "://" in text else f"http://{text}"


def remote_name(url: str) -> str:
    """The file name at a URL's end, for -O."""
    return urlsplit(url).path.rsplit("/", 1)[-1] or "curl_response"
