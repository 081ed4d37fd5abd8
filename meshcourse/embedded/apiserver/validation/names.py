"""Rules for names, keys and values: each function returns the messages for a bad one, [] for a good one.

Source: apimachinery's validation (regular expressions, limits, wording).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

#: A rule for a name.
Rule = Callable[[str], list[str]]

_LABEL: Final = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN: Final = rf"{_LABEL}(\.{_LABEL})*"
_DNS1035: Final = "[a-z]([-a-z0-9]*[a-z0-9])?"
_KEY: Final = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_VALUE: Final = f"({_KEY})?"
_CONFIG_KEY: Final = "[-._a-zA-Z0-9]+"
_HEADER: Final = "[-A-Za-z0-9]+"
_PERCENT: Final = "[0-9]+%"
_WILDCARD: Final = rf"\*\.{_SUBDOMAIN}"
_KEY_MESSAGE: Final = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character"
)


def _matches(pattern: str, text: str) -> bool:
    return re.fullmatch(pattern, text) is not None


def _regex(message: str, pattern: str, *examples: str) -> str:
    shown = " or ".join(f"'{example}', " for example in examples)
    return f"{message} (e.g. {shown}regex used for validation is '{pattern}')"


def _length(text: str, most: int) -> list[str]:
    return [f"must be no more than {most} characters"] if len(text.encode()) > most else []


def dns1123_label(text: str) -> list[str]:
    errors = _length(text, 63)
    if not _matches(_LABEL, text):
        if _matches(_SUBDOMAIN, text):
            return [*errors, "must not contain dots"]
        message = (
            "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start "
            "and end with an alphanumeric character"
        )
        errors.append(_regex(message, _LABEL, "my-name", "123-abc"))
    return errors


def dns1123_subdomain(text: str) -> list[str]:
    errors = _length(text, 253)
    if not _matches(_SUBDOMAIN, text):
        message = (
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must "
            "start and end with an alphanumeric character"
        )
        errors.append(_regex(message, _SUBDOMAIN, "example.com"))
    return errors


def dns1035_label(text: str) -> list[str]:
    errors = _length(text, 63)
    if not _matches(_DNS1035, text):
        message = (
            "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic "
            "character, and end with an alphanumeric character"
        )
        errors.append(_regex(message, _DNS1035, "my-name", "abc-123"))
    return errors


def wildcard_subdomain(text: str) -> list[str]:
    errors = _length(text, 253)
    if not _matches(_WILDCARD, text):
        message = (
            "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist "
            "of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character"
        )
        errors.append(_regex(message, _WILDCARD, "*.example.com"))
    return errors


def path_segment(text: str) -> list[str]:
    """Names of roles and other kinds that only have to fit into a URL."""
    if text in (".", ".."):
        return [f"may not be '{text}'"]
    return [f"may not contain '{each}'" for each in ("/", "%") if each in text]


def label_key(text: str) -> list[str]:
    """An optional DNS subdomain and "/", then a name of at most 63 characters."""
    prefix, slash, name = text.rpartition("/")
    if "/" in prefix:
        shown = _regex(_KEY_MESSAGE, _KEY, "MyName", "my.name", "123-abc")
        return [
            f"a valid label key {shown} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
        ]
    errors: list[str] = []
    if slash and not prefix:
        errors.append("prefix part must be non-empty")
    elif slash:
        errors += [f"prefix part {message}" for message in dns1123_subdomain(prefix)]
    if not name:
        errors.append("name part must be non-empty")
    elif len(name) > 63:
        errors.append("name part must be no more than 63 characters")
    if not _matches(_KEY, name):
        errors.append(f"name part {_regex(_KEY_MESSAGE, _KEY, 'MyName', 'my.name', '123-abc')}")
    return errors


def label_value(text: str) -> list[str]:
    errors = _length(text, 63)
    if not _matches(_VALUE, text):
        message = f"a valid label must be an empty string or {_KEY_MESSAGE.removeprefix('must ')}"
        errors.append(_regex(message, _VALUE, "MyValue", "my_value", "12345"))
    return errors


def config_key(text: str) -> list[str]:
    """A key of a ConfigMap or Secret, which may become a file name."""
    errors = _length(text, 253)
    if not _matches(_CONFIG_KEY, text):
        message = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"
        errors.append(_regex(message, _CONFIG_KEY, "key.name", "KEY_NAME", "key-name"))
    return errors + _dots(text)


def _dots(text: str) -> list[str]:
    if text in (".", ".."):
        return [f"must not be '{text}'"]
    return ["must not start with '..'"] if text.startswith("..") else []


def env_name(text: str) -> list[str]:
    """Printable ASCII without "=" (the relaxed rule, default since 1.34)."""
    errors = [] if text else ["environment variable name must be non-empty"]
    if any(not " " <= character <= "~" or character == "=" for character in text):
        errors.append(
            "a valid environment variable name must consist only of printable ASCII characters other than '='"
        )
    return errors


def port_name(text: str) -> list[str]:
    """An IANA service name: the name of a port."""
    errors = _length(text, 15)
    if not _matches("[-a-z0-9]+", text):
        errors.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not re.search("[a-z]", text):
        errors.append("must contain at least one letter (a-z)")
    if "--" in text:
        errors.append("must not contain consecutive hyphens")
    if text.startswith("-") or text.endswith("-"):
        errors.append("must not begin or end with a hyphen")
    return errors


def header_name(text: str) -> list[str]:
    if _matches(_HEADER, text):
        return []
    message = "a valid HTTP header must consist of alphanumeric characters or '-'"
    return [_regex(message, _HEADER, "X-Header-Name")]


def percent(text: str) -> list[str]:
    if _matches(_PERCENT, text):
        return []
    message = "a valid percent string must be a numeric string followed by an ending '%'"
    return [_regex(message, _PERCENT, "1%", "93%")]


def port_number(port: object) -> list[str]:
    if isinstance(port, int) and 1 <= port <= 65535:
        return []
    return ["must be between 1 and 65535, inclusive"]


def fully_qualified(text: str) -> list[str]:
    """A domain of three segments or more: the names of webhooks."""
    errors = dns1123_subdomain(text)
    if errors:
        return [",".join(errors)]
    if text.count(".") < 2:
        return ["should be a domain with at least three segments separated by dots"]
    return []
