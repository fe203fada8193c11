"""Who sent it, when the endpoint's secrets over the body do not say. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from ingest.admission.endpoint_table import Endpoint, EndpointTable
from sori.errors import MalformedSignature, MissingSignature, SignatureError, WrongSignature
from sori.signature import Scheme

#: Bytes that one request may have us sign with secrets other than its endpoint's own, and how many of them.
_MOST_SIGNED_BYTES, _MOST_SECRETS = 1_048_576, 32

#: In observe mode, the key id of what nothing proved: no secret's, since those end in eight hex digits.
UNPROVEN: Mapping[type[SignatureError], str] = {
    MissingSignature: "unproven:missing",
    MalformedSignature: "unproven:malformed",
    WrongSignature: "unproven:wrong",
}


def prove_otherwise(
    scheme: Scheme,
    table: EndpointTable,
    endpoint: Endpoint,
    body: bytes,
    signature: str | None,
    *,
    wire: bytes | None = None,
) -> str:
    """Key id of what proves the sender though the endpoint's secrets over the body do not; empty when nothing does.

    Another endpoint's secret: an account has one, whichever of its URLs an event goes to. Or the bytes on the wire.
    """
    others = [secret for secret in table.secrets if secret not in endpoint.secrets]
    for message, secrets in ((body, others), (wire, [*endpoint.secrets, *others])):
        if message is None:
            continue
        most = max(1, len(endpoint.secrets), _MOST_SIGNED_BYTES // (len(message) + 1))
        try:
            return scheme.verify(secrets[: min(_MOST_SECRETS, most)], message, signature)
        except WrongSignature:
            continue
        except SignatureError:
            return ""
    return ""
