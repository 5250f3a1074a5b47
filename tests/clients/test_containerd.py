"""containerd's ``hosts.toml``, and the way to it in ``config.toml``."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from hubmirror.clients.containerd import hosts_in
from hubmirror.clients.files import SetupError
from hubmirror.clients.toml_file import read_toml, value_at
from tests.clients.examples import SECURE, TWO, URL, file_of, files_of, merged

HOSTS = "/etc/containerd/certs.d/docker.io/hosts.toml"
CONFIGURATION = "/etc/containerd/config.toml"
CRI = "io.containerd.grpc.v1.cri"


def names(text: str) -> list[str]:
    """The hosts in the order in which they are asked."""
    return hosts_in(PurePosixPath(HOSTS), text.encode())


def test_each_registry_has_a_file() -> None:
    """With the registry itself to fall back on, Docker Hub's by its other name."""
    files = {str(file.path): file.merge(None).decode() for file in files_of("nerdctl", TWO)}

    assert list(files) == [HOSTS, "/etc/containerd/certs.d/ghcr.io/hosts.toml"]
    servers = [text.splitlines()[0] for text in files.values()]
    assert servers == ['server = "https://registry-1.docker.io"', 'server = "https://ghcr.io"']


def test_the_ca_is_beside_it() -> None:
    """By a path that is right wherever the folder is."""
    trust, hosts, _ = files_of("containerd", SECURE)

    assert trust.path == hosts.path.parent / "hubmirror.crt"
    assert (
        value_at(read_toml(hosts.path, hosts.merge(None)), ("host", URL, "ca")) == trust.path.name
    )


@pytest.mark.parametrize(
    "before",
    [
        'server = "https://x"\n\n# theirs\n[host."https://other.example"]\nca = "a"\n',
        'ca = [\n  "a",\n]\nclient = [\n["b", "c"],\n]\n[host."https://other.example"]\n',
        'ca = """\n[host]\n"""\n[host]\n[host."https://other.example"]\n',
        'server = "https://x"',
        "# nothing\n",
    ],
)
def test_it_is_asked_first(before: str) -> None:
    """All that stood there still does, and where it stood."""
    after = merged("containerd", HOSTS, SECURE, before)

    assert names(after) == [URL, *names(before)]
    added = f'[host."{URL}"]\n  capabilities = ["pull", "resolve"]\n  ca = "hubmirror.crt"\n'
    head, tail = after.split(added)
    assert f"{head}{tail}".split() == before.split()
    assert merged("containerd", HOSTS, SECURE, after) == after


def test_a_host_that_is_there_is_mended() -> None:
    """What it may be asked for, and whom to trust."""
    before = f'[host."https://a"]\n[host."{URL}"] # ours\n  capabilities = ["pull", "push"]\n'

    after = merged("containerd", HOSTS, SECURE, before)

    host = value_at(read_toml(PurePosixPath(HOSTS), after.encode()), ("host", URL))
    assert host == {"capabilities": ["pull", "push", "resolve"], "ca": "hubmirror.crt"}
    assert "# ours" in after
    assert names(after) == ["https://a", URL]


def test_hosts_in_one_line_are_left_to_a_person() -> None:
    """There is no table to put one before."""
    with pytest.raises(SetupError, match="by hand"):
        merged("containerd", HOSTS, SECURE, 'host = {"https://other.example" = {}}\n')


@pytest.mark.parametrize(
    ("before", "plugin"),
    [
        ("version = 3\n", "io.containerd.cri.v1.images"),
        ("version = 2\n", CRI),
        ("root = '/x'\n", "cri"),
        (None, CRI),
        (f'version = 2\n[plugins."{CRI}"]\n  a = 1 # one\n[plugins."{CRI}".x]\n', CRI),
        (f'version = 2\n[plugins."{CRI}".registry]\n  config_path = ""\n', CRI),
    ],
)
def test_kubernetes_is_shown_the_way(before: str | None, plugin: str) -> None:
    """By the plugin that the configuration's version has."""
    after = merged("containerd", CONFIGURATION, SECURE, before)

    keys = ("plugins", plugin, "registry", "config_path")
    document = read_toml(PurePosixPath(CONFIGURATION), after.encode())
    assert value_at(document, keys) == "/etc/containerd/certs.d"
    assert file_of("containerd", CONFIGURATION, SECURE).then == "systemctl restart containerd"


@pytest.mark.parametrize(
    "before",
    [
        'disabled_plugins = ["cri"]\n',
        f'version = 2\n[plugins."{CRI}".registry]\nconfig_path = "/etc/containerd/certs.d"\n',
    ],
)
def test_where_there_is_no_need_it_is_left_alone(before: str) -> None:
    """Without Kubernetes, or with the way shown already."""
    paths = [str(one.path) for one in files_of("containerd", TWO, {CONFIGURATION: before.encode()})]

    assert CONFIGURATION not in paths
    assert HOSTS in paths


def test_a_folder_in_use_is_used() -> None:
    """The first of those that ``config_path`` has."""
    before = f'version = 2\n[plugins."{CRI}".registry]\nconfig_path = "/a:/b"\n'.encode()

    assert [str(one.path) for one in files_of("containerd", TWO, {CONFIGURATION: before})] == [
        "/a/docker.io/hosts.toml",
        "/a/ghcr.io/hosts.toml",
    ]


@pytest.mark.parametrize(
    "table", ['mirrors."docker.io"]\nendpoint = ["a"]', 'configs."a".tls]\na=1']
)
def test_the_old_form_is_not_mixed_with_the_new(table: str) -> None:
    """Containerd would not start."""
    before = f'version = 2\n[plugins."{CRI}".registry.{table}\n'

    with pytest.raises(SetupError, match="move them"):
        merged("containerd", CONFIGURATION, SECURE, before)
