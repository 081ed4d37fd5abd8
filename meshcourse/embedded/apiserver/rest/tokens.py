"""``serviceaccounts/token``: TokenRequest."""

from __future__ import annotations

import datetime as dt

from meshcourse.embedded.apiserver.auth.tokens import ISSUER, Binding
from meshcourse.embedded.apiserver.core import Core
from meshcourse.embedded.apiserver.rest import read, virtual
from meshcourse.embedded.apiserver.rest.call import Call
from meshcourse.embedded.kube import objects, refs, status
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.status import ApiError, Cause

_DEFAULT_SECONDS = 3600
_LEAST_SECONDS = 600
_MOST_SECONDS = 1 << 32
_BOUND = {"Pod": refs.PODS, "Secret": refs.SECRETS, "Node": refs.NODES}


class TokenRequests(virtual.Virtual):
    async def create(self, core: Core, call: Call, body: Object) -> Object:
        """A signed token for the service account in the URL."""
        account = read.stored(core, call)
        spec = {**(body.get("spec") or {})}
        seconds = _seconds(spec)
        audiences = list(spec.get("audiences") or ()) or [ISSUER]
        binding = _binding(core, call, account, spec.get("boundObjectRef"))
        token, expires = core.tokens.issue(binding, audiences, seconds)
        spec |= {"audiences": audiences, "expirationSeconds": seconds}
        return {
            "kind": "TokenRequest",
            "apiVersion": "authentication.k8s.io/v1",
            "metadata": {
                "name": call.name,
                "namespace": call.namespace,
                "creationTimestamp": objects.now(),
            },
            "spec": spec,
            "status": {"token": token, "expirationTimestamp": _time(expires)},
        }


def _time(seconds: int) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _seconds(spec: Object) -> int:
    seconds = spec.get("expirationSeconds")
    if seconds is None:
        return _DEFAULT_SECONDS
    why = ""
    if not isinstance(seconds, int) or seconds < _LEAST_SECONDS:
        why = "may not specify a duration less than 10 minutes"
    elif seconds > _MOST_SECONDS:
        why = "may not specify a duration larger than 2^32 seconds"
    if why:
        cause = Cause(
            "FieldValueInvalid", f"Invalid value: {seconds}: {why}", "spec.expirationSeconds"
        )
        raise status.invalid(_REQUEST, "", [cause])
    return int(seconds)


_REQUEST = refs.Resource("authentication.k8s.io", "v1", "tokenrequests", "TokenRequest")


def _binding(core: Core, call: Call, account: Object, ref: Object | None) -> Binding:
    identity = (call.namespace, call.name, objects.uid(account))
    if not ref:
        return Binding(*identity)
    resource = _BOUND.get(ref.get("kind", ""))
    if resource is None:
        raise status.bad_request(f"cannot bind token to object of kind {ref.get('kind')}")
    name = ref.get("name", "")
    found = core.store.get(resource.qualified, call.namespace if resource.namespaced else "", name)
    if found is None:
        raise status.not_found(resource, name)
    uid = objects.uid(found)
    if ref.get("uid") and ref["uid"] != uid:
        why = (
            f"the UID in the bound object reference ({ref['uid']}) does not match the UID in "
            f"record. The object might have been deleted and then recreated"
        )
        raise status.conflict(resource, name, why)
    if resource is refs.PODS:
        return _to_pod(call, found, identity, uid)
    if resource is refs.NODES:
        return Binding(*identity, node=name)
    return Binding(*identity, secret=name, secret_uid=uid)


def _to_pod(call: Call, pod: Object, identity: tuple[str, str, str], uid: str) -> Binding:
    if objects.dig(pod, "spec.serviceAccountName") != call.name:
        raise ApiError(
            400,
            "BadRequest",
            f"cannot bind token for serviceaccount {call.name!r} to pod running with different "
            "serviceaccount name.",
        )
    node = objects.dig(pod, "spec.nodeName", "")
    return Binding(*identity, pod=objects.name(pod), pod_uid=uid, node=node)
