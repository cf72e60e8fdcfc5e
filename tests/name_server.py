"""A name server on loopback that knows the IPv4 addresses of one host."""

import socket
import socketserver
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

A, IN = 1, 1  # type and class of a record with an IPv4 address
RESPONSE = 0x8180  # flags: a response without an error
TTL = 1  # s


class _Answer(socketserver.BaseRequestHandler):
    addresses: list[str]

    def handle(self) -> None:
        query, server = self.request
        [number] = struct.unpack("!H", query[:2])
        end = query.index(b"\0", 12) + 5  # of the question: name, type and class
        [kind] = struct.unpack("!H", query[end - 4 : end - 2])
        addresses = self.addresses if kind == A else []
        header = struct.pack("!6H", number, RESPONSE, 1, len(addresses), 0, 0)
        record = struct.pack("!HHHIH", 0xC00C, A, IN, TTL, 4)  # 0xC00C: the name in the question
        records = b"".join(record + socket.inet_aton(address) for address in addresses)
        server.sendto(header + query[12:end] + records, self.client_address)


@contextmanager
def name_server(addresses: list[str]) -> Iterator[int]:
    """Answer each question with these addresses, which may change; yield the UDP port."""
    handler = type("Answer", (_Answer,), {"addresses": addresses})
    with socketserver.UDPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server.server_address[1]
        server.shutdown()
