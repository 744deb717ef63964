"""Why no connection was made to an address that a customer named, in a sentence for them; nothing of our own side."""

from __future__ import annotations

import errno
import ssl

MOST_CAUSES = 8
CERTIFICATE = "its certificate is not trusted"
NO_TLS = "it does not speak TLS as it should"
CERTIFICATES: dict[int, str] = {
    9: "its certificate is not valid yet",
    10: "its certificate has expired",
    18: "its certificate is self-signed",
    19: "its certificate is signed by an authority that is not known here",
    20: "its certificate is signed by an authority that is not known here, or it does not send the ones between",
    21: "its certificate is signed by an authority that is not known here, or it does not send the ones between",
    62: "its certificate is for another host",
    64: "its certificate is for another address",
}
"""By OpenSSL's `X509_V_ERR_*`."""
SOCKETS: dict[int, str] = {
    errno.ECONNREFUSED: "it refused the connection",
    errno.ECONNRESET: "it broke the connection off",
    errno.EPIPE: "it broke the connection off",
    errno.ECONNABORTED: "it broke the connection off",
    errno.EHOSTUNREACH: "there is no way to its network",
    errno.ENETUNREACH: "there is no way to its network",
    errno.ETIMEDOUT: "it did not answer the connection",
}


def why_unreached(error: BaseException) -> str | None:
    """What an HTTP client's error, or one behind it, says of the connection; None where that is nothing known here."""
    behind: BaseException | None = error
    for _ in range(MOST_CAUSES):
        if behind is None:
            return None
        said = _said_by(behind)
        if said is not None:
            return said
        behind = behind.__cause__ or behind.__context__
    return None


def _said_by(error: BaseException) -> str | None:
    match error:
        case ssl.SSLCertVerificationError(verify_code=int() as code):
            return CERTIFICATES.get(code, CERTIFICATE)
        case ssl.SSLCertVerificationError():  # aiohttp's own: the code stands in the error behind it
            return None
        case ssl.SSLError():
            return NO_TLS
        case OSError(errno=int() as number):
            return SOCKETS.get(number)
        case _:
            return None
