#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Header blocks by an independent encoder, the PyPI package `hpack` (made with 4.2.0), for HPACKVectorTests.

One file is one connection. Its lines, in order:
    announced BYTES   what the decoder has announced as SETTINGS_HEADER_TABLE_SIZE
    block HEX         a header block; its fields follow, and what the dynamic table counts for after it
    field|never NAME VALUE    in hexadecimal, `-` for nothing; `never` is never indexed
    table BYTES
Run it in this folder to write the files again: the same ones, because the seeds are fixed.
"""
import random

import hpack
from hpack import HeaderTuple, NeverIndexedHeaderTuple

NAMES = [
    b":authority", b":path", b":method", b":status", b"accept", b"accept-encoding", b"cache-control", b"content-length",
    b"content-type", b"cookie", b"date", b"etag", b"location", b"set-cookie", b"user-agent", b"via",
    b"grpc-status", b"grpc-timeout", b"te", b"traceparent", b"x-forwarded-for", b"x-request-id", b"x-" + b"n" * 130,
]
PAIRS = [
    (b":method", b"GET"), (b":method", b"POST"), (b":path", b"/"), (b":scheme", b"http"), (b":status", b"200"),
    (b"content-type", b"application/grpc"), (b"te", b"trailers"), (b"accept-encoding", b"gzip, deflate"),
]


def value(rng):
    kind = rng.randrange(10)
    if kind == 0:
        return b""
    if kind == 1:
        return bytes(rng.randrange(256) for _ in range(rng.randrange(60)))
    if kind == 2:
        return rng.choice([b"private, max-age=3600", b"text/html; charset=utf-8", b"*/*", b"0"])
    if kind == 3 and rng.randrange(6) == 0:
        return b"v" * rng.randrange(4500)
    text = b"abcdefghijklmnopqrstuvwxyz0123456789-_/=.;%ABCDEFXYZ \"{}<"
    return bytes(rng.choice(text) for _ in range(rng.randrange(48)))


def connection(name, seed, blocks, huffman, limits):
    rng = random.Random(seed)
    encoder, checker = hpack.Encoder(), hpack.Decoder()
    announced = max([4096, *limits])
    checker.max_allowed_table_size = announced
    recent = []
    lines = [f"announced {announced}"]
    for _ in range(blocks):
        if limits and rng.randrange(4) == 0:
            for _ in range(rng.randrange(1, 3)):
                limit = rng.choice(limits)
                if limit != encoder.header_table_size:  # it takes a limit set twice for two changes, later
                    encoder.header_table_size = limit
        fields = []
        for _ in range(rng.randrange(14)):
            choice = rng.randrange(4)
            if choice == 0:
                pair = rng.choice(PAIRS)
            elif choice == 1 and recent:
                pair = rng.choice(recent)
            else:
                pair = (rng.choice(NAMES), value(rng))
            recent = (recent + [pair])[-40:]
            kind = NeverIndexedHeaderTuple if rng.randrange(12) == 0 else HeaderTuple
            fields.append(kind(*pair))
        data = encoder.encode(fields, huffman=rng.randrange(2) == 0 if huffman is None else huffman)
        decoded = checker.decode(data, raw=True)
        assert [tuple(field) for field in decoded] == [tuple(field) for field in fields]
        lines.append(f"block {data.hex() or '-'}")
        for field in decoded:  # not `fields`: this encoder takes an entry for a sensitive field if there is one
            lines.append(f"{'field' if field.indexable else 'never'} {field[0].hex() or '-'} {field[1].hex() or '-'}")
        lines.append(f"table {checker.header_table._current_size}")
    with open(name + ".txt", "w") as file:
        file.write("\n".join(lines) + "\n")


connection("plain", 1, 50, False, [])
connection("huffman", 2, 50, True, [])
connection("small-tables", 3, 50, None, [0, 32, 64, 100, 256, 4096])
connection("large-tables", 4, 50, None, [256, 1024, 4096, 8192, 16384])
