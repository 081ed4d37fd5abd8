"""Who is calling, and may they: tokens, certificates, RBAC, impersonation, reviews."""

from __future__ import annotations

import base64
import stat
import time
from pathlib import Path
from typing import Any

import orjson
import pytest

from meshcourse.embedded.apiserver import pki
from meshcourse.embedded.apiserver.auth import roles, users
from meshcourse.embedded.apiserver.auth.authorizer import Authorizer, Question
from meshcourse.embedded.apiserver.auth.tokens import ISSUER, InvalidToken
from meshcourse.embedded.apiserver.auth.users import User
from meshcourse.embedded.apiserver.local import LocalClient
from meshcourse.embedded.apiserver.server import Server
from meshcourse.embedded.apiserver.store.store import Store
from meshcourse.embedded.client.config import Endpoint
from meshcourse.embedded.client.http import HttpClient
from meshcourse.embedded.kube import refs
from meshcourse.embedded.kube.status import ApiError
from tests.unit.apiserver.builders import configmap, pod

AUTH, ACCESS = "authentication.k8s.io", "authorization.k8s.io"
TOKEN_REVIEWS = refs.TOKEN_REVIEWS
ACCESS_REVIEWS = refs.Resource(ACCESS, "v1", "subjectaccessreviews", "SubjectAccessReview", False)
WHOAMI = refs.Resource(AUTH, "v1", "selfsubjectreviews", "SelfSubjectReview", False)
BINDINGS = refs.Resource("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding")
ROLES = refs.Resource("rbac.authorization.k8s.io", "v1", "roles", "Role")


def account(name: str = "bob") -> Any:
    meta = {"name": name, "namespace": "default"}
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta}


def bind(role: str, user: str, *, kind: str = "ClusterRole") -> Any:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": f"{role}-{user}", "namespace": "default"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
    }


async def token_for(client: LocalClient, name: str = "bob", **spec: Any) -> Any:
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    return await client.create(
        refs.SERVICEACCOUNTS, request, "default", name=name, subresource="token"
    )


def with_token(server: Server, token: str) -> HttpClient:
    return HttpClient(server.url, ca=server.ca_path, token=token)


async def review(client: LocalClient, token: str, *audiences: str) -> Any:
    body = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenReview",
        "spec": {"token": token, "audiences": list(audiences)},
    }
    return (await client.create(TOKEN_REVIEWS, body))["status"]


async def test_strangers(server: Server) -> None:
    async with with_token(server, "") as nobody, with_token(server, "wrong") as wrong:
        with pytest.raises(ApiError) as caught:
            await wrong.list(refs.CONFIGMAPS)
        assert (caught.value.code, caught.value.message) == (401, "Unauthorized")
        with pytest.raises(ApiError) as caught:
            await nobody.list(refs.CONFIGMAPS, "default")
        assert caught.value.message == (
            'configmaps is forbidden: User "system:anonymous" cannot list resource "configmaps" in '
            'API group "" in the namespace "default"'
        )
        with pytest.raises(ApiError, match='User "system:anonymous" cannot get path "/apis"'):
            await nobody.raw("/apis")
        assert await nobody.raw("/readyz") == b"ok"
        assert b"gitVersion" in await nobody.raw("/version")


async def test_a_viewer_reads_and_does_not_write(server: Server, client: LocalClient) -> None:
    await client.create(BINDINGS, bind("view", "viewer"))
    viewer = server.local(User("viewer", (users.AUTHENTICATED,)))
    await viewer.list(refs.PODS, "default")
    with pytest.raises(ApiError) as caught:
        await viewer.create(refs.PODS, pod())
    assert caught.value.code == 403
    assert caught.value.message == (
        'pods is forbidden: User "viewer" cannot create resource "pods" in API group "" in the '
        'namespace "default"'
    )
    with pytest.raises(ApiError, match='configmaps "x" is forbidden: User "viewer" cannot delete'):
        await viewer.delete(refs.CONFIGMAPS, "x", "default")
    with pytest.raises(ApiError, match='cannot get resource "secrets"'):
        await viewer.get(refs.SECRETS, "x", "default")
    with pytest.raises(ApiError, match="at the cluster scope"):
        await viewer.list(refs.PODS)
    with pytest.raises(ApiError, match='cannot patch resource "deployments/scale"'):
        await viewer.patch(refs.DEPLOYMENTS, "x", {}, "default", subresource="scale")


def rule(groups: str, plurals: str, verbs: str, names: str = "") -> Any:
    found = {"apiGroups": groups.split(","), "resources": plurals.split(), "verbs": verbs.split()}
    return {**found, "resourceNames": names.split()} if names else found


@pytest.mark.parametrize(
    ("granted", "question", "allowed"),
    [
        (rule("", "pods", "get"), Question("get", "", "pods", namespace="d"), True),
        (rule("", "pods", "get"), Question("list", "", "pods", namespace="d"), False),
        (rule("", "pods", "get"), Question("get", "apps", "pods", namespace="d"), False),
        (rule("", "pods", "get"), Question("get", "", "pods", "log", "d"), False),
        (rule("", "pods/log", "get"), Question("get", "", "pods", "log", "d"), True),
        (rule("", "*/log", "get"), Question("get", "", "pods", "log", "d"), True),
        (rule("", "*", "*"), Question("get", "", "pods", "log", "d"), True),
        (rule("", "pods", "get"), Question("get", "", "pods", namespace="other"), False),
        (rule("", "pods", "get"), Question("get", "", "pods"), False),
        (rule("", "pods", "get", "a b"), Question("get", "", "pods", "", "d", "a"), True),
        (rule("", "pods", "get", "a b"), Question("get", "", "pods", "", "d", "c"), False),
        (rule("", "pods", "list", "a"), Question("list", "", "pods", "", "d"), False),
        (rule("*", "*", "get"), Question("get", "apps", "deployments", "", "d"), True),
    ],
)
def test_rules(granted: Any, question: Question, allowed: bool) -> None:
    store = Store()
    role = {"kind": "Role", "metadata": {"name": "r", "namespace": "d"}, "rules": [granted]}
    binding = {
        "metadata": {"name": "b", "namespace": "d"},
        "roleRef": {"kind": "Role", "name": "r"},
        "subjects": [{"kind": "Group", "name": "team"}],
    }
    store.add("roles.rbac.authorization.k8s.io", role)
    store.add("rolebindings.rbac.authorization.k8s.io", binding)
    authorizer = Authorizer(store)
    assert authorizer.allows(User("u", ("team",)), question) is allowed
    assert not authorizer.allows(User("u", ("others",)), question)


def test_roles_for_people_collect_the_rules_of_others() -> None:
    store = Store()
    for obj in roles.objects_of_every_cluster():
        plural = f"{obj['kind'].lower()}s.rbac.authorization.k8s.io"
        store.add(plural, obj)
    authorizer = Authorizer(store)

    def reads(name: str) -> set[str]:
        role = store.get("clusterroles.rbac.authorization.k8s.io", "", name)
        assert role is not None
        return {res for found in authorizer.rules_of(role) for res in found.get("resources", ())}

    assert "pods" in reads("view")
    assert "secrets" not in reads("view")
    assert reads("view") < reads("edit") < reads("admin")
    assert "rolebindings" in reads("admin") - reads("edit")


async def test_tokens_of_service_accounts(server: Server, client: LocalClient) -> None:
    made = await client.create(refs.SERVICEACCOUNTS, account())
    answer = await token_for(client)
    assert answer["spec"] == {"audiences": [ISSUER], "expirationSeconds": 3600}
    token = answer["status"]["token"]
    async with with_token(server, token) as bob:
        found = await bob.create(
            WHOAMI, {"apiVersion": "authentication.k8s.io/v1", "kind": WHOAMI.kind}
        )
        info = found["status"]["userInfo"]
        assert info["username"] == "system:serviceaccount:default:bob"
        assert info["uid"] == made["metadata"]["uid"]
        assert "system:serviceaccounts:default" in info["groups"]
        with pytest.raises(ApiError, match="cannot list resource"):
            await bob.list(refs.PODS, "default")
        await client.delete(refs.SERVICEACCOUNTS, "bob", "default")
        with pytest.raises(ApiError, match="Unauthorized"):
            await bob.list(refs.PODS, "default")


async def test_a_token_dies_with_its_pod(client: LocalClient) -> None:
    await client.create(refs.SERVICEACCOUNTS, account())
    made = await client.create(refs.PODS, pod(serviceAccountName="bob"))
    ref = {"kind": "Pod", "apiVersion": "v1", "name": "p", "uid": made["metadata"]["uid"]}
    token = (await token_for(client, boundObjectRef=ref, audiences=["istio-ca"]))["status"]["token"]
    found = await review(client, token, "istio-ca", "other")
    assert found["authenticated"] is True
    assert found["audiences"] == ["istio-ca"]
    assert found["user"]["extra"]["authentication.kubernetes.io/pod-name"] == ["p"]
    assert "error" in await review(client, token, "other")
    assert "error" in await review(client, token)  # not for the API server
    await client.delete(refs.PODS, "p", "default")
    assert "authenticated" not in await review(client, token, "istio-ca")


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"expirationSeconds": 5}, "may not specify a duration less than 10 minutes"),
        ({"boundObjectRef": {"kind": "Pod", "name": "none"}}, 'pods "none" not found'),
        ({"boundObjectRef": {"kind": "Pod", "name": "p", "uid": "x"}}, "does not match the UID"),
        ({"boundObjectRef": {"kind": "Pod", "name": "p"}}, "different serviceaccount name"),
        (
            {"boundObjectRef": {"kind": "Cat", "name": "p"}},
            "cannot bind token to object of kind Cat",
        ),
    ],
)
async def test_token_requests_that_cannot_be(client: LocalClient, spec: Any, words: str) -> None:
    await client.create(refs.SERVICEACCOUNTS, account())
    await client.create(refs.PODS, pod())
    with pytest.raises(ApiError, match=words):
        await token_for(client, **spec)
    with pytest.raises(ApiError, match='serviceaccounts "nobody" not found'):
        await token_for(client, "nobody")


async def test_tokens_cannot_be_changed_or_outlive_their_time(
    server: Server, client: LocalClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await client.create(refs.SERVICEACCOUNTS, account())
    token = (await token_for(client))["status"]["token"]
    issuer = server.core.tokens
    header, payload, signature = token.split(".")
    claims = orjson.loads(base64.urlsafe_b64decode(payload + "=="))
    claims["sub"] = "system:serviceaccount:kube-system:admin"
    forged = base64.urlsafe_b64encode(orjson.dumps(claims)).rstrip(b"=").decode()
    for bad in (f"{header}.{forged}.{signature}", f"{header}.{payload}.", "a.b.c", "x", ""):
        with pytest.raises(InvalidToken):
            issuer.verify(bad)
    issuer.verify(token)
    later = time.time() + 3601
    monkeypatch.setattr(time, "time", lambda: later)
    with pytest.raises(InvalidToken, match="expired"):
        issuer.verify(token)


async def test_client_certificates(server: Server, client: LocalClient, tmp_path: Path) -> None:
    certificate, key = pki.client_identity(tmp_path / "state" / "apiserver", "carol", ["devs"])
    http = HttpClient(server.url, ca=server.ca_path)
    http._endpoint = Endpoint(server.url, server.ca_path, "", certificate, key)
    async with http:
        found = await http.create(
            WHOAMI, {"apiVersion": "authentication.k8s.io/v1", "kind": WHOAMI.kind}
        )
        assert found["status"]["userInfo"] == {
            "username": "carol",
            "groups": ["devs", "system:authenticated"],
        }
        with pytest.raises(ApiError, match='User "carol" cannot create resource "configmaps"'):
            await http.create(refs.CONFIGMAPS, configmap())


async def as_user(http: HttpClient, path: str, **headers: str) -> Any:
    names = {key.replace("_", "-"): value for key, value in headers.items()}
    names["Authorization"] = f"Bearer {http._endpoint.bearer()}"
    async with http._open().get(http._endpoint.url + path, headers=names) as response:
        return await response.json()


async def test_acting_as_somebody_else(
    http: HttpClient, client: LocalClient, server: Server
) -> None:
    path = refs.PODS.path("default")
    refused = await as_user(http, path, Impersonate_User="dave")
    assert 'User "dave" cannot list resource "pods"' in refused["message"]
    await client.create(BINDINGS, bind("view", "dave"))
    assert (await as_user(http, path, Impersonate_User="dave"))["kind"] == "PodList"
    account_name = "system:serviceaccount:default:bob"
    refused = await as_user(http, path, Impersonate_User=account_name)
    assert account_name in refused["message"]
    refused = await as_user(http, path, Impersonate_Group="x")
    assert refused["code"] == 400
    await client.create(refs.SERVICEACCOUNTS, account())
    token = (await token_for(client))["status"]["token"]
    async with with_token(server, token) as bob:
        refused = await as_user(bob, path, Impersonate_User="dave")
        assert 'cannot impersonate resource "users"' in refused["message"]


async def test_access_reviews(client: LocalClient) -> None:
    await client.create(BINDINGS, bind("view", "dave"))

    async def asked(**spec: Any) -> Any:
        body = {"apiVersion": f"{ACCESS}/v1", "kind": ACCESS_REVIEWS.kind, "spec": spec}
        return (await client.create(ACCESS_REVIEWS, body))["status"]

    attributes = {"verb": "get", "resource": "pods", "namespace": "default"}
    assert (await asked(user="dave", resourceAttributes=attributes))["allowed"] is True
    attributes["verb"] = "delete"
    assert (await asked(user="dave", resourceAttributes=attributes))["allowed"] is False
    path = {"verb": "get", "path": "/version"}
    groups = ["system:authenticated"]
    assert (await asked(user="x", groups=groups, nonResourceAttributes=path))["allowed"] is True
    with pytest.raises(ApiError, match="exactly one of nonResourceAttributes or resourceAttr"):
        await asked(user="dave")
    with pytest.raises(ApiError, match="at least one of user or group"):
        await asked(resourceAttributes=attributes)


async def test_pods_run_as_an_account_that_exists(client: LocalClient) -> None:
    with pytest.raises(ApiError) as caught:
        await client.create(refs.PODS, pod(serviceAccountName="nobody"))
    assert caught.value.message == (
        'pods "p" is forbidden: error looking up service account default/nobody: serviceaccount '
        '"nobody" not found'
    )
    bob = {**account(), "automountServiceAccountToken": False, "imagePullSecrets": [{"name": "s"}]}
    await client.create(refs.SERVICEACCOUNTS, bob)
    made = await client.create(refs.PODS, pod(serviceAccountName="bob"))
    assert "volumes" not in made["spec"]
    assert made["spec"]["imagePullSecrets"] == [{"name": "s"}]
    await client.delete(refs.PODS, "p", "default")
    mounted = await client.create(refs.PODS, pod())
    (volume,) = mounted["spec"]["volumes"]
    (mount,) = mounted["spec"]["containers"][0]["volumeMounts"]
    assert mount == {
        "name": volume["name"],
        "readOnly": True,
        "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
    }


async def test_secrets_of_the_server_are_its_owners_only(server: Server, tmp_path: Path) -> None:
    folder = tmp_path / "state" / "apiserver"
    private = [server.kubeconfig_path, *folder.iterdir()]
    assert len(private) >= 6
    for path in private:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


async def test_public_keys_are_published(http: HttpClient, server: Server) -> None:
    keys = orjson.loads(await http.raw("/openid/v1/jwks"))["keys"]
    assert keys[0]["kid"] == server.core.tokens.key_id
    assert orjson.loads(await http.raw("/.well-known/openid-configuration"))["issuer"] == ISSUER
