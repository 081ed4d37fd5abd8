"""``python -m meshcourse.embedded.istioctl``."""

from __future__ import annotations

import sys

from meshcourse.embedded.istioctl.main import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
