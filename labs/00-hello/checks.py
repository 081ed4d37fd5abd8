"""Is the learner's name in the cluster?"""

from __future__ import annotations

from meshcourse.lab import Cluster, Finding, check


@check("Look for a ConfigMap called hello in the namespace default")
def there(cluster: Cluster) -> Finding:
    found = cluster.exists("configmap", "hello", "default")
    return Finding(
        found,
        "it is there" if found else "there is none",
        "a ConfigMap called hello",
        "`%kubectl get configmaps` lists what there is",
    )


@check("Read the entry `name` in it")
def named(cluster: Cluster) -> Finding:
    data = cluster.get("configmap", "hello", "default").get("data") or {}
    name = data.get("name", "")
    return Finding(
        bool(name.strip()),
        f"hello, {name}!" if name.strip() else f"data: {data}",
        "a key `name` with a text of your choice",
        "`%kubectl get configmap hello -o yaml` shows the whole object",
    )
