"""The command line: help, errors, exit codes, commands that need no cluster."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from meshcourse.embedded.istioctl.main import COMMANDS, build, main

_BAD = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews}
spec:
  hosts: [reviews]
  gateways: [nowhere]
  http:
  - route:
    - destination: {host: reviews}
"""


@pytest.fixture
def bad(tmp_path: Path) -> str:
    path = tmp_path / "bad.yaml"
    path.write_text(_BAD)
    return str(path)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (
            ["analyz"],
            64,
            'Error: unknown command "analyz" for "istioctl"\n\nDid you mean this?\n\tanalyze\n',
        ),
        (
            ["qqq"],
            64,
            'Error: unknown command "qqq" for "istioctl"\nRun \'istioctl --help\' for usage.\n',
        ),
        (["analyze", "--nope=1"], 64, "Error: unknown flag: --nope\n"),
        (["analyze", "-q"], 64, "Error: unknown shorthand flag: 'q' in -q\n"),
        (["validate", "-f"], 64, "Error: flag needs an argument: --filename\n"),
        (["tag", "set", "prod"], 64, 'Error: required flag(s) "revision" not set\n'),
        (["tag", "nope"], 1, 'Error: unknown subcommand "nope"\n'),
        (["dashboard", "nope"], 1, 'Error: unknown dashboard "nope"\n'),
        (["x", "describe", "node"], 1, 'Error: unknown resource type "node"\n'),
        (["dash", "kiali", "-p", "x"], 64, 'Error: invalid argument "x" for "-p, --port" flag: '),
        (
            ["analyze", "--failure-threshold", "x"],
            64,
            'Error: invalid argument "x" for "--failure-threshold"',
        ),
        (
            ["analyze", "-o", "xml"],
            64,
            "Error: xml not a valid option for format. See istioctl analyze --help\n",
        ),
        (
            ["analyze", "-k=false"],
            1,
            "Error: at least one file and/or Kubernetes source must be provided\n",
        ),
        (
            ["analyze", "-k=false", "/no/file"],
            1,
            "Error: stat /no/file: no such file or directory\n",
        ),
        (["validate"], 1, "Error: error: you must specify resources by --filename.\n"),
        (["x", "authz", "check"], 1, "Error: expecting pod name or config dump, found: 0\n"),
    ],
)
def test_refused_as_real_istioctl_does(
    words: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == code
    out, err = capsys.readouterr()
    assert err.startswith(said), err
    assert out == ""


def test_help_has_cobras_sections(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    shown = capsys.readouterr().out
    commands = shown[shown.index("Available Commands:") : shown.index("Flags:")]
    names = [line.split()[0] for line in commands.splitlines()[1:] if line]
    assert names == sorted(names)
    assert {"analyze", "bug-report", "dashboard", "proxy-config", "validate"} <= set(names)
    assert 'Use "istioctl [command] --help" for more information about a command.' in shown
    assert main(["analyze", "--help"]) == 0
    shown = capsys.readouterr().out
    assert "Usage:\n  istioctl analyze <file>... [flags]" in shown
    assert "-h, --help " in shown
    assert "use-kube=false" not in shown[shown.index("\nFlags:") :]


def test_each_command_is_known_by_the_names_that_its_parser_has() -> None:
    for module, names in COMMANDS.items():
        parser = build([module])
        (commands,) = (one for one in parser._actions if isinstance(one.choices, dict))
        assert tuple(commands.choices or ()) == names


def test_flags_may_stand_before_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-n", "validate", "--context=c", "version", "--help"]) == 0
    assert "istioctl version [flags]" in capsys.readouterr().out


def test_analyze_of_files_ends_as_the_real_one(
    bad: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["analyze", "--use-kube=false", bad]) == 79
    out, err = capsys.readouterr()
    assert out.splitlines()[0] == (
        f'Error [IST0101] (VirtualService default/reviews {bad}:6) Referenced gateway not found: "nowhere"'
    )
    assert err == (
        "Error: Analyzers found issues when analyzing namespace: default.\n"
        "See https://istio.io/v1.30/docs/reference/config/analysis for more information about causes "
        "and resolutions.\n"
    )
    quiet = ["-S", "IST0101=VirtualService *", "-S", "IST0132=*", "-S", "IST9999=x"]
    assert main(["analyze", "-k=false", bad, *quiet]) == 0
    out, err = capsys.readouterr()
    assert out == "\n"
    assert err == (
        "Warning: Supplied message code 'IST9999' is an unknown message code and will not have any "
        f"effect.\n✔ No validation issues found when analyzing {bad}.\n"
    )
    assert main(["analyze", "-k=false", bad, "-o", "json"]) == 0


def test_a_manifest_is_what_would_be_installed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["manifest", "generate", "--set", "profile=minimal"]) == 0
    documents = [one for one in yaml.safe_load_all(capsys.readouterr().out) if one]
    deployments = [one["metadata"]["name"] for one in documents if one["kind"] == "Deployment"]
    assert deployments == ["istiod"]
    assert "istio-sidecar-injector" in [one["metadata"]["name"] for one in documents]


def test_analyze_of_what_does_not_parse(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text("a: [b\n")
    (tmp_path / "notes.txt").write_text("")
    assert main(["analyze", "-k=false", "-A", str(tmp_path)]) == 65
    err = capsys.readouterr().err
    assert (
        f"Skipping file {tmp_path}/notes.txt, recognized file extensions are: [.json .yaml .yml]"
        in err
    )
    assert (
        "No validation issues found when analyzing all namespaces (but 1 file could not be parsed)."
        in err
    )
    assert err.endswith("Error: Some files couldn't be parsed.\n")
    assert main(["analyze", "-k=false", "--ignore-unknown", str(path)]) == 0


def test_a_value_of_the_wrong_type_is_a_file_that_does_not_parse(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "typed.yaml"
    path.write_text(_BAD.replace("hosts: [reviews]", "hosts: reviews"))
    assert main(["analyze", "-k=false", str(path)]) == 65
    why = "spec.hosts: expected array, got string"
    assert f"failed parsing VirtualService default/reviews: {why}" in capsys.readouterr().err
    assert main(["validate", "-f", str(path)]) == 1
    assert f"cannot parse proto message: {why}" in capsys.readouterr().err


def test_analyzers_are_listed_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["analyze", "-L"]) == 0
    lines = capsys.readouterr().out.splitlines()
    names = lines[::2]
    assert names == sorted(names)
    assert names[0] == "* annotations.K8sAnalyzer:"
    assert (
        lines[1] == "    Checks for misplaced and invalid Istio annotations in Kubernetes resources"
    )


def test_validate(bad: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "-f", bad]) == 0
    assert capsys.readouterr().err == f'"{bad}" is valid\n'
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(
        _BAD.replace("host: reviews}", "hots: reviews}")
        + "---\napiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {ports: [{port: 1}, {name: foo}]}\n"
    )
    assert main(["v", "-f", f"{bad},{wrong}", "-f", "/no/file"]) == 1
    err = capsys.readouterr().err.splitlines()
    requirements = "https://istio.io/v1.30/docs/ops/deployment/requirements/"
    assert err == [
        "Error: 4 errors occurred:",
        '\t* cannot stat file "/no/file": stat /no/file: no such file or directory',
        '\t* VirtualService//reviews: cannot parse proto message: unknown field "hots" in '
        "istio.networking.v1alpha3.Destination",
        '\t* Service//s: service "s//:" has an unnamed port. This is not recommended, See '
        + requirements,
        '\t* Service//s: service "s//:" port "foo" does not follow the Istio naming convention. See '
        + requirements,
        "",
        "",
    ]


def test_validate_warns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(
        "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: r}\n"
        "spec: {host: a, trafficPolicy: {outlierDetection: {consecutiveErrors: 7}}}\n---\n"
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d, namespace: n}\n"
        "spec: {template: {metadata: {labels: {app: d}}}}\n"
    )
    assert main(["validate", "-f", str(path)]) == 0
    note, title, first, *_ = capsys.readouterr().err.splitlines()
    assert note == (
        'deployment "d/n:" may not provide Istio metrics and telemetry labels: map["app":"d"]. '
        "See https://istio.io/v1.30/docs/ops/deployment/requirements/"
    )
    assert title == f'"{path}" has warnings: '
    assert first == (
        "\t* DestinationRule//r: outlier detection consecutive errors is deprecated, use "
        "consecutiveGatewayErrors or consecutive5xxErrors instead"
    )
