# SPDX-License-Identifier: Apache-2.0
"""Requests that peers could read in two ways are refused, and no byte of them reaches the application (RFC 9112 §11.2)."""
import pytest
from conftest import read_all

HOST = b"Host: t\r\n"
REFUSED = {
    "CL.TE": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "TE.CL": b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
    "TE.TE": b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "TE chunked twice": b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "TE with vertical tab": b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
    "TE xchunked": b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "TE in 1.0": b"POST / HTTP/1.0\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "CL twice": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\nx",
    "CL list": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 1, 1\r\n\r\nx",
    "CL plus": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: +1\r\n\r\nx",
    "CL minus": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: -1\r\n\r\nx",
    "CL hex": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 0x1\r\n\r\nx",
    "CL huge": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 99999999999999999999\r\n\r\nx",
    "CL empty": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: \r\n\r\nx",
    "bare LF": b"GET / HTTP/1.1\r\nHost: t\nX: y\r\n\r\n",
    "bare CR": b"GET / HTTP/1.1\r\n" + HOST + b"X: a\rb\r\n\r\n",
    "folded line": b"GET / HTTP/1.1\r\n" + HOST + b"X: a\r\n b\r\n\r\n",
    "space before colon": b"GET / HTTP/1.1\r\n" + HOST + b"Content-Length : 1\r\n\r\nx",
    "NUL": b"GET / HTTP/1.1\r\n" + HOST + b"X: a\x00b\r\n\r\n",
    "space before the first field": b"GET / HTTP/1.1\r\n X: y\r\n" + HOST + b"\r\n",
    "no host": b"GET / HTTP/1.1\r\nX: y\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\n" + HOST + HOST + b"\r\n",
    "empty name": b"GET / HTTP/1.1\r\n" + HOST + b": x\r\n\r\n",
}
CHUNKS = {
    "plus": b"+1\r\nx\r\n0\r\n\r\n", "0x": b"0x1\r\nx\r\n0\r\n\r\n", "space before": b" 1\r\nx\r\n0\r\n\r\n",
    "space behind": b"1 \r\nx\r\n0\r\n\r\n", "bare LF": b"1\nx\r\n0\r\n\r\n", "overflow": b"1" * 17 + b"\r\nx",
    "no CRLF behind data": b"1\r\nxy0\r\n\r\n", "bad trailer": b"0\r\nContent-Length: 5\r\n\r\n",
}


@pytest.fixture
def spied(make):
    received = []

    def upstream(connection):
        while data := connection.recv(65536):
            received.append(data)
    return make.proxy([make.upstream(upstream)]), received


@pytest.mark.parametrize("name", REFUSED)
def test_refused(spied, name):
    proxy, received = spied
    with proxy.connect() as connection:
        connection.sendall(REFUSED[name] + b"GET /smuggled HTTP/1.1\r\n" + HOST + b"\r\n")
        data = read_all(connection)
    status = data.split(b" ")[1]
    assert status in (b"400", b"501"), data[:100]
    assert data.count(b"HTTP/1.1 ") == 1 and b"apus-proxy-error: malformed_message" in data
    assert received == []


@pytest.mark.parametrize("name", CHUNKS)
def test_refused_chunks(spied, name):
    proxy, received = spied
    with proxy.connect() as connection:
        connection.sendall(b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNKS[name])
        data = read_all(connection)
    assert data.startswith(b"HTTP/1.1 400"), data[:100]
    assert b"smuggled" not in b"".join(received)


def test_too_large_is_431(spied):
    proxy, _ = spied
    for request in (b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"a" * 70000 + b"\r\n\r\n",
                    b"GET / HTTP/1.1\r\n" + HOST + b"X: y\r\n" * 201 + b"\r\n"):
        with proxy.connect() as connection:
            connection.sendall(request)
            data = read_all(connection)
        assert data.startswith(b"HTTP/1.1 431") and b"apus-proxy-error: head_too_large" in data
