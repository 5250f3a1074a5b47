"""What is wrong between settings that are each right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from hubmirror.certificates.files import CertificateError, load_pair
from hubmirror.config.access_disagreements import ACCESS_CHECKS, access_networks
from hubmirror.config.certificate_settings import is_public_name
from hubmirror.config.layers import UPSTREAM_LOGIN
from hubmirror.config.model import ListenAddress
from hubmirror.config.nearest import nearest
from hubmirror.config.problems import Problem
from hubmirror.config.settled import Settled
from hubmirror.quota.rules import Network

__all__ = ["Settled", "disagreements"]

#: Those that listen, the last one first: what is listed twice is a problem of the later one.
_LISTENERS: Final = ("monitor", "http", "https")

_BINDING: Final = ("acme_eab_kid", "acme_eab_key_file")
#: Of the directories of Let's Encrypt, for use and for trying out.
_PUBLIC_CAS: Final = ("acme-v02.api.letsencrypt.org", "acme-staging-v02.api.letsencrypt.org")


def disagreements(settled: Settled) -> list[Problem]:
    """All of it."""
    checks = (
        *(_pair, _listeners, _idle_credentials, _shared_networks, _unknown_networks),
        *(_certified, _binding, _redirect),
        *ACCESS_CHECKS,
    )
    return [problem for check in checks for problem in check(settled)]


def _pair(settled: Settled) -> Iterator[Problem]:
    """A certificate and a key that are not one of the other."""
    values = settled.values
    pair = {name: values[name] for name in ("certificate", "private_key") if name in values}
    if len(pair) < 2 or not any(pair.values()):
        return
    if None in pair.values():
        missing, given = sorted(pair, key=lambda name: pair[name] is not None)
        wrong = f"it is missing, but {given} is set"
        yield Problem(missing, wrong, "both or neither", settled.sources[given])
        return
    try:
        load_pair(**pair)
    except CertificateError as error:
        yield settled.problem("certificate", str(error))


def _listeners(settled: Settled) -> Iterator[Problem]:
    values = settled.values
    if values.get("http") == values.get("https") == ():
        yield Problem("http", "both http and https are off", "one of them at least")
    listed: dict[str, tuple[ListenAddress, ...]] = {
        name: values[name] for name in _LISTENERS if name in values
    }
    times = Counter(address for addresses in listed.values() for address in addresses)
    for address, count in times.items():
        if count > 1 and address.port:
            name = next(name for name, addresses in listed.items() if address in addresses)
            yield settled.problem(name, f"{address} is listed twice")


def _idle_credentials(settled: Settled) -> Iterator[Problem]:
    """An account of the mirror's own beside ``auth = passthrough``, which would not use it."""
    in_file = settled.values.get("upstream_credentials") is not None
    if settled.values.get("auth") != "passthrough" or not (in_file or settled.upstream_login):
        return
    wrong = "it is set, but auth is passthrough: say auth = mirror to use it"
    yield (
        settled.problem("upstream_credentials", wrong)
        if in_file
        else Problem(UPSTREAM_LOGIN, wrong)
    )


def _certified(settled: Settled) -> Iterator[Problem]:
    """Names to get a certificate for, and what can't be beside them."""
    values = settled.values
    names: tuple[str, ...] = values.get("acme", ())
    if not names:
        return
    if values.get("certificate") is not None:
        yield settled.problem("acme", "it is set, and certificate too", "one of them")
    if values.get("https") == ():
        yield settled.problem("acme", "it is set, but https is off", "with https, such as :443")
    if urlsplit(values.get("acme_directory") or "").hostname in _PUBLIC_CAS:
        for name in names:
            if not is_public_name(name):
                wrong = f"{name} is not a name of the public DNS: Let's Encrypt can't certify it"
                yield settled.problem("acme", wrong)
    host = urlsplit(values.get("public_url") or "").hostname
    if host is not None and host not in names:
        yield settled.problem("acme", f"it lacks {host}, by which public_url has clients come")


def _binding(settled: Settled) -> Iterator[Problem]:
    """An account's id without its key, or the other way round."""
    pair = [name for name in _BINDING if settled.values.get(name) is not None]
    if len(pair) == 1 and all(name in settled.values for name in _BINDING):
        (missing,) = set(_BINDING) - set(pair)
        wrong = f"it is missing, but {pair[0]} is set"
        yield Problem(missing, wrong, "both or neither", settled.sources[pair[0]])


def _redirect(settled: Settled) -> Iterator[Problem]:
    """A redirect to https that leads nowhere."""
    values = settled.values
    if not values.get("https_redirect") or "https" not in values:
        return
    if not values["https"]:
        yield settled.problem("https_redirect", "it is on, but https is off")
    elif not values["https"][0].port and values.get("public_url") is None:
        wrong = "it is on, but the port of https is not known before"
        yield settled.problem("https_redirect", wrong, "with a port in https, or with public_url")


def _shared_networks(settled: Settled) -> Iterator[Problem]:
    """A network with two names: whose is a client in it?"""
    named: dict[Network, str] = {}
    for name, several in settled.values.get("networks", {}).items():
        for network in dict.fromkeys(several):
            first = named.setdefault(network, name)
            if first != name:
                wrong = f"{network} is called {first}, too"
                yield settled.problem("networks", wrong, "one name for each", part=f".{name}")


def _unknown_networks(settled: Settled) -> Iterator[Problem]:
    """A name that ``networks`` has not."""
    known = settled.values.get("networks")
    if known is None:
        return
    for name, part, network in _named_networks(settled.values):
        if network not in known:
            match = nearest(network, known)
            meant = f"; did you mean {match}?" if match else ""
            wrong = f"[networks] has no {network!a}{meant}"
            yield settled.problem(name, wrong, part=part)


def _named_networks(values: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """The setting, the part of it, and the network that it names."""
    for number, limits in enumerate(values.get("quota_client", ())):
        if limits.network is not None:
            yield "quota_client", f"[{number}].network", limits.network
    yield from access_networks(values)
    for number, reserve in enumerate(values.get("quota_reserve", ())):
        for network in reserve.networks:
            yield "quota_reserve", f"[{number}].networks", network
