"""Cases: invalid uploads."""

from collections.abc import Iterator

from tests.hostile.caller import ANSWERED, API, BOUNDARY, REFUSED, Answer, Caller, Case, Send, form
from tests.hostile.pictures import png

CRLF = b"\r\n"
LARGE = "at most 10,000,000 bytes"


def posted(
    body: bytes, kind: str = f"multipart/form-data; boundary={BOUNDARY}", query: str = ""
) -> Send:
    return lambda c: c.post(f"upload{query}", body, {"Content-Type": kind})


def formed(*parts: tuple[str, str | None, bytes]) -> Send:
    body, headers = form(parts)
    return lambda c: c.post("upload", body, headers)


def headed(header: bytes, data: bytes = b"x") -> Send:
    """Return a function that uploads one part with the given headers."""
    edge = b"--" + BOUNDARY.encode()
    return posted(edge + CRLF + header + CRLF + CRLF + data + CRLF + edge + b"--" + CRLF)


def promised(length: str) -> Send:
    """Return a function that announces a body of `length` bytes and sends only a few."""
    head = f"POST {API}/upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n"
    kind = f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n\r\n"
    return lambda c: c.raw((head + kind).encode(), b"--" + BOUNDARY.encode())


def chunked(caller: Caller) -> Answer:
    """Upload more than the limit, chunked, so that the size is not announced."""
    body, headers = form([("files", "x.png", bytes(10_200_000))])
    pieces = (body[i : i + 500_000] for i in range(0, len(body), 500_000))
    return caller.request("POST", f"{API}/upload", pieces, headers)


def cases() -> Iterator[Case]:
    whole, _ = form([("files", "x.png", png())])
    files = b'Content-Disposition: form-data; name="files"'
    refused: dict[str, Send] = {
        "that is not multipart": posted(png(), "image/png"),
        "of JSON": posted(b"{}", "application/json"),
        "without a boundary": posted(whole, "multipart/form-data"),
        "with an empty boundary": posted(whole, "multipart/form-data; boundary="),
        "with another boundary": posted(whole, "multipart/form-data; boundary=other"),
        "with a boundary of 5,000 letters": posted(
            whole, "multipart/form-data; boundary=" + "x" * 5_000
        ),
        "with a non-ASCII boundary": posted(whole, "multipart/form-data; boundary=\xe9"),
        "of noise": posted(b"\xff" * 1_000),
        "without a type": lambda c: c.request("POST", f"{API}/upload", whole),
        "of a field that is not a file": formed(("files", None, b"x")),
        "of a field and a file": formed(("files", "x.png", b"x"), ("files", None, b"x")),
        "of two dots": formed(("files", "..", b"x")),
        "of a name of 5,000 letters": formed(("files", "x" * 5_000, b"x")),
        "of 1,001 files": formed(*(("files", f"{i}.png", b"") for i in range(1_001))),
        "of 1,001 fields": formed(*((f"f{i}", None, b"") for i in range(1_001))),
        "of 10 MB and a bit": formed(("files", "x.png", bytes(10_000_001))),
        "of 11 MB": formed(("files", "x.png", bytes(11_000_000))),
        "with a header of 9,000 bytes": headed(files + b'; filename="x"\r\nX: ' + b"x" * 9_000),
        "with 2,000 headers": headed(files + b'; filename="x"' + b"\r\nX: y" * 2_000),
        "without a header": headed(b"X: y"),
        "without a name": headed(b'Content-Disposition: form-data; filename="x"'),
        "with an invalid header": headed(b"\xff\xff\xff"),
        "with a header of a NUL": headed(files + b'; filename="x\0y"\r\n\0: x'),
        "that announces 10^30 bytes": promised(str(10**30)),
        "that announces 10 GB": promised(str(10**10)),
        "that announces more than it sends": promised("500"),
        "above the limit, chunked": chunked,
    }
    for name, send in refused.items():
        yield Case(f"upload {name}", send, (0, *REFUSED))  # 0: the server closed the connection
    taken: dict[str, Send] = {
        "with an unknown charset": posted(
            whole, f"multipart/form-data; boundary={BOUNDARY}; charset=evil"
        ),
        "of 100 files": formed(*(("files", f"{i}.png", b"") for i in range(100))),
        "of no file": formed(("other", None, b"x")),
        "of another field": formed(("file", "x.png", png())),
        "without an end": posted(whole[:-30]),
        "that is truncated": posted(whole[:80]),
        "of nothing": posted(b""),
        "of an empty file": formed(("files", "x.png", b"")),
        "of a file and another field": formed(("files", "x.png", b"x"), ("x", None, b"y")),
        "of a file in Unicode by RFC 5987": headed(files + b"; filename*=UTF-8''%E2%98%A0.png"),
        "of a file with .. by RFC 5987": headed(
            files + b"; filename*=UTF-8''..%2f..%2fx; filename=y"
        ),
        "with an id with ..": posted(whole, query="?upload_id=../../x"),
        "with an id of 5,000 letters": posted(whole, query="?upload_id=" + "x" * 5_000),
        "with two names": headed(files + b'; filename="a"; filename="../../b"'),
    }
    for name, send in taken.items():
        yield Case(f"upload {name}", send, range(200, 500))
    yield Case("upload of exactly the limit", formed(("files", "x", bytes(10_000_000))), ANSWERED)
