"""Programs from the distribution as jobs. Where one is not installed, its tests are skipped."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import socket

import pytest

from tests.patience import PATIENCE
from tests.runs.folder import Folder, Run, row

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
REDIS = shutil.which("redis-server")

#: All that nginx writes stays in its prefix, so that it needs no rights and disturbs no other one.
NGINX_CONF = """\
pid nginx.pid;
error_log stderr;
worker_processes 2;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path temp;
    proxy_temp_path temp;
    fastcgi_temp_path temp;
    uwsgi_temp_path temp;
    scgi_temp_path temp;
    server {{
        listen 127.0.0.1:{port};
        location / {{ {directive} "{body}"; }}
    }}
}}
"""

#: Requests that a loop sends over each of its connections.
FRESH, KEPT = 1, 50


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def run_deck(folder: Folder, **job: object) -> Run:
    return folder.run_deck(json.dumps({"jobs": {"a": job}}))


class Nginx:
    """A run of nginx that answers every request with a text from its config."""

    def __init__(self, folder: Folder) -> None:
        self.port = free_port()
        self.folder = folder
        (folder.path / "temp").mkdir()
        self.save("one")
        options = ["-p", str(folder.path), "-e", "stderr", "-c", "{config}"]
        self.run = run_deck(
            folder,
            command=[NGINX, *options, "-g", "daemon off;"],
            config="nginx.conf",
            on_change="SIGHUP",
            check=f"{NGINX} {' '.join(options)} -q -t",
            ready=self.port,
        )
        self.run.wait_for(row(1, "applied"))

    def save(self, body: str, directive: str = "return 200") -> None:
        self.folder.save("nginx.conf", NGINX_CONF.format(port=self.port, body=body, directive=directive))

    async def get(self, requests: int) -> list[bytes]:
        """Send requests over one connection, and return their bodies; anything but an answer to each is an error.

        Between two requests nginx may close the connection: by HTTP's rules that fails no request.
        """
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        bodies = []
        for number in range(requests):
            last = b"close" if number == requests - 1 else b"keep-alive"
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: " + last + b"\r\n\r\n")
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except (asyncio.IncompleteReadError, ConnectionResetError) as error:
                if number == 0 or (isinstance(error, asyncio.IncompleteReadError) and error.partial):
                    raise
                break
            assert head.startswith(b"HTTP/1.1 200 "), head
            fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
            bodies.append(await reader.readexactly(int(fields[b"content-length"])))
            if fields[b"connection"] == b"close":
                break
        writer.close()
        with contextlib.suppress(ConnectionResetError):
            await writer.wait_closed()
        return bodies

    def body(self) -> bytes:
        return asyncio.run(self.get(1))[0]


class Load:
    """Requests without a pause, over fresh and kept connections, until the block is left."""

    def __init__(self, nginx: Nginx) -> None:
        self._nginx = nginx
        self._over = False
        self.bodies: list[bytes] = []

    async def __aenter__(self) -> Load:
        self._clients = [asyncio.create_task(self._send(requests)) for requests in (FRESH, FRESH, KEPT, KEPT)]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._over = True
        await asyncio.gather(*self._clients)

    async def _send(self, requests: int) -> None:
        while not self._over:
            self.bodies += await self._nginx.get(requests)


@pytest.fixture
def nginx(folder: Folder) -> Nginx:
    if NGINX is None:
        pytest.skip("nginx is not installed")
    return Nginx(folder)


async def test_nginx_takes_changes_without_a_failed_request(nginx: Nginx) -> None:
    async with Load(nginx) as load:
        for version, body in enumerate(("two", "three", "four"), 2):
            nginx.save(body)
            await asyncio.to_thread(nginx.run.wait_for, row(version, "applied"))
            assert (await nginx.get(1)) == [body.encode()]
    assert set(load.bodies) == {b"one", b"two", b"three", b"four"}
    assert len(load.bodies) > 1_000
    assert nginx.run.states == ["starting", "running"]
    assert nginx.run.stop() == 143


async def test_nginx_goes_on_with_its_config_when_it_refuses_a_new_one(nginx: Nginx) -> None:
    async with Load(nginx) as load:
        nginx.save("two", directive="retrun 200")
        refused = await asyncio.to_thread(nginx.run.wait_for, row(2, "invalid"))
        assert 'unknown directive "retrun"' in refused["error"]["message"]
        assert refused["error"]["line"] == 14
        assert set(await nginx.get(10 * KEPT)) == {b"one"}
        nginx.save("three")
        await asyncio.to_thread(nginx.run.wait_for, row(3, "applied"))
    assert set(load.bodies) == {b"one", b"three"}
    assert nginx.run.states == ["starting", "running"]


def test_nothing_of_nginx_serves_on_after_the_end(nginx: Nginx) -> None:
    assert nginx.body() == b"one"
    assert nginx.run.stop() == 143
    assert nginx.run.states[-1] == "stopped"
    with pytest.raises(ConnectionRefusedError):
        nginx.body()


def ask_redis(port: int, *words: str) -> list[str]:
    """Send a command in redis's protocol, and return the lines of its answer that are values."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection, connection.makefile("rwb") as stream:
        stream.write(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w.encode()) for w in words))
        stream.flush()
        count = int(stream.readline().removeprefix(b"*"))
        return [(stream.readline(), stream.readline().decode().strip())[1] for _ in range(count)]


@pytest.mark.parametrize("by", ["port", "line"])
def test_redis_is_restarted_with_a_changed_config(folder: Folder, by: str) -> None:
    if REDIS is None:
        pytest.skip("redis-server is not installed")
    port = free_port()
    config = f"port {port}\nbind 127.0.0.1\nsave ''\ndir {folder.path}\nmaxmemory 100mb\n"
    folder.write("redis.conf", config)
    ready = {"port": port} if by == "port" else {"line": "Ready to accept connections"}
    run = run_deck(
        folder, command=[REDIS, "{config}"], config="redis.conf", on_change="restart", ready=ready, stop={"grace": 5}
    )
    run.wait_for(row(1, "applied"))
    assert ask_redis(port, "CONFIG", "GET", "maxmemory") == ["maxmemory", str(100 << 20)]
    folder.save("redis.conf", config.replace("100mb", "200mb"))
    run.wait_for(row(2, "applied"))
    assert ask_redis(port, "CONFIG", "GET", "maxmemory") == ["maxmemory", str(200 << 20)]

    folder.save("redis.conf", config.replace("maxmemory", "maxmemroy"))
    died = run.wait_for(row(3, "reverted"))
    assert died["by"] == 4
    run.wait_for(row(4, "applied"))
    assert ask_redis(port, "CONFIG", "GET", "maxmemory") == ["maxmemory", str(200 << 20)]
    assert any("maxmemroy" in line for line in run.lines)
    assert run.stop() == 143


def test_a_shell_script_with_a_trap(folder: Folder) -> None:
    folder.write(
        "serve.sh",
        """\
        #!/bin/sh
        # Counts in $count, which a reload keeps, at the pace that $config gives.
        config=$1
        count=0
        load() { . "$config"; echo "pace $pace at $count"; }
        trap load HUP
        trap 'echo "ended at $count"; exit 0' TERM
        load
        while :; do
            count=$((count + 1))
            sleep "$pace"
        done
        """,
    ).chmod(0o755)
    folder.write("pace.conf", "pace=0.01\n")
    run = run_deck(
        folder,
        command=["./serve.sh", "{config}"],
        config="pace.conf",
        on_change="SIGHUP",
        check="sh -n {config}",
        ready={"line": "^pace"},
    )
    run.wait_for(row(1, "applied"))
    folder.save("pace.conf", "pace=0.02\n")
    run.wait_for(row(2, "applied"))
    folder.save("pace.conf", "pace=0.03\nif\n")
    assert "Syntax error" in run.wait_for(row(3, "invalid"))["error"]["message"]
    folder.save("pace.conf", "pace=0.04\n")
    run.wait_for(row(4, "applied"))
    assert run.stop() == 143
    said = [line.rsplit(maxsplit=1) for line in run.lines if " at " in line]  # not what the shell says of its sleep
    assert [words for words, _ in said] == ["pace 0.01 at", "pace 0.02 at", "pace 0.04 at", "ended at"]
    counts = [int(count) for _, count in said]
    assert counts[0] == 0
    assert counts == sorted(set(counts))
