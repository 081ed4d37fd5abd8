"""The versions taught and imitated. The only place where they are written down."""

from __future__ import annotations

from typing import Final

#: The Istio release that the course teaches (istio.io, 1.30 line).
ISTIO: Final = "1.30.4"
#: The Kubernetes release whose API the embedded cluster serves.
KUBERNETES: Final = "v1.35.0"
#: Where Istio publishes its images since 1.30.
ISTIO_HUB: Final = "registry.istio.io/release"
#: The tag of the Bookinfo images.
BOOKINFO: Final = "1.20.3"
#: This package.
COURSE: Final = "0.1.0"
