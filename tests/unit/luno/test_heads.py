"""Requests are what httpx itself would make of the same call."""

from __future__ import annotations

import httpx
import pytest

from lunomm.luno.heads import HEADERS, Heads
from lunomm.luno.hosts import ApiKey

TIMEOUT = httpx.Timeout(5, connect=2, pool=2)
KEY = ApiKey("abcdef", "s3cr3t:with/odd+signs")
FORM = {"pair": "XBTMYR", "volume": "0.5", "client_order_id": "mx0;2,a.b-1 ä&=", "post_only": "true"}


@pytest.mark.parametrize(
    "base", ["http://127.0.0.1:8377", "http://127.0.0.1:8377/", "https://api.luno.com", "http://[::1]:1/x"]
)
@pytest.mark.parametrize("private", [False, True])
@pytest.mark.parametrize("sent", [{}, FORM])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_as_the_library_makes_it(method: str, sent: dict[str, str], private: bool, base: str) -> None:
    ours = Heads(base, KEY, TIMEOUT).request(method, "/api/1/postorder", sent, private=private)
    client = httpx.AsyncClient(base_url=base, headers=HEADERS, timeout=TIMEOUT)
    given = {"data": sent} if method == "POST" else {"params": sent}
    theirs = client.build_request(method, "/api/1/postorder", **given)  # type: ignore[arg-type]
    if private:
        theirs = next(httpx.BasicAuth(KEY.id, KEY.secret).sync_auth_flow(theirs))
    assert (ours.method, ours.url, ours.content) == (theirs.method, theirs.url, theirs.content)
    assert sorted(ours.headers.raw) == sorted((name, value) for name, value in theirs.headers.raw)
    assert ours.extensions["timeout"] == theirs.extensions["timeout"]


def test_no_key_no_private_call_and_no_secret_in_any_text() -> None:
    heads = Heads("http://127.0.0.1:1", KEY, TIMEOUT)
    request = heads.request("POST", "/api/1/postorder", FORM, private=True)
    for text in (repr(heads), repr(request), repr(request.headers), str(request.headers)):
        assert KEY.secret not in text
        assert request.headers["authorization"].removeprefix("Basic ") not in text
    assert "authorization" not in heads.request("GET", "/api/1/ticker", {}, private=False).headers
    assert not Heads("http://127.0.0.1:1", None, TIMEOUT).has_key
