"""Hostile requests for load.py: images, forms, JSON, HTTP, slow clients, crowds."""

from __future__ import annotations

import argparse
import asyncio
import random
import struct
import time
import zlib
from collections import Counter
from collections.abc import Awaitable
from pathlib import Path

from client import (
    LONGEST,
    Server,
    check,
    fault,
    form,
    http,
    in_base64,
    json_request,
    load_average,
    photos,
    reference,
    say,
    statuses,
)

MIB = 1 << 20
CHUNK = b"100000\r\n" + bytes(MIB) + b"\r\n"


def png(width: int, height: int, data: bytes) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def zeros(count: int) -> bytes:
    packer = zlib.compressobj(9)
    block = bytes(1 << 20)
    parts = [packer.compress(block[: min(len(block), count - at)]) for at in range(0, count, len(block))]
    return b"".join(parts) + packer.flush()


IMAGE, BAD, FORM = {422}, {400}, "multipart/form-data; boundary=x1"
CLOSED = 0
"""The server closed the connection without a response."""


def cases() -> list[tuple[str, bytes, set[int]]]:
    """Requests with the statuses that are right for them."""
    name, data = photos()[1]
    text = in_base64(data)
    one = [(name, data)]
    bomb = png(13000, 13000, zeros(13000 * 13001))
    gif = b"GIF89a\xff\xff\xff\xff\x80\x00\x00" + bytes(6) + b",\0\0\0\0\xff\xff\xff\xff\0\x08\x01\0\0;"
    bmp = b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, 65535, 65535, 1, 24, 0, 0, 0, 0, 0, 0)
    deep = b"[" * 200_000
    nested = b'{"a":' * 100_000 + b"1" + b"}" * 100_000
    body = form("/v1/prompt", one).split(b"\r\n\r\n", 1)[1]
    found: list[tuple[str, bytes, set[int]]] = [
        ("PNG of 65535 x 65535", form("/v1/prompt", [("a", png(65535, 65535, zeros(100)))]), IMAGE),
        ("PNG of 13000 x 13000 zeros in 165 kB", form("/v1/prompt", [("a", bomb)]), {200}),
        (
            "PNG of 13000 x 13000 that ends early",
            form("/v1/prompt", [("a", png(13000, 13000, zeros(1000)))]),
            {200, 422},
        ),
        ("PNG of 1 x 60000000", form("/v1/prompt", [("a", png(1, 60_000_000, zeros(120_000_000)))]), {200, 422}),
        ("GIF of 65535 x 65535", form("/v1/prompt", [("a", gif)]), IMAGE),
        ("BMP of 65535 x 65535", form("/v1/prompt", [("a", bmp)]), IMAGE),
        ("empty image", form("/v1/prompt", [("a", b"")]), IMAGE),
        ("half a JPEG", form("/v1/prompt", [("a", data[: len(data) // 2])]), {200, 422}),
        ("JPEG head and random bytes", form("/v1/prompt", [("a", data[:300] + random.randbytes(50_000))]), {200, 422}),
        ("a good and a bad image", form("/v1/prompt", [("a", b""), *one]), {200}),
        ("65 images", form("/v1/prompt", [("a", b"")] * 65), {413, 422}),
        ("no image", form("/v1/prompt", []), {422}),
        ("an address for an image", json_request("/v1/prompt", {"image": "http://127.0.0.1/a.jpg"}), IMAGE),
        ("a path for an image", json_request("/v1/prompt", {"image": "/etc/passwd"}), IMAGE),
        ("form without its end", http("/v1/prompt", body[:-20], FORM), BAD),
        ("form that ends in a part's head", http("/v1/prompt", b"--x1\r\ncontent-disp", FORM), BAD),
        ("form of random bytes", http("/v1/prompt", random.randbytes(5000), FORM), BAD),
        ("form without a boundary", http("/v1/prompt", body, "multipart/form-data"), BAD),
        (
            "form with a boundary of 10 kB",
            http("/v1/prompt", body, "multipart/form-data; boundary=" + "x" * 10_000),
            BAD,
        ),
        ("form of 10,000 fields", form("/v1/prompt", one, {f"o{n}": "1" for n in range(10_000)}), {422}),
        (
            "form part with a head of 1 MiB",
            http("/v1/prompt", b"--x1\r\na: " + b"b" * MIB + b"\r\n\r\n\r\n--x1--\r\n", FORM),
            {400, 422},
        ),
        (
            "form field that is not UTF-8",
            http(
                "/v1/prompt", b'--x1\r\ncontent-disposition: form-data; name="mode"\r\n\r\n\xff\xfe\r\n--x1--\r\n', FORM
            ),
            {422},
        ),
        ("file name of 10 kB", form("/v1/prompt", [("a" * 10_000, data)]), {422}),
        ("file name with escapes", form("/v1/prompt", [("\x1b[31m<script>%0d%0a", data)]), {200, 400}),
        ("empty body", http("/v1/prompt", b"", "application/json"), BAD),
        ("JSON of 200,000 brackets", http("/v1/prompt", deep, "application/json"), {400, 422}),
        (
            "JSON nested in an option",
            http("/v1/prompt", b'{"image":"QQ","tables":' + nested + b"}", "application/json"),
            {400, 422},
        ),
        (
            "JSON nested in an unknown field",
            http("/interrogator/prompt", b'{"x":' + nested + b',"image":"QQ"}', "application/json"),
            {400, 422},
        ),
        ("JSON with a NUL", http("/v1/prompt", b'{"image":"\0"}', "application/json"), {400, 422}),
        ("JSON that is not UTF-8", http("/v1/prompt", b'{"image":"\xff\xff"}', "application/json"), {400, 422}),
        ("JSON of random bytes", http("/v1/prompt", random.randbytes(100_000), "application/json"), BAD),
        ("a lone surrogate", http("/v1/prompt", b'{"image":"QQ","prefix":"\\ud800"}', "application/json"), {400, 422}),
        ("10,000 options", json_request("/v1/prompt", {"image": text, **{f"o{n}": n for n in range(10_000)}}), {422}),
        ("the option image twice", http("/v1/prompt", b'{"image":"QQ","image":"QQ"}', "application/json"), {400, 422}),
        ("max_flavors of -1", json_request("/v1/prompt", {"image": text, "max_flavors": -1}), {422}),
        ("max_flavors of 1e300", json_request("/v1/prompt", {"image": text, "max_flavors": 1e300}), {422}),
        ("max_flavors of 2^70", json_request("/v1/prompt", {"image": text, "max_flavors": 1 << 70}), {422}),
        ("k of 2^63", json_request("/v1/analyze", {"image": text, "k": 1 << 63}), {422}),
        ("min_score of 1e39", json_request("/v1/prompt", {"image": text, "min_score": 1e39}), {200, 422}),
        ("min_score of 1e999", http("/v1/prompt", b'{"image":"QQ","min_score":1e999}', "application/json"), {400, 422}),
        ("max_tokens of 0", json_request("/v1/prompt", {"image": text, "max_tokens": 0}), {200, 422}),
        (
            "template of 16,000 braces",
            json_request("/v1/prompt", {"image": text, "template": "{" * 16_000}),
            {200, 422},
        ),
        (
            "template of 1,700 captions",
            json_request("/v1/prompt", {"image": text, "template": "{flavors}" * 1_700}),
            {200, 422},
        ),
        (
            "template of a table that is missing",
            json_request("/v1/prompt", {"image": text, "template": "{nothing}"}),
            {422},
        ),
        ("caption of 17 kB", json_request("/v1/prompt", {"image": text, "caption": "a " * 8_500}), {422}),
        ("caption of 16 kB", json_request("/v1/prompt", {"image": text, "caption": "a " * 8_000}), {200}),
        ("table with a path", json_request("/v1/rank", {"image": text, "table": ["../../etc/passwd"]}), {422}),
        ("1,000 tables", json_request("/v1/rank", {"image": text, "table": ["flavors"] * 1000}), {422}),
        (
            "64 times the same table",
            json_request("/v1/rank", {"image": text, "table": ["flavors"] * 64, "k": 1000}),
            {200, 422},
        ),
        ("a head of 1 MiB", http("/v1/prompt", b"", x_a="b" * MIB), {400, 431, CLOSED}),
        ("10,000 headers", http("/health", method="GET", **{f"x_{n}": "1" for n in range(10_000)}), {400, 431, CLOSED}),
        ("150 headers", http("/health", method="GET", **{f"x_{n}": "1" for n in range(150)}), {200, 400, 431, CLOSED}),
        ("a path of 100 kB", http("/" + "a" * 100_000, method="GET"), {400, 404, 414, 431, CLOSED}),
        ("a request id of 8 kB", http("/health", method="GET", x_request_id="i" * 8_000), {200}),
        (
            "a request id that is not UTF-8",
            b"GET /health HTTP/1.1\r\nhost: localhost\r\nx-request-id: \xff\xfe\r\n\r\n",
            {200, 400},
        ),
        (
            "two content lengths",
            b"POST /v1/prompt HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}",
            BAD,
        ),
        (
            "a content length of 10^20",
            b"POST /v1/prompt HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100000000000000000000\r\n\r\n",
            {400, 413},
        ),
        (
            "a content length of 1 GiB",
            b"POST /v1/prompt HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1073741824\r\n\r\n",
            {413},
        ),
        ("a content length of -1", b"POST /v1/prompt HTTP/1.1\r\nhost: localhost\r\ncontent-length: -1\r\n\r\n", BAD),
        (
            "a length and chunks",
            b"POST /v1/prompt HTTP/1.1\r\nhost: localhost\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            BAD,
        ),
        (
            "an unknown transfer encoding",
            b"POST /v1/prompt HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: gzip\r\n\r\n",
            {400, 501},
        ),
        (
            "a chunk of an invalid size",
            b"POST /v1/prompt HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n\r\n",
            {400, CLOSED},
        ),
        (
            "a chunk of 2^64",
            b"POST /v1/prompt HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n1ffffffffffffffff\r\n\r\n",
            {400, CLOSED},
        ),
        (
            "21 MiB in chunks",
            b"POST /v1/prompt HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n"
            + CHUNK * 21
            + b"0\r\n\r\n",
            {413, CLOSED},
        ),
        ("no host", b"GET /health HTTP/1.1\r\n\r\n", {400, 403}),
        ("another host", b"GET /health HTTP/1.1\r\nhost: evil.example\r\n\r\n", {403}),
        ("another origin", http("/v1/prompt", b"{}", "application/json", origin="https://evil.example"), {403}),
        ("content type xml", http("/v1/prompt", b"<a/>", "application/xml"), {415}),
        ("HTTP/1.0", b"GET /health HTTP/1.0\r\nhost: localhost\r\n\r\n", {200}),
        ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400, 505, CLOSED}),
        ("HTTP/9.9", b"GET / HTTP/9.9\r\nhost: localhost\r\n\r\n", {400, 505, CLOSED}),
        ("an absolute address", b"GET http://evil.example/health HTTP/1.1\r\nhost: localhost\r\n\r\n", {400, 403}),
        ("TRACE", http("/v1/prompt", method="TRACE"), {405}),
        ("CONNECT", b"CONNECT localhost:80 HTTP/1.1\r\nhost: localhost:80\r\n\r\n", {400, 403, 404, 405, 501, CLOSED}),
        ("an unknown method", http("/v1/prompt", method="WRITE"), {405, 501}),
        ("GET of a POST route", http("/v1/prompt", method="GET"), {405}),
        ("dots in a path", http("/page/../../etc/passwd", method="GET"), {400, 404}),
        ("escaped dots in a path", http("/page/..%2f..%2fetc%2fpasswd", method="GET"), {400, 404}),
        ("an invalid escape in a path", http("/page/%ff%zz", method="GET"), {400, 404}),
        ("a TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + random.randbytes(500), {400, CLOSED}),
        ("line ends without returns", b"GET /health HTTP/1.1\nhost: localhost\n\n", {200, 400}),
    ]
    found += [
        (f"random bytes {n}", random.randbytes(random.randrange(1, 4000)) + b"\r\n\r\n", {400, CLOSED})
        for n in range(100)
    ]
    whole = form("/v1/prompt", one, {"mode": "seed"})
    for number in range(100):
        damaged = bytearray(whole)
        for _ in range(4):
            damaged[random.randrange(600)] = random.randrange(256)
        found.append(
            (f"a damaged request {number}: {bytes(damaged[:600])!r}", bytes(damaged), set(range(200, 500)) | {CLOSED})
        )
    return found


async def answer(server: Server, request: bytes, seconds: float = 60, end_after: float = 60) -> int:
    """Sends `request` and returns the status. The sending side ends after `end_after` seconds."""
    connection = await server.open()
    try:
        async with asyncio.timeout(seconds):
            connection.writer.write(request)
            reading = asyncio.ensure_future(connection.reply())
            done, _ = await asyncio.wait([reading], timeout=end_after)
            if not done:
                connection.writer.write_eof()
            return (await reading).status
    except (OSError, EOFError):
        return CLOSED
    finally:
        connection.abort()


async def hostile(args: argparse.Namespace, folder: Path) -> None:
    server = Server(args, folder)
    before = await reference(server)
    say(f"hostile: start at {server.resident():.0f} MiB")
    slow = [asyncio.ensure_future(task) for task in slow_clients(server)]
    found, count = Counter[int](), 0
    for name, request, expected in cases():
        count += 1
        start = time.monotonic()
        try:
            # A damaged length lets the server wait for more.
            status = await answer(server, request, end_after=1 if CLOSED in expected else 60)
        except TimeoutError:
            fault(f"{name}: no response in 60 s")
            continue
        found[status] += 1
        if status not in expected:
            fault(f"{name}: status {status or 'none'}, expected {sorted(expected)}")
        if (took := time.monotonic() - start) > 10:
            say(f"{name}: {took:.1f} s")
    say(f"requests: {count}; {statuses(found)} (0: closed without a response); peak {server.peak():.0f} MiB")
    await check(server, before, "after invalid requests")
    await pipelined(server)
    await crowds(server)
    for name, ok, took in await asyncio.gather(*slow):
        say(f"{name}: {'ended' if ok else 'NOT ended'} after {took:.0f} s")
        if not ok:
            fault(name)
    await check(server, before, "after all")
    log = server.log.read_text(errors="replace")
    if "panicked" in log:
        fault(f"a panic in the log: {log[log.index('panicked') - 200 :][:600]}")
    say(
        f"memory: {server.resident():.0f} MiB, peak {server.peak():.0f}; {server.open_files()} files; exit code {server.stop()}"
    )


def slow_clients(server: Server) -> list[Awaitable[tuple[str, bool, float]]]:
    request = form("/v1/prompt", [photos()[0]])
    end = request.index(b"\r\n\r\n") + 4

    async def slow(name: str, at_once: bytes, pause: float, ends: range) -> tuple[str, bool, float]:
        """Sends `at_once`, then a byte in `pause` seconds until the server ends the connection."""
        connection, start = await server.open(), time.monotonic()
        connection.writer.write(at_once)
        reading = asyncio.ensure_future(connection.reader.read())
        for byte in request[len(at_once) :]:
            done, _ = await asyncio.wait([reading], timeout=pause)
            if done or time.monotonic() - start > 100:
                break
            try:
                connection.writer.write(bytes([byte]))
                await connection.writer.drain()
            except OSError:
                break
        took = time.monotonic() - start
        reading.cancel()
        connection.abort()
        return name, int(took) in ends, took

    return [
        slow("a connection without a request", b"", 1000, range(25, 40)),
        slow("a head of a byte a second", b"", 1, range(25, 40)),
        slow("a body of a byte a second", request[: end + 10], 1, range(55, 70)),
        slow("a body that stops", request[: end + 1000], 1000, range(55, 70)),
    ]


async def pipelined(server: Server) -> None:
    connection = await server.open()
    prompt = form("/v1/prompt", [photos()[1]])
    connection.writer.write(http("/health", method="GET") * 50 + prompt * 4 + http("/ready", method="GET"))
    got = [(await asyncio.wait_for(connection.reply(), LONGEST)).status for _ in range(55)]
    if got != [200] * 55:
        fault(f"pipelined: {got}")
    connection.close()
    connection = await server.open()
    # A length that is too small: the rest is read as a next request.
    connection.writer.write(http("/v1/prompt", b"{}", "application/json")[:-2] + b"{}GARBAGE\r\n\r\n")
    got = [(await asyncio.wait_for(connection.reply(), LONGEST)).status for _ in range(2)]
    say(f"pipelined: 55 answered; a length that is too small: {got}")
    if any(status >= 500 for status in got):
        fault("a length that is too small")
    connection.close()


async def crowds(server: Server) -> None:
    """Many large requests at once, and a client that does not read."""
    name, data = photos()[1]
    bomb = png(13000, 13000, zeros(13000 * 13001))

    async def crowd(what: str, request: bytes, clients: int, tries: int = 1) -> None:
        """Sends `request` from all clients at once; a client with status 429 tries again."""

        async def client() -> int:
            for _ in range(tries - 1):
                if (status := await answer(server, request, 300, 300)) not in (429, CLOSED):
                    return status
                await asyncio.sleep(0.5)
            return await answer(server, request, 300, 300)

        start, peak = time.monotonic(), 0.0
        running = asyncio.gather(*(client() for _ in range(clients)), return_exceptions=True)
        while not running.done():
            peak = max(peak, server.resident())
            await asyncio.wait([running], timeout=0.05)
        found = Counter(status if isinstance(status, int) else 999 for status in running.result())
        say(
            f"{clients} x {what}: {statuses(found)} in {time.monotonic() - start:.1f} s; memory up to {peak:.0f} MiB; {load_average()}"
        )
        if wrong := {status for status in found if status >= 500 and status != 503}:
            fault(f"{clients} x {what}: {wrong}")

    padding = form("/v1/prompt", [("a", bomb + bytes(19 * MIB - len(bomb)))])
    await crowd("PNG of 13000 x 13000", form("/v1/prompt", [("a", bomb)]), 32)
    await crowd("19 MiB, a photo with padding", form("/v1/prompt", [(name, data + bytes(19 * MIB - len(data)))]), 100)
    await crowd("19 MiB, a PNG of 13000 x 13000 with padding, again after 429", padding, 64, 10)
    await crowd("a request of 64 photos", form("/v1/embed", [(name, data)] * 64), 16)
    await crowd(
        "19 MiB of JSON strings",
        http("/v1/prompt", b'{"image":"' + b"\\u0041" * (19 * MIB // 6) + b'"}', "application/json"),
        24,
    )
    readers = []
    for _ in range(50):
        connection = await server.open()
        connection.writer.write(form("/v1/analyze", [(name, data)] * 4, {"k": "1000"}))
        readers.append(connection)
    await asyncio.sleep(2)
    start = time.monotonic()
    status = await answer(server, form("/v1/prompt", [(name, data)]), 120)
    say(f"a prompt while 50 clients do not read: {status} after {time.monotonic() - start:.1f} s")
    for connection in readers:
        connection.abort()
