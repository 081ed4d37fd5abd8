"""EnvoyFilter: changes to what translation has built, object by object.

Pure. Patched objects are copies; what no patch touches stays the same object, so that sharing and
cached encodings survive.

Source: istio.io reference of EnvoyFilter, pilot's envoyfilter package. What differs here because
there is no iptables: a sidecar has one outbound listener pair instead of one for each port, so a
``portNumber`` of an outbound listener selects both of them (patches act on all outbound ports), and
an inbound listener for each port, all of which answer to the name ``virtualInbound``. ``BOOTSTRAP``
patches have no effect.
"""

from __future__ import annotations

from meshcourse.embedded.istio.patches.apply import Subject, apply
from meshcourse.embedded.istio.patches.selection import in_force

__all__ = ["Subject", "apply", "in_force"]
