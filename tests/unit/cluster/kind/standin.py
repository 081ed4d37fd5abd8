"""docker, podman, nerdctl, kind and istioctl, as far as the kind provider can see: one program under five names.

What they know is in a folder ($STANDIN): ``containers.json``; ``image`` (a node image is there); and the ways in which
they shall fail, one file each, whose text is what the real ones print. Facts (arguments, words, exit codes) are those
of docker 28, kind 0.31 and istioctl 1.30. The "cluster" is whatever server the file ``server`` names.
"""

import os
import sys

ROOT = os.environ.get("STANDIN", "")
NAME, ARGS = os.path.basename(sys.argv[0]), sys.argv[1:]
LABEL = "label=io.x-k8s.kind.cluster="


def main():
    with open(at("log"), "a") as log:
        log.write(" ".join([NAME, *ARGS]) + "\n")
    fail(f"{NAME} {' '.join(ARGS)}".strip())
    {"kind": kind, "istioctl": istioctl}.get(NAME, engine)()


def fail(command):
    """A file ``fail-WORDS`` makes the command that contains these words fail with its text."""
    for name in os.listdir(ROOT):
        if name.startswith("fail-") and name[5:].replace("_", " ") in command:
            sys.stderr.write(read(at(name)))
            sys.exit(1)


def at(name):
    return os.path.join(ROOT, name)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def write(path, text=""):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def containers():
    if not os.path.exists(at("containers.json")):
        return {}
    import json

    return json.loads(read(at("containers.json")))


def keep(found):
    import json

    write(at("containers.json"), json.dumps(found))


def engine():
    if ARGS[0] == "info":
        sys.stdout.write(read(at(f"info-{NAME}")))
    elif ARGS[:2] == ["image", "inspect"]:
        sys.exit(0 if os.path.exists(at("image")) else 1)
    elif ARGS[0] == "pull":
        sys.stdout.write("Pulling fs layer\n")
        write(at("image"))
    elif ARGS[0] == "ps":
        label = next(word for word in ARGS if word.startswith(LABEL)).removeprefix(LABEL)
        for name, item in containers().items():
            if item["cluster"] == label:
                print(
                    name,
                    {"running": "Up 3 minutes", "exited": "Exited (137) 2 hours ago"}[
                        item["state"]
                    ],
                )
    elif ARGS[0] == "start":
        found = containers()
        for name in ARGS[1:]:
            found[name]["state"] = "running"
            print(name)
        keep(found)
    else:
        sys.exit(f"docker: unknown command: docker {ARGS[0]}")


def option(name):
    return ARGS[ARGS.index(name) + 1]


def kind():
    if ARGS == ["version"]:
        print(f"kind v{read(at('version')).strip()} go1.25.5 linux/amd64")
    elif ARGS[:2] == ["create", "cluster"]:
        create()
    elif ARGS[:2] == ["get", "kubeconfig"]:
        sys.stdout.write(kubeconfig())
    elif ARGS[:2] == ["delete", "cluster"]:
        sys.stderr.write(f'Deleting cluster "{option("--name")}" ...\n')
        keep({k: v for k, v in containers().items() if v["cluster"] != option("--name")})
    else:
        sys.exit(f'ERROR: unknown command "{ARGS[0]}" for "kind"')


def create():
    name = option("--name")
    if any(item["cluster"] == name for item in containers().values()):
        sys.exit(
            f'ERROR: failed to create cluster: node(s) already exist for a cluster with the name "{name}"'
        )
    sys.stderr.write(f'Creating cluster "{name}" ...\n • Preparing nodes 📦  ...\n')
    node = {"cluster": name, "state": "running", "config": read(option("--config"))}
    keep(containers() | {f"{name}-control-plane": node})
    if os.path.exists(at("hang")):
        write(at("hanging"))
        import time

        time.sleep(60)
    write(option("--kubeconfig"), kubeconfig())
    sys.stderr.write(" ✓ Starting control-plane 🕹️\n")


def kubeconfig():
    return read(at("server"))


def istioctl():
    import json

    if ARGS[0] == "version":
        print(json.dumps({"clientVersion": {"version": read(at("istio")).strip()}}))
        return
    import urllib.request

    sys.stdout.write("✔ Istio core installed\n")
    server = next(line.split()[-1] for line in kubeconfig().splitlines() if "server:" in line)
    for path, body in json.loads(read(at("install.json"))).items():
        request = urllib.request.Request(server + path, json.dumps(body).encode(), method="PATCH")
        request.add_header("Content-Type", "application/apply-patch+yaml")
        request.add_header("Authorization", "Bearer secret")
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request).close()
    sys.stdout.write("✔ Installation complete\n")
