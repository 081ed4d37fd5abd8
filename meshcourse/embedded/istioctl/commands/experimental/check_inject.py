"""``istioctl x check-inject``: which webhook injects a pod, and why (not)."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from meshcourse.embedded.istioctl import context, pods
from meshcourse.embedded.istioctl.context import Context, Failure
from meshcourse.embedded.kube import objects, refs, selectors
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.status import ApiError

Labels = Mapping[str, str]
HEADER: Final = ["WEBHOOK", "REVISION", "INJECTED", "REASON"]
_INJECTION: Final = "istio-injection"
_EVERYWHERE: Final = "kubernetes.io/metadata.name"
_GAP: Final = 1


def add(commands: Any, parents: Sequence[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "check-inject",
        parents=parents,
        help="Check the injection status or inject-ability of a given resource, explains why it is "
        "(or will be) injected or not",
        description="Compares labels with the selectors of the injection webhooks.",
        epilog="  istioctl x check-inject deployment/reviews-v1\n"
        "  istioctl x check-inject -n shop -l app=web,version=v1",
    )
    parser.add_argument("pod", nargs="?", default="", help="[<type>/]<name>[.<namespace>]")
    parser.add_argument(
        "--labels", "-l", default="", help="Labels of a pod that does not exist yet"
    )
    parser.set_defaults(run=run)


def run(ctx: Context, options: argparse.Namespace) -> int:
    if not options.pod and not options.labels:
        raise Failure(
            "check-inject requires only [<resource-type>/]<resource-name>[.<namespace>], or specify "
            "labels flag"
        )
    pod, namespace, hooks = context.run(_read(ctx, options))
    rows = list(judge(hooks, pod, namespace))
    if not rows:
        ctx.print("ERROR: no Istio injection hooks present.")
        return 0
    shown = [[name, revision, "✔" if yes else "✘", why] for name, revision, yes, why in rows]
    ctx.print(context.table([HEADER, *shown], _GAP))
    if sum(yes for _, _, yes, _ in rows) > 1:
        ctx.print("ERROR: multiple webhooks will inject, which can lead to errors")
    return 0


async def _read(ctx: Context, options: argparse.Namespace) -> tuple[Labels, Labels, list[Object]]:
    """Labels of the pod and of its namespace; the webhook configurations."""
    async with ctx.client() as client:
        try:
            if options.pod:
                key = await pods.resolve(client, ctx, options.pod)
                pod = objects.labels(await client.get(refs.PODS, key.name, key.namespace))
                where = key.namespace
            else:
                pairs = (one.partition("=") for one in options.labels.split(","))
                pod = {name: value for name, _, value in pairs}
                where = ctx.namespace_or_default
            namespace = objects.labels(await client.get(refs.NAMESPACES, where))
        except ApiError as error:
            raise Failure(error.message) from error
        return pod, namespace, (await client.list(refs.MUTATING_WEBHOOKS)).items


def judge(
    configurations: Sequence[Object], pod: Labels, namespace: Labels
) -> Iterator[tuple[str, str, bool, str]]:
    """Name, revision, whether it injects and why, of each of Istio's webhook configurations."""
    for one in sorted(configurations, key=objects.name):
        hooks = one.get("webhooks") or []
        if any(str(hook.get("name", "")).endswith("istio.io") for hook in hooks):
            revision = objects.labels(one).get("istio.io/rev", "")
            yield objects.name(one), revision, *_decide(hooks, pod, namespace)


def _decide(hooks: Sequence[Object], pod: Labels, namespace: Labels) -> tuple[bool, str]:
    for hook in hooks:
        of_namespace, of_pod = hook.get("namespaceSelector"), hook.get("objectSelector")
        near, own = _matches(of_namespace, namespace), _matches(of_pod, pod)
        if near and own:
            why = _reason(_label(of_namespace, namespace), _label(of_pod, pod))
        elif near:
            why = _prevented(of_pod or {}, pod)
        else:
            why = _disabled(namespace) if own else ""
        if why:
            return near and own, why
    return False, _unmatched(hooks)


def _matches(selector: Object | None, labels: Labels) -> bool:
    return selectors.from_object(selector or {}).matches(labels)


def _label(selector: Object | None, labels: Labels) -> str:
    """The label by which a selector matches."""
    for one in (selector or {}).get("matchExpressions") or ():
        if one.get("operator") in ("In", "NotIn") and one["key"] in labels:
            return f"{one['key']}={labels[one['key']]}"
    return ""


def _reason(namespace: str, pod: str) -> str:
    if namespace and pod:
        return f"Namespace label {namespace} matches, and pod label {pod} matches"
    if namespace:
        automatic = " (Automatic injection is enabled in all namespaces)."
        return f"Namespace label {namespace} matches" + (
            automatic if _EVERYWHERE in namespace else ""
        )
    return f"Pod label {pod} matches" if pod else ""


def _prevented(selector: Object, pod: Labels) -> str:
    for one in selector.get("matchExpressions") or ():
        key, operator = one.get("key"), one.get("operator")
        forbidden = operator == "DoesNotExist" or (
            operator == "NotIn" and pod.get(key) in (one.get("values") or ())
        )
        if forbidden and key in pod:
            return f"Pod has {key}={pod[key]} label, preventing injection"
    return ""


def _disabled(namespace: Labels) -> str:
    value = namespace.get(_INJECTION, "enabled")
    return (
        ""
        if value == "enabled"
        else (f"Namespace has {_INJECTION}={value} label, preventing injection")
    )


def _unmatched(hooks: Sequence[Object]) -> str:
    def wanted(part: str) -> str:
        return ", ".join(
            f"{one['key']}={value}"
            for hook in hooks
            for one in (hook.get(f"{part}Selector") or {}).get("matchExpressions") or ()
            if one.get("operator") == "In"
            for value in one.get("values") or ()
        )

    return (
        f"No matching namespace labels ({wanted('namespace')}) or pod labels ({wanted('object')})"
    )
