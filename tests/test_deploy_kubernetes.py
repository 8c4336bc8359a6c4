"""The Kubernetes manifests: of Kubernetes' own schemas, and each name in them leads somewhere."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml

from rankloop import Settings, environment_name, setting_names
from tests.composed import ROOT, services

DEPLOY = ROOT / "deploy"
RELEASE = "1.34"
PLAIN = DEPLOY / "kubernetes" / "plain"
FILES = [*sorted(PLAIN.glob("*.yaml")), DEPLOY / "kubernetes-gpu" / "vllm.yaml"]
MADE_BY_HAND = {"rankloop"}
"""The secret, which stands in no file."""


def documents(*files: Path) -> list[dict[str, Any]]:
    return [one for file in files for one in yaml.safe_load_all(file.read_text())]


def found(value: Any, key: str) -> Iterator[Any]:
    """Every value of this key, at any depth."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == key:
                yield inner
            yield from found(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from found(inner, key)


def names(kind: str) -> set[str]:
    return {one["metadata"]["name"] for one in documents(*FILES) if one["kind"] == kind}


def workload(name: str) -> dict[str, Any]:
    [one] = [
        one
        for one in documents(*FILES)
        if one["metadata"]["name"] == name and one["kind"] in ("Deployment", "StatefulSet")
    ]
    return one


def container(name: str) -> dict[str, Any]:
    held: dict[str, Any] = workload(name)["spec"]["template"]["spec"]["containers"][0]
    return held


def environment(name: str) -> dict[str, str]:
    return {each["name"]: each.get("value", "") for each in container(name)["env"]}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_manifest_is_of_kubernetes_schemas(file: Path) -> None:
    """Strictly: a field that the schema does not know is refused."""
    for one in documents(file):
        kubernetes_validate.validate(one, RELEASE, strict=True)


def test_a_misspelled_field_is_found() -> None:
    """What the check above is worth."""
    one = documents(PLAIN / "ui.yaml")[1]
    one["spec"]["replica"] = one["spec"].pop("replicas")
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(one, RELEASE, strict=True)


@pytest.mark.parametrize("overlay", ["kubernetes", "kubernetes-gpu"])
def test_kustomize_puts_together_what_is_valid(overlay: str) -> None:
    """As `kubectl apply -k` would send it; each config map that is named is generated."""
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed")
    built = subprocess.run(
        ["kubectl", "kustomize", str(DEPLOY / overlay)], capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stderr
    made = list(yaml.safe_load_all(built.stdout))
    for one in made:
        kubernetes_validate.validate(one, RELEASE, strict=True)
        assert one["metadata"]["namespace"] == "rankloop"
    maps = {one["metadata"]["name"] for one in made if one["kind"] == "ConfigMap"}
    for reference in (*found(made, "configMapRef"), *found(made, "configMap")):
        assert reference["name"] in maps


def test_kustomize_lists_every_file() -> None:
    """Of the plain ones, and files that are there."""
    file = yaml.safe_load((DEPLOY / "kubernetes" / "kustomization.yaml").read_text())
    plain = {f"plain/{path.name}" for path in PLAIN.iterdir()}
    assert set(file["resources"]) == plain
    for generator in file["configMapGenerator"]:
        for name in generator.get("files", ()):
            assert (DEPLOY / "kubernetes" / name).is_file()


def test_names_lead_somewhere() -> None:
    """Each service selects a workload's pods, each claim, secret and service that is named
    exists, and the proxy names as many servers as there are.
    """
    pods = [
        one["spec"]["template"]["metadata"]["labels"]
        for one in documents(*FILES)
        if "template" in one["spec"]
    ]
    for one in documents(*FILES):
        if one["kind"] == "Service":
            assert one["spec"]["selector"] in pods
    claims = {claim["claimName"] for claim in found(documents(*FILES), "persistentVolumeClaim")}
    assert claims <= names("PersistentVolumeClaim")
    secrets = {key["name"] for key in found(documents(*FILES), "secretKeyRef")}
    assert secrets == MADE_BY_HAND
    replicas = workload("server")["spec"]["replicas"]
    listed = environment("proxy")["SERVERS"].split()
    assert listed == [f"server-{number}.server:8000" for number in range(replicas)]
    assert environment("proxy")["PAGE"] == "ui:7860"
    assert {"server", "ui", "proxy", "database"} <= names("Service")


def test_the_topology_is_that_of_compose_yaml() -> None:
    """The same workloads with the same commands; whatever RANKLOOP_ variable is named is a
    setting.
    """
    composed = services({"RANKLOOP_KEY": "k", "POSTGRES_PASSWORD": "p"})
    workloads = names("Deployment") | names("StatefulSet")
    assert workloads == {name.partition("-")[0] for name in composed}
    for name, twin in (("server", "server-1"), ("learner", "learner"), ("ui", "ui")):
        assert container(name)["command"] == composed[twin]["command"]
    known = {environment_name(name) for name in setting_names(Settings)}
    text = "".join(path.read_text() for path in DEPLOY.rglob("*.yaml"))
    assert set(re.findall(r"\bRANKLOOP_[A-Z_]*[A-Z]", text)) <= known
