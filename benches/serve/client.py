"""Clients and servers of load.py: requests as bytes, connections, figures."""

from __future__ import annotations

import argparse
import asyncio
import atexit
import base64
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PHOTOS = sorted((ROOT / "tests/fixtures/photos").glob("*.jpg"))
LONGEST = 120.0
"""Seconds after which a response counts as missing."""

faults: list[str] = []


def fault(text: str) -> None:
    faults.append(text)
    print(f"FAULT {text}", flush=True)


def say(text: str) -> None:
    print(text, flush=True)


# --- requests, as bytes ---


def http(path: str, body: bytes = b"", kind: str = "", method: str = "POST", **headers: str) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "host: localhost"]
    if kind:
        lines.append(f"content-type: {kind}")
    if method == "POST":
        lines.append(f"content-length: {len(body)}")
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def form(path: str, images: list[tuple[str, bytes]], options: dict[str, str] | None = None, **headers: str) -> bytes:
    body = bytearray()
    for name, text in (options or {}).items():
        body += f'--x1\r\ncontent-disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'.encode()
    for name, data in images:
        body += f'--x1\r\ncontent-disposition: form-data; name="image"; filename="{name}"\r\n\r\n'.encode()
        body += data + b"\r\n"
    body += b"--x1--\r\n"
    return http(path, bytes(body), "multipart/form-data; boundary=x1", **headers)


def json_request(path: str, value: object, **headers: str) -> bytes:
    return http(path, json.dumps(value).encode(), "application/json", **headers)


def in_base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def photos() -> list[tuple[str, bytes]]:
    return [(path.name, path.read_bytes()) for path in PHOTOS]


# --- the server ---


class Server:
    """A server on a free port of loopback. Its log goes to a file of `folder`."""

    def __init__(self, args: argparse.Namespace, folder: Path, *options: str, port: int = 0) -> None:
        self.log = folder / f"server-{time.monotonic_ns()}.log"
        command = [args.program, "serve", "--addr", f"127.0.0.1:{port}", "--index", args.index, "--no-caption"]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen([*command, *options], stderr=log, stdout=log, env=home(folder))
        atexit.register(self.process.kill)  # does nothing once it has ended
        start = time.monotonic()
        self.port = 0
        while not self.port:
            found = re.search(r"listening on http://[^ ]*:(\d+)", self.log.read_text(errors="replace"))
            if found:
                self.port = int(found[1])
            elif self.process.poll() is not None or time.monotonic() - start > 120:
                sys.exit(f"the server did not start: {self.log.read_text(errors='replace')[-2000:]}")
            else:
                time.sleep(0.01)
        self.start_seconds = time.monotonic() - start

    def resident(self) -> float:
        """Resident memory in MiB."""
        return self._status("VmRSS")

    def peak(self) -> float:
        """The highest resident memory so far, in MiB."""
        return self._status("VmHWM")

    def _status(self, name: str) -> float:
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(rf"{name}:\s*(\d+) kB", text)
        return int(found[1]) / 1024 if found else 0.0

    def cpu(self) -> float:
        """Processor time in seconds."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def open_files(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def threads(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/task"))

    def stop(self) -> int:
        """Ends the server with SIGTERM and returns its exit code."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(60)
        except subprocess.TimeoutExpired:
            fault("the server did not end within 60 s of SIGTERM")
            self.process.kill()
            return self.process.wait()

    async def open(self) -> Connection:
        return Connection(*await asyncio.open_connection("127.0.0.1", self.port))

    async def once(self, request: bytes) -> Reply:
        connection = await self.open()
        try:
            return await connection.send(request)
        finally:
            connection.close()

    async def metrics(self) -> dict[str, float]:
        text = (await self.once(http("/metrics", method="GET"))).body.decode()
        lines = (line.rsplit(" ", 1) for line in text.splitlines() if line and line[0] != "#")
        return {name: float(value) for name, value in lines}


def home(folder: Path) -> dict[str, str]:
    """An environment without the user's configuration and caches."""
    names = ["HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"]
    return {**os.environ, **{name: str(folder) for name in names}}


class Reply:
    def __init__(self, status: int, head: bytes, body: bytes) -> None:
        self.status, self.head, self.body = status, head, body


class Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, request: bytes) -> Reply:
        self.writer.write(request)
        return await asyncio.wait_for(self.reply(), LONGEST)

    async def reply(self) -> Reply:
        """Reads a response. Its body is that of content-length or of the chunks."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        status, lower = int(head[9:12]), head.lower()
        if status == 100:
            return await self.reply()
        length = re.search(rb"\r\ncontent-length: *(\d+)", lower)
        if length:
            return Reply(status, head, await self.reader.readexactly(int(length[1])))
        body = bytearray()
        if b"\r\ntransfer-encoding: chunked" in lower:
            while size := int(await self.reader.readuntil(b"\r\n"), 16):
                body += (await self.reader.readexactly(size + 2))[:-2]
            await self.reader.readexactly(2)
        return Reply(status, head, bytes(body))

    def close(self) -> None:
        self.writer.close()

    def abort(self) -> None:
        """Closes without reading, so that the server sees a reset."""
        self.writer.transport.abort()


# --- figures ---


def percentile(values: list[float], part: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else float("nan")


def latencies(values: list[float]) -> str:
    parts = " ".join(f"p{part * 100:g} {percentile(values, part) * 1e3:.0f}" for part in (0.5, 0.95, 0.99))
    return f"{parts} max {max(values, default=0) * 1e3:.0f} ms"


def batches(metrics: dict[str, float]) -> str:
    """The sizes of the batches, from the histogram."""
    found, below = [], 0.0
    for name, value in metrics.items():
        size = re.match(r'interrogate_batch_images_bucket\{le="([^"]+)"', name)
        if size and 'model="clip"' in name:
            found.append(f"<={size[1].removesuffix('.0')}: {value - below:.0f}")
            below = value
    total = sum(value for name, value in metrics.items() if name.startswith("interrogate_batch_images_sum"))
    return f"{', '.join(found)}; mean {total / below if below else 0:.1f}"


def statuses(counts: Counter[int]) -> str:
    return ", ".join(f"{status}: {count}" for status, count in sorted(counts.items()))


class Others:
    """The processor time of other processes, while this one measures."""

    def __init__(self) -> None:
        self.busy, self.start = self._busy(), time.monotonic()

    @staticmethod
    def _busy() -> float:
        fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
        return (sum(fields) - fields[3] - fields[4]) / os.sysconf("SC_CLK_TCK")

    def share(self, own: float = 0.0) -> float:
        """The part of all processors that others used, beside `own` seconds."""
        capacity = (time.monotonic() - self.start) * (os.cpu_count() or 1)
        return max(0.0, self._busy() - self.busy - own) / capacity


async def wait_for_quiet(seconds: float) -> None:
    """Waits until others leave the machine alone for 3 s, at most `seconds`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        others = Others()
        await asyncio.sleep(3)
        if others.share() < 0.05:
            return


def load_average() -> str:
    return f"load average {os.getloadavg()[0]:.1f}"


class Run:
    """Requests of several clients: at most `requests`, for at most `seconds`."""

    def __init__(self, server: Server, requests: list[bytes], seconds: float = 1e9, most: int = 1 << 62) -> None:
        self.server, self.requests, self.most = server, requests, most
        self.until = time.monotonic() + seconds
        self.sent = 0
        self.counts: Counter[int] = Counter()
        self.times: list[float] = []
        self.expected = {200, 429}
        self.done: Callable[[int], None] = lambda _: None

    async def client(self) -> None:
        connection = await self.server.open()
        while time.monotonic() < self.until and self.sent < self.most:
            request = self.requests[self.sent % len(self.requests)]
            self.sent += 1
            start = time.monotonic()
            try:
                reply = await connection.send(request)
            except (TimeoutError, OSError, EOFError) as error:
                fault(f"no response: {error!r}")
                connection.abort()
                connection = await self.server.open()
                continue
            self.counts[reply.status] += 1
            if reply.status == 200:
                self.times.append(time.monotonic() - start)
            elif reply.status not in self.expected:
                fault(f"status {reply.status}: {reply.body[:300]!r}")
            if reply.status == 429:
                await asyncio.sleep(0.05)
            self.done(sum(self.counts.values()))
        connection.close()

    async def clients(self, count: int) -> float:
        """Runs `count` clients and returns the seconds that they took."""
        start = time.monotonic()
        await asyncio.gather(*(self.client() for _ in range(count)))
        return time.monotonic() - start


async def reference(server: Server) -> dict[str, str]:
    """The prompts of the photos."""
    reply = await server.once(form("/v1/prompt", photos()))
    return {row["image"]: row["prompt"] for row in json.loads(reply.body)["results"]}


async def check(server: Server, before: dict[str, str], when: str) -> None:
    """Checks that the server answers as before, and that no work is left."""
    if (found := await reference(server)) != before:
        fault(f"{when}: prompts differ: {found}")
    for _ in range(200):
        if (left := (await server.metrics())["interrogate_images_in_work"]) == 0:
            return
        await asyncio.sleep(0.05)
    fault(f"{when}: {left:.0f} images are still in work")
