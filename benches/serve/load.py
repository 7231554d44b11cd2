"""Load, memory, kills and hostile requests for `interrogate serve`, over loopback.

    python benches/serve/load.py PROGRAM --index INDEX MODE...

load     clients that send one photo a request for some time: statuses, latencies, batches, memory
ratio    the server and the program over the same number of photos, in turns
soak     many requests of several routes; memory every 500
kills    clients that disconnect at random points; SIGKILL of the server and a restart
hostile  image bombs, invalid forms and JSON, slow clients, invalid HTTP
mixed    short requests while chains run

Starts a server for each mode, with a home folder of its own. Exits with 1 if a mode found a fault:
a status that it does not expect, a response that does not come, or another prompt than before.
Only Python's standard library is needed. Client and server share the processors: `client` is the
processor time of this script in a mode. Memory is that of the server's process, VmRSS.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from client import (
    PHOTOS,
    Others,
    Reply,
    Run,
    Server,
    batches,
    check,
    fault,
    faults,
    form,
    home,
    http,
    in_base64,
    json_request,
    latencies,
    load_average,
    percentile,
    photos,
    reference,
    say,
    statuses,
    wait_for_quiet,
)
from hostile import hostile


async def load(args: argparse.Namespace, folder: Path) -> None:
    await wait_for_quiet(args.wait)
    server = Server(args, folder)
    say(
        f"load: {args.clients} clients, {args.seconds} s, {args.form}; start {server.start_seconds:.2f} s; {load_average()}"
    )
    if args.form == "form":
        requests = [form("/v1/prompt", [photo]) for photo in photos()]
    else:
        requests = [json_request("/v1/prompt", {"image": in_base64(data)}) for _, data in photos()]
    await Run(server, requests, most=64).clients(args.clients)
    run = Run(server, requests, seconds=args.seconds)
    before, client, cpu, memory = await server.metrics(), time.process_time(), server.cpu(), [server.resident()]

    async def watch() -> None:
        while time.monotonic() < run.until:
            await asyncio.sleep(args.seconds / 12)
            memory.append(server.resident())

    watching, others = asyncio.ensure_future(watch()), Others()
    seconds = await run.clients(args.clients)
    client, cpu = time.process_time() - client, server.cpu() - cpu
    other = others.share(client + cpu)
    watching.cancel()
    after = await server.metrics()
    say(f"statuses: {statuses(run.counts)}")
    say(f"latency: {latencies(run.times)}")
    say(f"rate: {len(run.times) / seconds:.1f} images/s in {seconds:.1f} s")
    say(f"processor time: server {cpu:.1f} s, client {client:.1f} s; others {other:.0%} of all processors")
    say(f"batches: {batches({name: value - before.get(name, 0) for name, value in after.items()})}")
    say(f"memory: {', '.join(f'{at:.0f}' for at in memory)} MiB; {load_average()}")
    say(f"exit code: {server.stop()}")


async def ratio(args: argparse.Namespace, folder: Path) -> None:
    images = folder / "images"
    few = folder / "few"
    for where, count in ((images, args.images), (few, args.clients)):
        where.mkdir()
        for number in range(count):
            name, data = PHOTOS[number % len(PHOTOS)].name, PHOTOS[number % len(PHOTOS)].read_bytes()
            (where / f"{number:05}-{name}").write_bytes(data)
    say(f"ratio: {args.images} photos, {args.clients} clients, {args.rounds} rounds in turns")
    server = Server(args, folder)
    requests = [form("/v1/prompt", [photo]) for photo in photos()]
    await Run(server, requests, most=64).clients(args.clients)
    found: list[tuple[float, float, float, float]] = []
    for number in range(args.rounds):
        await wait_for_quiet(args.wait)
        client, cpu, others = time.process_time(), server.cpu(), Others()
        run = Run(server, requests, most=args.images)
        seconds = await run.clients(args.clients)
        client, cpu = time.process_time() - client, server.cpu() - cpu
        other = others.share(client + cpu)
        others = Others()
        start, cpu_of_few = program(args, few, folder)
        whole, cpu_of_program = program(args, images, folder)
        other = max(other, others.share(cpu_of_few + cpu_of_program))
        net = (args.images - args.clients) / (whole - start)
        rate, p99 = len(run.times) / seconds, percentile(run.times, 0.99)
        found.append((other, rate, args.images / whole, net))
        say(
            f"round {number + 1}: server {rate:.1f} images/s, p99 {p99:.2f} s, {cpu:.1f} s of processor time"
            f" (client {client:.1f}); program {args.images / whole:.1f} images/s, {cpu_of_program:.1f} s;"
            f" without its start {net:.1f}; {args.clients} photos take it {start:.2f} s; others {other:.0%}"
        )
    quiet = [turn for turn in found if turn[0] < 0.05]
    say(f"rounds in which others used less than 5 % of the processors: {len(quiet)}")
    for name, at in (("program", 2), ("program without its start", 3)):
        if ratios := sorted(turn[1] / turn[at] for turn in quiet):
            say(f"server / {name}: median {ratios[len(ratios) // 2]:.1%}, {ratios[0]:.1%} to {ratios[-1]:.1%}")
    server.stop()


def program(args: argparse.Namespace, images: Path, folder: Path) -> tuple[float, float]:
    """Runs the program over `images`; returns its seconds and its processor time."""
    output = folder / "prompts.jsonl"
    command = [args.program, "-q", "prompt", str(images), "--index", args.index, "--no-caption", "-o", str(output)]
    start, before = time.monotonic(), os.times()
    subprocess.run(command, check=True, env=home(folder))
    seconds, after = time.monotonic() - start, os.times()
    rows = len(output.read_text().splitlines())
    if rows != (expected := len(os.listdir(images))):
        fault(f"the program wrote {rows} rows of {expected}")
    output.unlink()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return seconds, cpu


async def soak(args: argparse.Namespace, folder: Path) -> None:
    server = Server(args, folder)
    say(
        f"soak: {args.requests} requests, {args.clients} clients, start at {server.resident():.0f} MiB; {load_average()}"
    )
    before = await reference(server)
    files, all_photos = server.open_files(), photos()
    requests = []
    for name, data in all_photos:
        text = {"image": in_base64(data)}
        requests += [
            form("/v1/prompt", [(name, data)]),
            json_request("/v1/prompt", {**text, "tables": ["mediums"], "max_flavors": 5}),
            form("/v1/prompt", [(name, data)], accept="text/event-stream"),
            json_request("/v1/analyze", text),
            json_request("/v1/rank", {**text, "table": ["artists", "movements"], "k": 100}),
            json_request("/v1/embed", text, accept="application/x-ndjson"),
            json_request("/interrogator/analyze", text),
            form("/v1/prompt", [(name, data[: len(data) // 3])]),
            json_request("/v1/prompt", {"image": "no image"}),
            json_request("/v1/prompt", {**text, "mode": "slow"}),
        ]
    run = Run(server, requests, most=args.requests)
    run.expected |= {422}
    memory = []

    def done(count: int) -> None:
        if count % 500 == 0:
            memory.append(server.resident())
            say(f"{count}: {memory[-1]:.0f} MiB, {server.threads()} threads, {server.open_files()} files")

    run.done = done
    seconds = await run.clients(args.clients)
    say(f"statuses: {statuses(run.counts)}; {seconds:.0f} s; latency {latencies(run.times)}")
    await check(server, before, "after the soak")
    halves = [memory[at : at + len(memory) // 2] for at in (0, len(memory) // 2)]
    if memory and all(halves):
        means = [sum(half) / len(half) for half in halves]
        say(
            f"memory: mean of the first half {means[0]:.0f}, of the second {means[1]:.0f}, peak {server.peak():.0f} MiB"
        )
        if means[1] > 1.1 * means[0]:
            fault("memory grew by more than 10 %")
    say(f"files: {files} before, {server.open_files()} after; exit code {server.stop()}; {load_average()}")


async def kills(args: argparse.Namespace, folder: Path) -> None:
    server = Server(args, folder)
    before = await reference(server)
    files, points = server.open_files(), Counter[str]()
    name, data = photos()[0]
    text = {"image": in_base64(data)}
    requests = [
        form("/v1/prompt", photos()),
        json_request("/v1/prompt", text),
        json_request("/v1/prompt", {**text, "mode": "best"}, accept="text/event-stream"),
        json_request("/v1/prompt", {**text, "mode": "negative"}),
        form("/v1/analyze", [(name, data)] * 16),
        json_request("/sdapi/v1/openclip", text),
    ]
    say(f"kills: {args.kills} clients that disconnect, {load_average()}")
    for number in range(args.kills):
        request = requests[number % len(requests)]
        connection = await server.open()
        point = random.choice(["head", "body", "all", "response", "later"])
        points[point] += 1
        if point == "head":
            connection.writer.write(request[: random.randrange(request.index(b"\r\n\r\n") + 4)])
        elif point == "body":
            connection.writer.write(request[: random.randrange(request.index(b"\r\n\r\n") + 4, len(request))])
        else:
            connection.writer.write(request)
            await connection.writer.drain()
        if point == "response":
            # A chain's stream begins at once; other responses after some time.
            try:
                await asyncio.wait_for(connection.reader.read(50), 1)
            except TimeoutError:
                pass
        elif point == "later":
            await asyncio.sleep(random.random())
        if random.random() < 0.5:
            connection.abort()
        else:
            connection.close()
        if number % 10 == 9 and (await server.once(http("/health", method="GET"))).status != 200:
            fault(f"/health after {number + 1} clients")
    say(f"points: {dict(points)}")
    await check(server, before, "after the clients")
    if server.open_files() > files:
        fault(f"open files: {files} before, {server.open_files()} after")
    say(
        f"files: {files} before, {server.open_files()} after; memory {server.resident():.0f} MiB, peak {server.peak():.0f}"
    )
    say(f"exit code: {server.stop()}")
    await restarts(args, folder, before, requests)


async def restarts(args: argparse.Namespace, folder: Path, before: dict[str, str], requests: list[bytes]) -> None:
    def listing() -> list[tuple[str, int, int]]:
        return sorted((path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in Path(args.index).iterdir())

    index, port, started = listing(), 0, []

    async def client(server: Server, request: bytes) -> None:
        try:
            await server.once(request)
        except (TimeoutError, OSError, EOFError):
            pass  # the server was killed

    for _ in range(args.restarts):
        server = Server(args, folder, port=port)
        port = server.port  # a restart has to get the port of the killed server
        started.append(server.start_seconds)
        clients = [asyncio.ensure_future(client(server, request)) for request in requests * 2]
        await asyncio.sleep(random.random() * 1.5)
        server.process.kill()
        server.process.wait()
        await asyncio.gather(*clients)
    server = Server(args, folder, port=port)
    await check(server, before, "after the restarts")
    if listing() != index:
        fault("the index changed")
    say(
        f"restarts: {args.restarts} after SIGKILL with requests open; start {percentile(started, 0.5):.2f} s, longest {max(started):.2f}"
    )
    clients = [asyncio.ensure_future(server.once(requests[0])) for _ in range(16)]
    await asyncio.sleep(0.2)
    code = server.stop
    stopped = asyncio.get_running_loop().run_in_executor(None, code)
    replies = await asyncio.gather(*clients, return_exceptions=True)
    found = Counter(reply.status if isinstance(reply, Reply) else type(reply).__name__ for reply in replies)
    say(f"SIGTERM with 16 requests of 4 photos open: {dict(found)}, exit code {await stopped}")
    if set(found) - {200, 503}:
        fault("SIGTERM cut requests off")


async def mixed(args: argparse.Namespace, folder: Path) -> None:
    server = Server(args, folder)
    before = await reference(server)
    name, data = photos()[1]
    short = [form("/v1/prompt", [photo]) for photo in photos()]
    chain = form("/v1/prompt", [(name, data)], {"mode": "best"}, accept="text/event-stream")
    for clients in (0, 1, 4, 16, args.clients):
        finished: list[float] = []
        steps = Counter[str]()
        end = time.monotonic() + args.seconds / 2

        async def chains(steps: Counter[str] = steps, finished: list[float] = finished, end: float = end) -> None:
            while time.monotonic() < end:
                connection = await server.open()
                connection.writer.write(chain)
                start = time.monotonic()
                try:
                    async with asyncio.timeout_at(asyncio.get_running_loop().time() + end - time.monotonic()):
                        while line := await connection.reader.readline():
                            if line.startswith(b"event: "):
                                steps[line[7:].decode().strip()] += 1
                            if line.startswith(b"event: done"):
                                finished.append(time.monotonic() - start)
                                break
                except TimeoutError:
                    pass
                connection.abort()

        running = [asyncio.ensure_future(chains()) for _ in range(args.chains)]
        run = Run(server, short, seconds=args.seconds / 2)
        if clients:
            await run.clients(clients)
        await asyncio.gather(*running)
        times = f"{percentile(finished, 0.5):.1f} s each" if finished else "none finished"
        say(
            f"mixed: {args.chains} chains beside {clients} clients for {args.seconds / 2:.0f} s: {len(finished)} chains done ({times}), "
            f"{steps['progress']} steps; short requests {statuses(run.counts) or 'none'}, "
            f"{len(run.times) / (args.seconds / 2):.1f} images/s, {latencies(run.times) if run.times else ''}; {load_average()}"
        )
        if steps["error"]:
            fault(f"{steps['error']} chains ended with an error")
        if clients and not steps["progress"]:
            fault(f"no chain took a step beside {clients} clients")
    await check(server, before, "after the chains")
    say(f"memory: {server.resident():.0f} MiB; exit code {server.stop()}")


MODES = {"load": load, "ratio": ratio, "soak": soak, "kills": kills, "hostile": hostile, "mixed": mixed}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("modes", nargs="+", choices=MODES, metavar="MODE")
    parser.add_argument("--index", required=True)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=60, help="time of load, twice that of a part of mixed")
    parser.add_argument("--form", choices=["form", "json"], default="form", help="requests of load")
    parser.add_argument("--images", type=int, default=960, help="photos of a turn of ratio")
    parser.add_argument("--rounds", type=int, default=3, help="of ratio")
    parser.add_argument("--wait", type=float, default=0, help="seconds to wait for others to end, in load and ratio")
    parser.add_argument("--requests", type=int, default=20_000, help="of soak")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--restarts", type=int, default=20)
    parser.add_argument("--chains", type=int, default=2, help="clients of mixed that ask for chains")
    parser.add_argument("--seed", type=int, default=1, help="of random points and bytes")
    args = parser.parse_args()
    random.seed(args.seed)
    for mode in args.modes:
        folder = Path(tempfile.mkdtemp(prefix="interrogate-load-"))
        try:
            asyncio.run(MODES[mode](args, folder))
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    say(f"faults: {len(faults)}")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
