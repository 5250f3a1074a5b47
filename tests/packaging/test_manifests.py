"""The container file, the compose file and the Kubernetes manifests: right by their own schemas."""

from __future__ import annotations

import json
import re
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from ruamel.yaml import YAML

from hubmirror.config import load
from tests.support.programs import run

ROOT = Path(__file__).parents[2]
CONTAINERFILE = ROOT / "etc/container/Containerfile"
COMPOSE = ROOT / "etc/container/compose.yaml"
KUBERNETES = ROOT / "etc/kubernetes/hubmirror.yaml"
SCRIPTS = Path(sys.executable).parent


@pytest.fixture(scope="module")
def manifests() -> dict[str, Any]:
    """The manifests by their kind."""
    return {one["kind"]: one for one in documents(KUBERNETES)}


def documents(path: Path) -> Iterator[dict[str, Any]]:
    """What a file of YAML has."""
    yield from YAML(typ="safe").load_all(path.read_text())


def test_the_container_file_has_no_fault() -> None:
    """By hadolint, and shellcheck for the commands within."""
    assert run(SCRIPTS / "hadolint", CONTAINERFILE) == ""


def test_the_compose_file_is_one(tmp_path: Path) -> None:
    """By the schema that docker compose itself came with."""
    pip = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps")
    run(*pip, "--dest", tmp_path, "docker-compose==1.29.2", seconds=120)
    wheel = next(tmp_path.glob("*.whl"))
    schema = json.loads(zipfile.ZipFile(wheel).read("compose/config/compose_spec.json"))

    [compose] = documents(COMPOSE)

    jsonschema_rs.validate(schema, compose)
    build = compose["services"]["hubmirror"]["build"]
    assert (COMPOSE.parent / build["context"] / build["dockerfile"]).resolve() == CONTAINERFILE


def test_the_manifests_are_right() -> None:
    """By Kubernetes' own schemas, in which nothing unknown may stand."""
    found = run(SCRIPTS / "kubernetes-validate", "--strict", KUBERNETES)

    assert found.count(" passed ") == 4


def test_the_pod_may_be_in_a_restricted_namespace(manifests: dict[str, Any]) -> None:
    """What the profile ``restricted`` of the Pod Security Standards asks for."""
    pod = manifests["StatefulSet"]["spec"]["template"]["spec"]
    [container] = pod["containers"]
    own = container["securityContext"]

    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert own["allowPrivilegeEscalation"] is False
    assert own["capabilities"] == {"drop": ["ALL"]}
    assert own["readOnlyRootFilesystem"] is True
    assert f"USER {pod['securityContext']['runAsUser']}:" in CONTAINERFILE.read_text()


def test_the_pods_configuration_can_be_used(manifests: dict[str, Any], tmp_path: Path) -> None:
    """It listens where the probes and the service look, and its end is waited for."""
    path = tmp_path / "hubmirror.toml"
    path.write_text(manifests["ConfigMap"]["data"]["hubmirror.toml"])
    config = load({"config": str(path)}, {}, uid=0).config
    pod = manifests["StatefulSet"]["spec"]["template"]["spec"]
    [container] = pod["containers"]

    assert [one.port for one in config.http] == [container["ports"][0]["containerPort"]]
    assert str(config.data) == container["volumeMounts"][0]["mountPath"]
    assert config.shutdown_grace < pod["terminationGracePeriodSeconds"]
    node_port = manifests["Service"]["spec"]["ports"][0]["nodePort"]
    assert config.public_url == f"http://127.0.0.1:{node_port}"


def test_the_image_has_what_it_is_told_to_copy() -> None:
    """What the build may see of the checkout is all that it asks for."""
    allowed = set(re.findall(r"(?m)^!(.+)$", (ROOT / ".containerignore").read_text()))
    copied = re.findall(r"(?m)^COPY (?!--from)(.+) \S+$", CONTAINERFILE.read_text())

    assert {name for line in copied for name in line.split()} == allowed
    assert (ROOT / ".dockerignore").read_text() == (ROOT / ".containerignore").read_text()
