"""Bad input gets what Kubernetes says, word for word, and nothing is stored half-way."""

from __future__ import annotations

import json

import pytest

from tests.integration.kubectl.conftest import APP, Kubectl, rows

pytestmark = pytest.mark.kubectl

_POD = """\
apiVersion: v1
kind: Pod
metadata: {name: p}
spec:
  containers:
  - name: a
    image: busybox
"""
_SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
    "and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_CRD = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: routes.test.meshcourse.io}
spec:
  group: test.meshcourse.io
  scope: Namespaced
  names: {plural: routes, singular: route, kind: Route, shortNames: [rt]}
  versions:
  - name: v1
    served: true
    storage: true
    additionalPrinterColumns:
    - {name: Hosts, type: string, jsonPath: .spec.hosts}
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            required: [hosts]
            properties:
              hosts: {type: array, items: {type: string}}
              weight: {type: integer, minimum: 0, maximum: 100}
              mode: {type: string, enum: [A, B], default: A}
"""
_ROUTE = """\
apiVersion: test.meshcourse.io/v1
kind: Route
metadata: {name: r}
spec:
  hosts: [reviews]
  weight: 10
"""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            APP.replace("replicas: 2", "replicass: 2"),
            'Error from server (BadRequest): error when creating "bad.yaml": Deployment in version "v1" cannot be '
            'handled as a Deployment: strict decoding error: unknown field "spec.replicass"',
        ),
        (
            APP.replace("replicas: 2", "replicas: two"),
            'Error from server (BadRequest): error when creating "bad.yaml": Deployment in version "v1" cannot be '
            "handled as a Deployment: json: cannot unmarshal string into Go struct field "
            "DeploymentSpec.spec.replicas of type int32",
        ),
        (
            APP.replace("value: hello", "value: 1"),
            'Error from server (BadRequest): error when creating "bad.yaml": Deployment in version "v1" cannot be '
            "handled as a Deployment: json: cannot unmarshal number into Go struct field "
            "EnvVar.spec.template.spec.containers.env.value of type string",
        ),
        (
            APP.replace("{name: web, labels", "{name: Web_1, labels"),
            f'The Deployment "Web_1" is invalid: metadata.name: Invalid value: "Web_1": {_SUBDOMAIN}',
        ),
        (
            APP.replace("matchLabels: {app: web}", "matchLabels: {app: other}"),
            'The Deployment "web" is invalid: spec.template.metadata.labels: Invalid value: {"app":"web"}: '
            "`selector` does not match template `labels`",
        ),
        (
            APP.replace("Deployment", "Deploymant"),
            'error: resource mapping not found for name: "web" namespace: "" from "bad.yaml": no matches for kind '
            '"Deploymant" in version "apps/v1"\nensure CRDs are installed first',
        ),
        (
            _POD.replace("    image: busybox\n", ""),
            'The Pod "p" is invalid: spec.containers[0].image: Required value',
        ),
        (
            _POD + "    ports: [{containerPort: 99999}]\n",
            'The Pod "p" is invalid: spec.containers[0].ports[0].containerPort: Invalid value: 99999: must be '
            "between 1 and 65535, inclusive",
        ),
        (
            _POD + "    volumeMounts: [{name: v, mountPath: /x}]\n",
            'The Pod "p" is invalid: spec.containers[0].volumeMounts[0].name: Not found: "v"',
        ),
        (
            _POD + "    resources: {requests: {cpu: 2}, limits: {cpu: 1}}\n",
            'The Pod "p" is invalid: spec.containers[0].resources.requests: Invalid value: "2": must be less than or '
            "equal to cpu limit of 1",
        ),
        (
            _POD + "  restartPolicy: Sometimes\n",
            'The Pod "p" is invalid: spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", '
            '"OnFailure", "Never"',
        ),
        (
            "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {selector: {a: b}}\n",
            'The Service "s" is invalid: spec.ports: Required value',
        ),
        (
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {'a b': c}\n",
            'The ConfigMap "c" is invalid: data[a b]: Invalid value: "a b": a valid config key must consist of '
            "alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used "
            "for validation is '[-._a-zA-Z0-9]+')",
        ),
        (
            "apiVersion: batch/v1\nkind: Job\nmetadata: {name: j}\nspec:\n  template:\n    spec:\n"
            "      containers: [{name: a, image: busybox}]\n",
            'The Job "j" is invalid: spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", '
            '"Never"',
        ),
    ],
    ids=[
        "unknown-field",
        "wrong-type",
        "number-for-string",
        "bad-name",
        "selector-mismatch",
        "unknown-kind",
        "no-image",
        "port-range",
        "no-such-volume",
        "request-above-limit",
        "restart-policy",
        "service-without-ports",
        "config-key",
        "job-restart-policy",
    ],
)
def test_a_bad_manifest_is_refused(kubectl: Kubectl, text: str, said: str) -> None:
    first = text.split("---\n", maxsplit=1)[0]
    kubectl.write("bad.yaml", first)
    assert kubectl.fails("apply", "-f", "bad.yaml").strip() == said
    for kind in ("deploy", "pods", "svc", "jobs"):
        assert not rows(kubectl("get", kind)), f"{kind} was stored"
    assert [row[0] for row in rows(kubectl("get", "cm"))] in ([], ["kube-root-ca.crt"])


def test_an_update_that_is_refused_changes_nothing(web: Kubectl) -> None:
    before = web("get", "deploy", "web", "-o", "json")
    text = APP.replace("matchLabels: {app: web}", "matchLabels: {app: x}").replace(
        "labels: {app: web} }", "labels: {app: x} }"
    )
    web.write(
        "bad.yaml", text.replace("metadata: {labels: {app: web}}", "metadata: {labels: {app: x}}")
    )
    said = web.fails("apply", "-f", "bad.yaml")
    assert said == (
        'The Deployment "web" is invalid: spec.selector: Invalid value: {"matchLabels":{"app":"x"}}: '
        "field is immutable\n"
    )
    assert _without_version(web("get", "deploy", "web", "-o", "json")) == _without_version(before)


def _without_version(text: str) -> object:
    found = json.loads(text)
    return found["spec"], found["metadata"]["generation"], found["metadata"]["resourceVersion"]


def test_patches_that_do_not_fit(web: Kubectl) -> None:
    wrong = web.fails("patch", "deploy", "web", "-p", '{"spec":{"replicas":"x"}}')
    assert wrong == (
        'The request is invalid: patch: Invalid value: "map[spec:map[replicas:x]]": json: cannot unmarshal string '
        "into Go struct field DeploymentSpec.spec.replicas of type int32\n"
    )
    failed_test = '[{"op":"test","path":"/spec/replicas","value":7}]'
    assert web.fails("patch", "deploy", "web", "--type=json", "-p", failed_test) == (
        "The request is invalid: the server rejected our request due to an error in our request\n"
    )
    pod = web.value("{.items[0].metadata.name}", "pods")
    command = '{"spec":{"containers":[{"name":"web","command":["x"]}]}}'
    refused = web.fails("patch", "pod", pod, "-p", command)
    assert refused.startswith(
        f'The Pod "{pod}" is invalid: spec: Forbidden: pod updates may not change fields other than '
        "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` "
        "(only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if "
        "it was previously negative)\n"
    )


def test_names_and_labels(web: Kubectl) -> None:
    label = (
        'The Deployment "web" is invalid: metadata.labels: Invalid value: "bad key": name part must consist of '
        "alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. "
        "'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
        "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')\n"
    )
    assert web.fails("label", "deploy", "web", "bad key=x") == label
    service = (
        'The Service "9web" is invalid: metadata.name: Invalid value: "9web": a DNS-1035 label must consist of lower '
        "case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric "
        "character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')\n"
    )
    assert web.fails("expose", "deploy", "web", "--name=9web", "--port=80") == service


def test_what_does_not_exist(kubectl: Kubectl) -> None:
    assert kubectl.fails("get", "deploy", "nosuch") == (
        'Error from server (NotFound): deployments.apps "nosuch" not found\n'
    )
    assert kubectl.fails("get", "nosuchkind") == (
        'error: the server doesn\'t have a resource type "nosuchkind"\n'
    )
    kubectl.write("app.yaml", APP)
    elsewhere = Kubectl(kubectl.program, kubectl.kubeconfig, "nowhere", kubectl.folder)
    assert 'namespaces "nowhere" not found' in elsewhere.fails("apply", "-f", "app.yaml")


def test_a_conflict_names_the_object(web: Kubectl) -> None:
    live = web("get", "deploy", "web", "-o", "yaml")
    web("label", "deploy", "web", "changed=yes")
    web.write("live.yaml", live.replace("replicas: 2", "replicas: 1", 1))
    assert web.fails("replace", "-f", "live.yaml") == (
        'Error from server (Conflict): error when replacing "live.yaml": Operation cannot be fulfilled on '
        'deployments.apps "web": the object has been modified; please apply your changes to the latest version and '
        "try again\n"
    )


def test_an_unknown_token_is_unauthorized(kubectl: Kubectl, cluster_url: str) -> None:
    said = kubectl.fails(
        "--kubeconfig=/dev/null",
        f"--server={cluster_url}",
        "--insecure-skip-tls-verify",
        "--token=nope",
        "get",
        "ns",
    )
    assert "error: You must be logged in to the server" in said


def test_a_viewer_may_look_but_not_touch(kubectl: Kubectl, cluster_url: str) -> None:
    kubectl("create", "sa", "viewer")
    account = f"{kubectl.namespace}:viewer"
    kubectl("create", "rolebinding", "look", "--clusterrole=view", f"--serviceaccount={account}")
    token = kubectl("create", "token", "viewer").strip()
    viewer = (
        "--kubeconfig=/dev/null",
        f"--server={cluster_url}",
        "--insecure-skip-tls-verify",
        f"--token={token}",
    )
    assert "kube-root-ca.crt" in kubectl(*viewer, "get", "cm")
    who = f'User "system:serviceaccount:{account}"'
    where = f'in API group "" in the namespace "{kubectl.namespace}"\n'
    assert kubectl.fails(*viewer, "create", "cm", "x", "--from-literal=a=b") == (
        f'error: failed to create configmap: configmaps is forbidden: {who} cannot create resource "configmaps" {where}'
    )
    assert kubectl.fails(*viewer, "get", "secrets") == (
        f'Error from server (Forbidden): secrets is forbidden: {who} cannot list resource "secrets" {where}'
    )
    denied = kubectl.run("auth", "can-i", "delete", "pods", f"--as=system:serviceaccount:{account}")
    assert (denied.out, denied.code) == ("no\n", 1)


@pytest.fixture
def cluster_url(cluster: object) -> str:
    return str(getattr(cluster, "url"))  # noqa: B009


@pytest.fixture
def routes(kubectl: Kubectl) -> Kubectl:
    """A custom kind ``Route``, and one object of it."""
    kubectl("apply", "-f", "-", stdin=_CRD)
    kubectl("wait", "--for=condition=Established", "crd/routes.test.meshcourse.io", "--timeout=10s")
    assert kubectl("apply", "-f", "-", stdin=_ROUTE) == "route.test.meshcourse.io/r created\n"
    return kubectl


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            ("hosts: [reviews]", "hosts: reviews"),
            'The Route "r" is invalid: spec.hosts: Invalid value: "string": spec.hosts in body must be of type '
            'array: "string"',
        ),
        (
            ("weight: 10", "weight: heavy"),
            'The Route "r" is invalid: spec.weight: Invalid value: "string": spec.weight in body must be of type '
            'integer: "string"',
        ),
        (
            ("weight: 10", "weight: 101"),
            'The Route "r" is invalid: spec.weight: Invalid value: 101: spec.weight in body should be less than or '
            "equal to 100",
        ),
        (
            ("weight: 10", "mode: C"),
            'The Route "r" is invalid: spec.mode: Unsupported value: "C": supported values: "A", "B"',
        ),
        (
            ("hosts: [reviews]\n", "weight: 1\n"),
            'The Route "r" is invalid: spec.hosts: Required value',
        ),
    ],
    ids=["not-a-list", "not-a-number", "too-large", "not-in-enum", "missing"],
)
def test_a_custom_resource_that_breaks_its_schema(
    routes: Kubectl, change: tuple[str, str], said: str
) -> None:
    routes("delete", "route", "r")
    text = _ROUTE.replace(*change)
    if change[1] == "weight: 1\n":
        text = text.replace("  weight: 10\n", "")
    assert routes.fails("create", "-f", "-", stdin=text).strip() == said
    assert not rows(routes("get", "rt"))


def test_custom_resources_behave_like_others(routes: Kubectl) -> None:
    table = routes("get", "rt")
    assert table.splitlines()[0].split() == ["NAME", "HOSTS"]
    assert rows(table)[0] == ["r", '["reviews"]']
    assert routes.value("{.spec.mode}", "rt", "r") == "A"
    unknown = routes.fails("apply", "-f", "-", stdin=_ROUTE.replace("weight: 10", "wieght: 10"))
    assert 'strict decoding error: unknown field "spec.wieght"' in unknown
    assert "is not supported by test.meshcourse.io/v1, Kind=Route" in routes.fails(
        "patch", "rt", "r", "-p", '{"spec":{"weight":5}}'
    )
    merged = routes("patch", "rt", "r", "--type=merge", "-p", '{"spec":{"weight":5}}')
    assert merged == "route.test.meshcourse.io/r patched\n"
    assert "  hosts\t<[]string> -required-" in routes("explain", "rt.spec")
    assert routes("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=_ROUTE) == (
        "route.test.meshcourse.io/r serverside-applied\n"
    )


def test_a_definition_that_is_not_structural(kubectl: Kubectl) -> None:
    text = _CRD.replace("routes.test", "bad.test").replace("plural: routes", "plural: bad")
    broken = text.replace(
        "hosts: {type: array, items: {type: string}}", "hosts: {items: {type: string}}"
    )
    said = kubectl.fails("apply", "-f", "-", stdin=broken)
    path = "spec.versions[0].schema.openAPIV3Schema.properties[spec].properties[hosts].type"
    assert f"{path}: Required value: must not be empty for specified object fields" in said
