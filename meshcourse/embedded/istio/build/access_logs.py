"""Access loggers: Istio's default formats, and filters that say when a line is written.

Source: istio.io "Envoy Access Logs" and the extension providers of MeshConfig. One kind of provider is
our own, because Istio has none for it: ``envoyFluentdAccessLog`` (service, port, tag, logFormat.labels)
sends records to a collector by Fluentd's forward protocol.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from meshcourse.embedded.istio import names
from meshcourse.embedded.istio.build import proto
from meshcourse.embedded.istio.model import Json, MeshConfig

DEFAULT_TEXT: Final = (
    '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" '
    "%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% "
    '"%UPSTREAM_TRANSPORT_FAILURE_REASON%" %BYTES_RECEIVED% %BYTES_SENT% %DURATION% '
    '%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" '
    '"%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%" %UPSTREAM_CLUSTER_RAW% '
    "%UPSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS% "
    "%REQUESTED_SERVER_NAME% %ROUTE_NAME%\n"
)

#: Istio's default format for JSON encoding: the same values with names.
DEFAULT_JSON: Final[Json] = {
    "start_time": "%START_TIME%",
    "method": "%REQ(:METHOD)%",
    "path": "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%",
    "protocol": "%PROTOCOL%",
    "response_code": "%RESPONSE_CODE%",
    "response_flags": "%RESPONSE_FLAGS%",
    "response_code_details": "%RESPONSE_CODE_DETAILS%",
    "connection_termination_details": "%CONNECTION_TERMINATION_DETAILS%",
    "bytes_received": "%BYTES_RECEIVED%",
    "bytes_sent": "%BYTES_SENT%",
    "duration": "%DURATION%",
    "upstream_service_time": "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%",
    "x_forwarded_for": "%REQ(X-FORWARDED-FOR)%",
    "user_agent": "%REQ(USER-AGENT)%",
    "request_id": "%REQ(X-REQUEST-ID)%",
    "authority": "%REQ(:AUTHORITY)%",
    "upstream_host": "%UPSTREAM_HOST%",
    "upstream_cluster": "%UPSTREAM_CLUSTER_RAW%",
    "upstream_local_address": "%UPSTREAM_LOCAL_ADDRESS%",
    "downstream_local_address": "%DOWNSTREAM_LOCAL_ADDRESS%",
    "downstream_remote_address": "%DOWNSTREAM_REMOTE_ADDRESS%",
    "requested_server_name": "%REQUESTED_SERVER_NAME%",
    "route_name": "%ROUTE_NAME%",
    "upstream_transport_failure_reason": "%UPSTREAM_TRANSPORT_FAILURE_REASON%",
}


#: Istio's default names and whose line it is, which a file of one pod need not say.
DEFAULT_RECORD: Final[Json] = {
    **DEFAULT_JSON,
    "pod": "%ENVIRONMENT(POD_NAME)%",
    "namespace": "%ENVIRONMENT(POD_NAMESPACE)%",
}

#: The kind of extension provider that logs to a Fluentd collector.
FLUENTD: Final = "envoyFluentdAccessLog"

_STREAMS: Final = {
    "/dev/stdout": ("envoy.access_loggers.stdout", "StdoutAccessLog"),
    "/dev/stderr": ("envoy.access_loggers.stderr", "StderrAccessLog"),
}


def log_types(*names: str) -> Json:
    """An AccessLogFilter: only these moments of a stream's life."""
    return {"log_type_filter": {"types": list(names)}}


def both(*filters: Json | None) -> Json | None:
    """An AccessLogFilter: all of several; None where there is nothing to filter."""
    found = [one for one in filters if one is not None]
    if len(found) < 2:
        return found[0] if found else None
    return {"and_filter": {"filters": found}}


def expression(cel: str) -> Json:
    """An AccessLogFilter: a CEL expression, as in ``accessLogging.filter`` of a Telemetry."""
    return {
        "extension_filter": proto.named(
            "envoy.access_loggers.extension_filters.cel",
            "extensions.access_loggers.filters.cel.v3.ExpressionFilter",
            expression=cel,
        )
    }


def filtered(logger: Json, condition: Json | None) -> Json:
    """The logger with a further condition."""
    both_conditions = both(logger.get("filter"), condition)
    return logger if both_conditions is None else {**logger, "filter": both_conditions}


def file(
    path: str, text: str = "", labels: Json | None = None, *, omit_empty: bool = False
) -> Json:
    """A line per request in Istio's default format, in `text`, or as JSON with `labels`."""
    layout: Json = {"text_format_source": {"inline_string": text or DEFAULT_TEXT}}
    if labels:
        layout = {"json_format": labels}
    if omit_empty:
        layout["omit_empty_values"] = True
    if stream := _STREAMS.get(path):
        name, message = stream
        return proto.named(
            name, f"extensions.access_loggers.stream.v3.{message}", log_format=layout
        )
    return proto.named(
        "envoy.access_loggers.file",
        "extensions.access_loggers.file.v3.FileAccessLog",
        path=names.file(path),
        log_format=layout,
    )


def of_mesh(mesh: MeshConfig, path: str = "") -> Json:
    """The logger that the mesh configuration asks for (to another `path` if given)."""
    where = path or mesh.access_log_file
    if mesh.access_log_encoding == "JSON":
        return file(where, labels=_labels(mesh.access_log_format))
    return file(where, mesh.access_log_format)


def _labels(text: str) -> Json:
    """The format for JSON encoding; Istio's default if it cannot be read."""
    try:
        found = json.loads(text)
    except ValueError:
        return DEFAULT_JSON
    return found if isinstance(found, dict) and found else DEFAULT_JSON


def of_provider(kind: str, spec: Mapping[str, Any], mesh: MeshConfig) -> Json | None:
    """The logger of an extension provider; None for kinds that log nowhere here."""
    if kind == FLUENTD:
        return _fluentd(spec)
    if kind != "envoyFileAccessLog":
        return None
    path = str(spec.get("path") or "/dev/stdout")
    layout = spec.get("logFormat") or {}
    if not layout and not spec.get("omitEmptyValues"):
        return of_mesh(mesh, path)
    text = str(layout.get("text") or "")
    if text and not text.endswith("\n"):
        text += "\n"
    return file(path, text, layout.get("labels"), omit_empty=bool(spec.get("omitEmptyValues")))


def _fluentd(spec: Mapping[str, Any]) -> Json:
    """Records to the collector behind the cluster `names.FLUENTD`; it may start later than Envoy."""
    pause = {"base_interval": "0.25s", "max_interval": "2s"}
    return proto.named(
        "envoy.access_loggers.fluentd",
        "extensions.access_loggers.fluentd.v3.FluentdAccessLogConfig",
        cluster=names.FLUENTD,
        tag=str(spec.get("tag") or "envoy"),
        stat_prefix=names.FLUENTD,
        buffer_flush_interval="0.25s",
        record=(spec.get("logFormat") or {}).get("labels") or DEFAULT_RECORD,
        retry_options={"max_connect_attempts": 1_000_000, "backoff_options": pause},
    )
