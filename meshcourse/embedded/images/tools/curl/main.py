"""curl's entry point."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import BinaryIO

from meshcourse.embedded.images.tools.curl import errors, options, report, transfer
from meshcourse.embedded.images.tools.curl.errors import CurlError
from meshcourse.embedded.images.tools.curl.options import Options


class Output:
    """Where one transfer's body and headers go."""

    def __init__(self, asked: Options, url: str) -> None:
        self._asked = asked
        name = options.remote_name(url) if asked.remote_name else asked.output
        self._path = "" if name == "-" else name
        self._file: BinaryIO | None = None
        self._heads: BinaryIO | None = None

    def body(self) -> BinaryIO:
        """The stream for the body, opened when first needed."""
        if not self._path:
            return sys.stdout.buffer
        if self._file is None:
            self._file = _open(self._path)
        return self._file

    def head(self, text: str) -> None:
        """A line of the answer's head, printed for -i and -I, kept for -D."""
        if self._asked.include or self._asked.head:
            self.body().write(text.encode("latin-1", errors="replace"))
            self.body().flush()
        if self._asked.dump_header:
            if self._heads is None:
                self._heads = (
                    sys.stdout.buffer
                    if self._asked.dump_header == "-"
                    else _open(self._asked.dump_header)
                )
            self._heads.write(text.encode("latin-1", errors="replace"))

    def close(self) -> None:
        """Close what was opened."""
        for stream in (self._file, self._heads):
            if stream is not None and stream is not sys.stdout.buffer:
                stream.close()
        sys.stdout.buffer.flush()


def _open(path: str) -> BinaryIO:
    try:
        return Path(path).open("wb")
    except OSError as error:
        raise CurlError(
            errors.WRITE_ERROR, f"Failure writing output to destination: {error.strerror}"
        ) from error


def _tell(line: str) -> None:
    print(line, file=sys.stderr)


def _mute(line: str) -> None:
    """-v was not given."""


def fetch(asked: Options, url: str) -> int:
    """One URL to its end; curl's exit code."""
    output = Output(asked, url)
    result = transfer.Result(url)
    sinks = transfer.Sinks(output.body, output.head, _tell if asked.verbose else _mute)
    try:
        transfer.run(asked, url, result, sinks)
    except CurlError as error:
        result.error = error
        result.times.total = result.times.now()
        if not asked.quiet:
            sys.stdout.flush()
            print(error, file=sys.stderr)
    finally:
        output.close()
    if asked.write_out:
        sys.stdout.write(report.write_out(asked.write_out, result))
        sys.stdout.flush()
    return result.error.code if result.error else 0


def main(argv: list[str]) -> int:
    """``curl …``; argv[0] is the program."""
    try:
        asked = options.parse(argv[1:])
        if asked.help or asked.version:
            sys.stdout.write(report.HELP if asked.help else report.VERSION)
            return 0
        if not asked.urls:
            raise errors.UsageError("(2) no URL specified")
    except CurlError as error:
        print(error, file=sys.stderr)
        return error.code
    code = 0
    for url in asked.urls:
        code = fetch(asked, options.url_of(url))
    return code
