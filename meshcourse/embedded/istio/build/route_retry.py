"""Retry policies. Source: istio.io reference of HTTPRetry, pilot's defaults in the version taught
(503 is not retried).
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from meshcourse.embedded.istio import durations
from meshcourse.embedded.istio.build import proto
from meshcourse.embedded.istio.model import Json

_DEFAULT_ON: Final = "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes"
_BY_STATUS: Final = "retriable-status-codes"
_ATTEMPTS: Final = 2
_CODES: Final = frozenset(int(one) for one in HTTPStatus)

_OTHER_HOSTS: Final[Json] = proto.named(
    "envoy.retry_host_predicates.previous_hosts",
    "extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate",
)
_OTHER_PRIORITIES: Final[Json] = proto.named(
    "envoy.retry_priorities.previous_priorities",
    "extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig",
    update_frequency=2,
)


def build(policy: Mapping[str, Any] | None, *, hashed: bool = False) -> Json | None:
    """Envoy's RetryPolicy; None if retries are switched off.

    :param policy: an HTTPRetry; None is Istio's default.
    :param hashed: the destination uses consistent hashing, which other hosts would break.
    """
    result: Json = {
        "retry_on": _DEFAULT_ON,
        "num_retries": _ATTEMPTS,
        "host_selection_retry_max_attempts": 5,
    }
    if not hashed:
        result["retry_host_predicate"] = [_OTHER_HOSTS]
    if policy is None:
        return result
    attempts = int(policy.get("attempts") or 0)
    if attempts <= 0:
        return None
    return {**result, "num_retries": attempts, **_conditions(policy), **_details(policy)}


def _conditions(policy: Mapping[str, Any]) -> Json:
    """``retryOn`` mixes Envoy's conditions with status codes."""
    text = policy.get("retryOn") or ""
    if not text:
        return {}
    parts = [one.strip() for one in text.split(",") if one.strip()]
    codes = [int(one) for one in parts if one.isdigit() and int(one) in _CODES]
    words = [one for one in parts if not (one.isdigit() and int(one) in _CODES)]
    if codes and _BY_STATUS not in words:
        words.append(_BY_STATUS)
    return proto.compact(retry_on=",".join(words), retriable_status_codes=codes)


def _details(policy: Mapping[str, Any]) -> Json:
    result = proto.compact(per_try_timeout=durations.proto(policy.get("perTryTimeout")))
    if (ignore := policy.get("retryIgnorePreviousHosts")) is not None:
        result["retry_host_predicate"] = [_OTHER_HOSTS] if ignore else []
    if policy.get("retryRemoteLocalities"):
        result["retry_priority"] = _OTHER_PRIORITIES
    if backoff := policy.get("backoff"):
        result["retry_back_off"] = {"base_interval": durations.proto(backoff)}
    return result
