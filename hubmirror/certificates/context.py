"""The settings of the listener's TLS."""

from __future__ import annotations

from typing import Final

from OpenSSL import SSL

from hubmirror.certificates.files import CertificateError, KeyPair

__all__ = ["server_context"]

#: For TLS 1.2: forward secrecy and AEAD only, as Mozilla's "intermediate" list without its DHE.
#: TLS 1.3 has no others by itself.
CIPHERS: Final = b":".join(
    (
        b"ECDHE-ECDSA-AES128-GCM-SHA256",
        b"ECDHE-RSA-AES128-GCM-SHA256",
        b"ECDHE-ECDSA-AES256-GCM-SHA384",
        b"ECDHE-RSA-AES256-GCM-SHA384",
        b"ECDHE-ECDSA-CHACHA20-POLY1305",
        b"ECDHE-RSA-CHACHA20-POLY1305",
    )
)

HTTP_1_1: Final = b"http/1.1"

#: SSL_CTX_set_mode(3): pyOpenSSL sets it, and has no name for it.
ENABLE_PARTIAL_WRITE: Final = 0x1


def server_context(pair: KeyPair, protocol: bytes = HTTP_1_1) -> SSL.Context:
    """A context for any number of server connections; sessions resume within it only.

    The client's order of ciphers counts: all are strong, and the client knows whether AES is
    fast on its machine. ``protocol`` is what ALPN chooses where it is offered. Raises
    ``CertificateError`` where OpenSSL refuses the pair (a digest that is too weak, for one).
    """
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_options(SSL.OP_NO_RENEGOTIATION | SSL.OP_NO_COMPRESSION)
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)  # half the memory of an idle connection
    context.clear_mode(ENABLE_PARTIAL_WRITE)  # a large write is one call, not one for each 16 KiB
    context.set_cipher_list(CIPHERS)
    # RFC 7301 would end the handshake of a client that offers only other protocols. Those we
    # know of speak HTTP/1.1 all the same, so it goes on without ALPN, as with nginx until 1.21.
    context.set_alpn_select_callback(
        lambda _, offered: protocol if protocol in offered else SSL.NO_OVERLAPPING_PROTOCOLS
    )
    # Without a session id context OpenSSL may refuse to resume. Tickets are on by default and
    # their keys are the context's own, so the name needs no randomness.
    context.set_session_id(b"hubmirror")
    context.set_session_cache_mode(SSL.SESS_CACHE_SERVER)
    _use(context, pair)
    return context


def _use(context: SSL.Context, pair: KeyPair) -> None:
    leaf, *issuers = pair.chain
    try:
        context.use_certificate(leaf)
        for issuer in issuers:
            context.add_extra_chain_cert(issuer)
        context.use_privatekey(pair.private_key)
        context.check_privatekey()
    except SSL.Error as error:
        raise CertificateError(f"{pair.certificate_file}: {_reason(error)}") from error


def _reason(error: SSL.Error) -> str:
    """The words of OpenSSL's error queue: a list of (library, function, reason)."""
    queue = error.args[0] if error.args else ()
    return "; ".join(str(entry[-1]) for entry in queue) or "OpenSSL refuses the certificate"
