"""emailservice: writes a line where a letter would go, as upstream's does outside the cloud."""

from __future__ import annotations

from typing import Any

from meshcourse.embedded.images import common
from meshcourse.embedded.images.boutique import messages, rpc

PORT = 8080


async def _confirm(request: Any, forward: rpc.Metadata) -> Any:
    common.say(f"order {request.order.order_id}: a confirmation would go to {request.email}")
    return messages.make("Empty")


METHODS: dict[str, rpc.Method] = {"SendOrderConfirmation": _confirm}


def main(argv: list[str]) -> int:
    """Image microservices-demo/emailservice."""
    return common.run(lambda: rpc.serve("EmailService", METHODS, rpc.port_of(PORT)))
