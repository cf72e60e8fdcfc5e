"""Cases: bytes that are not HTTP, and ambiguous or malformed HTTP requests."""

from collections.abc import Iterator

from tests.hostile.caller import API, Case, Send

DOT = b'{"data": [[[[1, 1]]], "mlp-32"]}'
RUN = f"{API}/run/predict_strokes".encode()
SETTLED = (0, *range(200, 600))  # 0: the server closed the connection without a response
REFUSED = (0, *range(400, 500))


def sent(*headers: bytes, body: bytes = DOT, start: bytes = b"POST " + RUN + b" HTTP/1.1") -> Send:
    head = b"\r\n".join([start, b"Host: [::1]", b"Connection: close", *headers])
    return lambda c: c.raw(head + b"\r\n\r\n" + body)


def cases() -> Iterator[Case]:
    length = b"Content-Length: %d" % len(DOT)
    chunk = b"%x\r\n%s\r\n0\r\n\r\n" % (len(DOT), DOT)
    chunked = b"Transfer-Encoding: chunked"
    bad: dict[str, Send] = {
        "a negative length": sent(b"Content-Length: -1"),
        "a length that is not a number": sent(b"Content-Length: ten"),
        "a length of 10^30": sent(b"Content-Length: 1" + b"0" * 30),
        "a length with a sign": sent(b"Content-Length: +32"),
        "two lengths": sent(length, b"Content-Length: 5"),
        "a length and chunks": sent(length, chunked, body=chunk),
        "more bytes than announced": sent(b"Content-Length: 5"),
        "fewer bytes than announced": sent(b"Content-Length: 5000"),
        "a chunk without a size": sent(chunked, body=b"zz\r\nx\r\n0\r\n\r\n"),
        "a chunk of negative size": sent(chunked, body=b"-5\r\nx\r\n0\r\n\r\n"),
        "a chunk of 2^64": sent(chunked, body=b"FFFFFFFFFFFFFFFFF\r\nx\r\n0\r\n\r\n"),
        "an incomplete chunk": sent(chunked, body=b"5\r\nab"),
        "an unknown encoding": sent(b"Transfer-Encoding: evil", body=chunk),
        "two encodings": sent(chunked, b"Transfer-Encoding: gzip", body=chunk),
        "no request": lambda c: c.raw(b"\r\n\r\n\r\n"),
        "noise": lambda c: c.raw(bytes(range(256)) * 10),
        "TLS": lambda c: c.raw(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500)),
        "HTTP/2": lambda c: c.raw(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        "HTTP/0.9": lambda c: c.raw(b"GET /\r\n"),
        "HTTP/9.9": sent(start=b"GET / HTTP/9.9"),
        "SSH": lambda c: c.raw(b"SSH-2.0-OpenSSH_9.0\r\n"),
        "Redis": lambda c: c.raw(b"*1\r\n$8\r\nFLUSHALL\r\n"),
        "a method of noise": sent(start=b"\xff\xff / HTTP/1.1"),
        "a space too many": sent(start=b"GET  / HTTP/1.1"),
        "no path": sent(start=b"GET HTTP/1.1"),
        "a path of 100,000 letters": sent(start=b"GET /" + b"x" * 100_000 + b" HTTP/1.1"),
        "a header of 100,000 letters": sent(b"X: " + b"x" * 100_000, length),
        "10,000 headers": sent(*[b"X%d: y" % i for i in range(10_000)], length),
        "a header with a NUL": sent(b"X: a\0b", length),
        "a header without a colon": sent(b"evil", length),
        "a header with a space before its colon": sent(b"Content-Length : 32"),
        "a folded header": sent(b"X: a\r\n Content-Length: 5", length),
        "line feeds alone": lambda c: c.raw(b"GET /nowhere HTTP/1.1\nHost: [::1]\n\n"),
        "an invalid host": sent(b"Host: \xff\xff", start=b"GET /nowhere HTTP/1.1"),
        "a line break in the path": sent(start=b"GET /config%0d%0aSet-Cookie:%20a=b HTTP/1.1"),
        "the URL of another host": sent(start=b"GET http://evil.example/runs HTTP/1.1"),
        "a host and a port for a path": sent(start=b"CONNECT evil.example:443 HTTP/1.1"),
        "a star": sent(start=b"OPTIONS * HTTP/1.1"),
        "an unknown expectation": sent(b"Expect: evil", b"Content-Length: 5000"),
        "a body in gzip": sent(b"Content-Encoding: gzip", length, body=b"\x1f\x8b" + DOT[2:]),
        "a websocket": sent(
            b"Upgrade: websocket", b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
            b"Sec-WebSocket-Version: 13", start=b"GET /queue/join HTTP/1.1",
        ),
    }  # fmt: skip
    for name, send in bad.items():
        yield Case(f"wire: {name}", send, SETTLED if name in LENIENT else REFUSED)
    for i in (1, 20, 60, 150, 200):
        cut = b"POST " + RUN + b" HTTP/1.1\r\nHost: [::1]\r\n" + length + b"\r\n\r\n" + DOT
        yield Case(f"wire: truncated after {i} bytes", lambda c, cut=cut[:i]: c.raw(cut), SETTLED)
    two = b"GET /health HTTP/1.1\r\nHost: [::1]\r\n\r\nGET /runs HTTP/1.1\r\nHost: [::1]\r\n\r\n"
    yield Case("wire: two at once", lambda c: c.raw(two), (200,), "There is nothing")
    for host in (b"evil.example", b"", b"x" * 5_000, b"127.0.0.1:99999", b"[::1", b"a b", b"\xe9"):
        for path in (b"/config", b"/", b"/gradio_api/info"):
            request = (
                b"GET " + path + b" HTTP/1.1\r\nHost: " + host + b"\r\nConnection: close\r\n\r\n"
            )
            name = f"wire: {path.decode()} of host {host[:30]!r}"
            yield Case(name, lambda c, request=request: c.raw(request), SETTLED)
    for header in (b"X-Forwarded-For: ", b"Origin: ", b"Referer: ", b"Cookie: ", b"Range: bytes=",
                   b"Authorization: ", b"X-Forwarded-Host: ", b"Accept-Language: ",
                   b"If-None-Match: ", b"X-Direct-Url: ", b"X-Gradio-Server: ",
                   b"X-IP-Token: "):  # fmt: skip
        for value in (
            b"evil.example",
            b"../../etc/passwd",
            b"\xff\xfe",
            b"0-,5-1,-9" + b",1-2" * 999,
        ):
            request = (
                b"GET / HTTP/1.1\r\nHost: [::1]\r\nConnection: close\r\n"
                + header
                + value
                + b"\r\n\r\n"
            )
            name = f"wire: {header.decode()}{value[:20]!r}"
            yield Case(name, lambda c, request=request: c.raw(request), SETTLED)


LENIENT = (
    "more bytes than announced",
    "a length and chunks",
    "HTTP/9.9",
    "a folded header",
    "the URL of another host",
    "line feeds alone",
    "a header with a space before its colon",
)
