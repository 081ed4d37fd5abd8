"""``python -m tests.conformance``: the coverage; ``--missing``: what is left; ``--write``: docs/unsupported.md."""

from __future__ import annotations

import sys

from tests.conformance import report, table


def main(arguments: list[str]) -> int:
    """Print what was asked for; 1 if a field is in no table."""
    if "--write" in arguments:
        report.PAGE.write_text(report.page())
    print(report.text())
    missing = [(kind, one) for kind, found in table.read().items() for one in found.missing]
    if "--missing" in arguments:
        for (_, kind), path in missing:
            print(f"{kind} {path}")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
