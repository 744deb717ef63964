"""What an error of an HTTP client says of a connection that was not made."""

from __future__ import annotations

import errno
import ssl

import pytest

from libs.runtime.unreached import why_unreached


def certificate(code: int) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code = code
    return error


def behind(cause: Exception) -> Exception:
    try:
        try:
            raise cause
        except Exception as error:
            raise RuntimeError("all attempts failed") from error
    except RuntimeError as error:
        return error


@pytest.mark.parametrize(
    ("error", "said"),
    [
        pytest.param(ConnectionRefusedError(errno.ECONNREFUSED, "x"), "it refused the connection", id="refused"),
        pytest.param(OSError(errno.ENETUNREACH, "x"), "there is no way to its network", id="no route"),
        pytest.param(ConnectionResetError(errno.ECONNRESET, "x"), "it broke the connection off", id="reset"),
        pytest.param(certificate(10), "its certificate has expired", id="expired"),
        pytest.param(certificate(18), "its certificate is self-signed", id="self-signed"),
        pytest.param(certificate(62), "its certificate is for another host", id="another host"),
        pytest.param(certificate(99), "its certificate is not trusted", id="another fault"),
        pytest.param(ssl.SSLError(1, "wrong version number"), "it does not speak TLS as it should", id="no TLS"),
        pytest.param(behind(certificate(10)), "its certificate has expired", id="behind another error"),
        pytest.param(OSError("x"), None, id="no number"),
        pytest.param(ValueError("x"), None, id="something else"),
    ],
)
def test_a_connection_that_was_not_made_says_why(error: Exception, said: str | None) -> None:
    assert why_unreached(error) == said
