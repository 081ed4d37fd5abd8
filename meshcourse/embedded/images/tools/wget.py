"""wget for machines that have none, on top of our curl."""

from __future__ import annotations

import sys

from meshcourse.embedded.images.tools.curl import main as curl
from meshcourse.embedded.images.tools.curl import options

USAGE = "usage: wget [-q] [-S] [-O FILE] [-T SECONDS] [--header NAME:VALUE] [--post-data DATA] [--spider] URL"
FLAGS = {
    "-q": ["-s"],
    "--quiet": ["-s"],
    "-S": ["-v"],
    "--server-response": ["-v"],
    "--spider": ["-I", "-o/dev/null"],
}
VALUES = {
    "-O": "-o",
    "--output-document": "-o",
    "-T": "-m",
    "--timeout": "-m",
    "--header": "-H",
    "--post-data": "-d",
    "-U": "-A",
    "--user-agent": "-A",
}


def arguments(words: list[str]) -> list[str]:
    """curl's arguments for wget's.

    :raises ValueError: for an option that is unknown, lacks its value, or if there is no URL.
    """
    found = ["-L", "-f"]
    words = [part for word in words for part in _spelled_out(word)]
    urls = []
    while words:
        word = words.pop(0)
        if word in FLAGS:
            found += FLAGS[word]
        elif word in VALUES and words:
            found += [VALUES[word], words.pop(0)]
        elif word.startswith("-"):
            raise ValueError(f"unrecognized option: {word}")
        else:
            urls.append(word)
    if len(urls) != 1:
        raise ValueError("one URL is needed")
    if not {"-o", "-o/dev/null"} & set(found):
        found += [
            "-o",
            options.remote_name(options.url_of(urls[0])).replace("curl_response", "index.html"),
        ]
    return [*found, urls[0]]


def _spelled_out(word: str) -> list[str]:
    """``-qO-`` → ``-q -O -``; ``--header=H`` → ``--header H``."""
    if word.startswith("--"):
        return word.split("=", 1)
    parts: list[str] = []
    while word.startswith("-") and len(word) > 2:
        parts.append(word[:2])
        rest = word[2:]
        if parts[-1] in VALUES:
            return [*parts, rest]
        word = "-" + rest
    return [*parts, word]


def main(argv: list[str]) -> int:
    """``wget …``."""
    try:
        words = arguments(argv[1:])
    except ValueError as error:
        print(f"wget: {error}\n{USAGE}", file=sys.stderr)
        return 1
    return min(curl.main(["curl", *words]), 1)
