"""Getting a certificate from an ACME server (RFC 8555), step by step. It blocks."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta, timezone
from threading import Event
from typing import Any, Final

from acme import crypto_util, errors, messages
from acme.client import ClientV2
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from josepy.jwk import JWKEC

from hubmirror.certificates.acme_failures import AcmeFailed
from hubmirror.certificates.acme_network import Network
from hubmirror.certificates.acme_reasons import failed_validation, in_plain_words
from hubmirror.certificates.acme_server import AcmeServer
from hubmirror.certificates.acme_store import Account, AcmeStore
from hubmirror.certificates.acme_times import Suggestion
from hubmirror.certificates.acme_ways import Ways, where
from hubmirror.certificates.files import CertificateError, KeyPair
from hubmirror.certificates.issuing import new_key

__all__ = ["AcmeClient"]

#: How long the server may take to look at our names, and then to issue, in seconds.
PATIENCE: Final = 120.0
#: Between two looks whether it has, in seconds.
POLL: Final = 1.0
#: When to ask for a suggestion again where the server can't say (RFC 9773, section 4.3.3).
ASK_AGAIN: Final = timedelta(hours=6)


class AcmeClient:
    """Asks ``server``; account and certificate are in ``store``.

    ``ways`` are those to prove that a name is ours. Once ``stopping`` is
    set, nothing is waited for any more. Methods raise ``AcmeFailed`` and ``CertificateError``.
    """

    def __init__(
        self,
        server: AcmeServer,
        store: AcmeStore,
        ways: Ways,
        stopping: Event,
        user_agent: str = "hubmirror",
    ) -> None:
        self._server = server
        self._store = store
        self._ways = ways
        self._stopping = stopping
        self._user_agent = user_agent

    def obtain(self, names: Sequence[str]) -> KeyPair:
        """Get a certificate for ``names`` on a new key, and keep it."""
        self._ways.clear()
        network = self._network()
        with in_plain_words(self._server.directory, lambda: network.retry_after):
            client = self._client(network)
            self._log_in(client)
            try:
                return self._order(client, names)
            except messages.Error as error:
                if error.code != "accountDoesNotExist":
                    raise
            # The server has forgotten us, as one does that was set up anew.
            self._store.forget_account()
            self._log_in(client)
            return self._order(client, names)

    def suggestion(self, leaf: x509.Certificate) -> Suggestion:
        """When the server would have ``leaf`` renewed (RFC 9773)."""
        network = self._network()
        with in_plain_words(self._server.directory, lambda: network.retry_after):
            client = self._client(network)
            try:
                at, again = client.renewal_time(leaf.public_bytes(Encoding.PEM))
            except errors.ARIError as error:
                return Suggestion(None, _aware(error.retry_after))
            return Suggestion(None if at is None else _aware(at), _aware(again))

    def _network(self) -> Network:
        server = self._server
        return Network(self._key(), server.ca, server.proxy, self._user_agent)

    def _key(self) -> JWKEC:
        key = self._store.account_key()
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
            raise CertificateError("the ACME account's key is none on P-256, as we made it")
        return JWKEC(key=key)

    def _client(self, network: Network) -> ClientV2:
        return ClientV2(ClientV2.get_directory(self._server.directory, network), network)

    def _log_in(self, client: ClientV2) -> None:
        """Have an account: the one we know, or the one of our key, or a new one."""
        email, known = self._server.email, self._store.account()
        if known is None:
            known = Account(self._register(client), email)
            self._store.keep_account(known)
        client.net.account = _resource(known.url)
        if known.email != email:
            contact = {"contact": () if email is None else (f"mailto:{email}",)}
            # The library's own way of a change asks for the account by its key first.
            client.update_registration(client.net.account, messages.Registration(**contact))
            self._store.keep_account(Account(known.url, email))

    def _register(self, client: ClientV2) -> str:
        """The account's URL. Whoever sets ``acme`` agrees to the terms of the server."""
        binding, email = self._server.binding, self._server.email
        told: dict[str, Any] = {"terms_of_service_agreed": True}
        if email is not None:
            told["contact"] = (f"mailto:{email}",)
        if binding is not None:
            told["external_account_binding"] = messages.ExternalAccountBinding.from_data(
                self._key().public_key(), *binding, directory=client.directory
            )
        try:
            return str(client.new_account(messages.NewRegistration(**told)).uri)
        except errors.ConflictError as error:
            return error.location

    def _order(self, client: ClientV2, names: Sequence[str]) -> KeyPair:
        key = new_key()
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        order = client.new_order(crypto_util.make_csr(pem, list(names)))
        with ExitStack() as under_way:
            asked = [
                (authorization, self._prove(client, authorization, under_way))
                for authorization in order.authorizations
                if authorization.body.status != messages.STATUS_VALID
            ]
            deadline = datetime.now(timezone.utc) + timedelta(seconds=PATIENCE)
            for authorization, challenge in asked:
                self._await_proof(client, authorization, challenge, deadline)
        # The library's deadlines are in this machine's own time.
        order = client.finalize_order(order, datetime.now() + timedelta(seconds=PATIENCE))
        return self._store.keep_pair(order.fullchain_pem.encode(), key)

    def _prove(
        self, client: ClientV2, authorization: messages.AuthorizationResource, under_way: ExitStack
    ) -> messages.ChallengeBody:
        """Have the server look whether a name is ours; what it looks for is there before."""
        challenge = self._ways.choose(authorization)
        response, answer = challenge.chall.response_and_validation(client.net.key)
        name = authorization.body.identifier.value
        under_way.enter_context(self._ways.under_way(challenge, name, answer))
        client.answer_challenge(challenge, response)
        return challenge

    def _await_proof(
        self,
        client: ClientV2,
        authorization: messages.AuthorizationResource,
        challenge: messages.ChallengeBody,
        deadline: datetime,
    ) -> None:
        """Wait until the server has decided about one name."""
        seen = authorization
        while datetime.now(timezone.utc) < deadline:
            seen, _ = client.poll(seen)
            if seen.body.status == messages.STATUS_VALID:
                return
            if seen.body.status != messages.STATUS_PENDING:
                self._ways.failed()
                raise _refusal(seen, challenge)
            if self._stopping.wait(POLL):
                raise AcmeFailed("the mirror is ending")
        raise errors.TimeoutError


def _refusal(
    authorization: messages.AuthorizationResource, challenge: messages.ChallengeBody
) -> AcmeFailed:
    body = authorization.body
    name = body.identifier.value
    error = next((one.error for one in body.challenges if one.error is not None), None)
    return failed_validation(name, where(challenge, name), error)


def _resource(url: str) -> messages.RegistrationResource:
    return messages.RegistrationResource(uri=url, body=messages.Registration())


def _aware(moment: datetime) -> datetime:
    """The library's moments have no zone where they are this machine's own."""
    return moment.astimezone(timezone.utc)
