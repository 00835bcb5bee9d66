#!/usr/bin/env python3
"""Ten minutes in which torrents and peers come and go: memory of `brooklet run` does not grow.

churn.py BROOKLET [MINUTES]

Fifty torrents in one process, five of them downloading, at most 200 connections; its peers are sessions of libtorrent and daemons of
Transmission on addresses of loopback, and an HTTP tracker names them to each other. Every few seconds a torrent is removed with its
data and another added, a peer leaves and another comes, a torrent is paused and one goes on. Prints resident memory, connections,
torrents, handles and CPU time each minute. Ends with 1 if, after the first three minutes, memory is above 32 MiB or has moved by more
than 1 MiB.
"""
import hashlib
import json
import os
import random
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

import libtorrent as lt

SIZE, PIECE = 4 << 20, 64 << 10
TORRENTS, ACTIVE, CONNECTIONS = 50, 5, 200
LEECHERS, SEEDS, DAEMONS = 28, 6, 2
# Torrents that a leecher has at one time, and peers beside the process that it is told of for each.
EACH, OTHERS = 50, 2
WARM = 3
# Leechers that are looked after at a time.
ASKED = 4
# Sessions that are over.
GONE = []
MOST, MOVE = 32 << 10, 1 << 10


def bencode(value):
    if isinstance(value, int):
        return b"i%de" % value
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, bytes):
        return b"%d:%s" % (len(value), value)
    return b"d" + b"".join(bencode(key) + bencode(value[key]) for key in sorted(value)) + b"e"


class Tracker:
    """Names peers of a torrent to each other, and forgets those that say that they go. Each hears of the process that is looked at
    and of a few others, which would otherwise fill all its connections; that process hears of up to fifty."""

    OWN = "127.0.0.1"

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.url = "http://127.0.0.1:%d/announce" % self.socket.getsockname()[1]
        self.swarms, self.lock = {}, threading.Lock()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            stream, addr = self.socket.accept()
            threading.Thread(target=self.serve, args=(stream, addr[0]), daemon=True).start()

    def serve(self, stream, ip):
        rest = b""
        with stream:
            try:
                while part := stream.recv(65536):
                    *requests, rest = (rest + part).split(b"\r\n\r\n")
                    for request in requests:
                        body = self.answer(request.split(b" ", 2)[1].decode(), ip)
                        stream.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
            except (OSError, KeyError, IndexError):
                pass

    def answer(self, path, ip):
        query = urllib.parse.parse_qs(path.partition("?")[2], encoding="latin-1")
        info_hash, peer = query["info_hash"][0], (ip, int(query["port"][0]))
        with self.lock:
            swarm = self.swarms.setdefault(info_hash, {})
            if query.get("event") == ["stopped"]:
                swarm.pop(peer, None)
            else:
                swarm[peer] = time.monotonic()
            own = [other for other in swarm if other != peer and other[0] == self.OWN]
            others = [other for other in swarm if other != peer and other[0] != self.OWN]
        others = random.sample(others, min(50 if ip == self.OWN else OTHERS, len(others)))
        peers = b"".join(socket.inet_aton(ip) + struct.pack(">H", port) for ip, port in own + others)
        return bencode({"interval": 120, "min interval": 5, "peers": peers})

    def forget(self, ip):
        with self.lock:
            for swarm in self.swarms.values():
                for peer in [peer for peer in swarm if peer[0] == ip]:
                    del swarm[peer]


class Torrent:
    """A torrent and its content."""

    def __init__(self, number, folder, url):
        self.name = f"churn{number:04}.bin"
        content = random.Random(number).randbytes(SIZE)
        self.path = f"{folder}/{self.name}"
        with open(self.path, "wb") as file:
            file.write(content)
        parts = (content[at:at + PIECE] for at in range(0, SIZE, PIECE))
        hashes = b"".join(hashlib.sha1(part).digest() for part in parts)
        info = {"length": SIZE, "name": self.name, "piece length": PIECE, "pieces": hashes}
        self.info_hash = hashlib.sha1(bencode(info)).hexdigest()
        self.metainfo = bencode({"announce": url, "info": info})
        self.file = f"{folder}/{self.name}.torrent"
        with open(self.file, "wb") as file:
            file.write(self.metainfo)


class Peer:
    """A session of libtorrent on an address of its own; a seed has what it is given, another one fetches it."""

    def __init__(self, ip, folder, rate):
        self.ip, self.folder = ip, folder
        os.makedirs(folder, exist_ok=True)
        self.session = lt.session({
            "listen_interfaces": f"{ip}:6881", "outgoing_interfaces": ip, "enable_dht": False, "enable_lsd": False,
            "enable_upnp": False, "enable_natpmp": False, "upload_rate_limit": rate, "download_rate_limit": 2 * rate if rate < 20000 else 0,
            "allow_multiple_connections_per_ip": True, "alert_mask": 0, "enable_incoming_utp": False, "enable_outgoing_utp": False,
            "active_downloads": -1, "active_seeds": -1, "active_limit": 500, "ssrf_mitigation": False, "rate_limit_ip_overhead": False,
        })
        self.handles = {}

    def add(self, torrent):
        if torrent.name not in self.handles:
            info = lt.torrent_info(lt.bdecode(torrent.metainfo))
            self.handles[torrent.name] = self.session.add_torrent({"ti": info, "save_path": self.folder, "flags": 0})

    def drop(self, name, data):
        handle = self.handles.pop(name, None)
        if handle:
            self.session.remove_torrent(handle, 1 if data else 0)

    def end(self):
        # What is left of it would go on seeding.
        for name in list(self.handles):
            self.drop(name, True)
        self.session.pause()
        # To destroy a session takes seconds, in which nothing else would come or go.
        GONE.append(self.session)
        shutil.rmtree(self.folder, ignore_errors=True)

    def done(self):
        return [name for name, handle in self.handles.items() if handle.status().is_seeding]


class Daemon:
    """A daemon of Transmission that fetches torrents."""

    def __init__(self, ip, folder, number):
        self.folder, self.rpc = folder, 19091 + number
        os.makedirs(folder)
        self.child = subprocess.Popen([
            "transmission-daemon", "-f", "-g", folder, "-w", folder, "-i", ip, "-P", "6881", "-p", str(self.rpc), "-r", "127.0.0.1",
            "--no-dht", "--no-lpd", "--no-utp", "--no-portmap", "-et"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def add(self, torrent):
        subprocess.run(["transmission-remote", f"127.0.0.1:{self.rpc}", "-a", torrent.file, "-u", "40"],
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stop(self):
        self.child.kill()
        self.child.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class World:
    """The process that is looked at, and all others."""

    def __init__(self, program, folder):
        self.program, self.folder, self.rng = program, folder, random.Random(1)
        self.run_folder, self.content = f"{folder}/run", f"{folder}/content"
        os.makedirs(f"{self.run_folder}/downloads")
        os.makedirs(self.content)
        self.tracker = Tracker()
        self.count, self.torrents, self.addresses = 0, [], 2
        self.child = subprocess.Popen([
            program, "run", self.run_folder, "-p", "0", "--bind", "127.0.0.1", "--max-peers", str(CONNECTIONS), "--active", str(ACTIVE),
            "--down", "128K", "--up", "1M"])
        while not os.path.exists(f"{self.run_folder}/control"):
            time.sleep(0.02)
        for number in range(TORRENTS):
            self.add_torrent(is_seed=number >= 2 * ACTIVE)
        self.seeds = [self.new_peer("seed", 48 << 10, True) for _ in range(SEEDS)]
        self.leechers = [self.new_peer("leech", 12 << 10, False) for _ in range(LEECHERS)]
        self.daemons = [self.new_daemon(number) for number in range(DAEMONS)]

    def does(self, *words):
        done = subprocess.run([self.program, *words, "-C", self.run_folder], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if done.returncode:
            print(f"brooklet {' '.join(words)}: {done.stderr.strip()}", flush=True)
        return done.stdout

    def address(self):
        self.addresses += 1
        return f"127.{1 + self.addresses // 60000}.{self.addresses // 250 % 250}.{1 + self.addresses % 250}"

    def add_torrent(self, is_seed):
        torrent = Torrent(self.count, self.content, self.tracker.url)
        self.count += 1
        if is_seed:
            os.link(torrent.path, f"{self.run_folder}/downloads/{torrent.name}")
        added = self.does("add", torrent.file)
        torrent.number, torrent.is_seed = added.split(" ")[0], is_seed
        self.torrents.append(torrent)
        for seed in getattr(self, "seeds", []):
            seed.add(torrent)

    def remove_torrent(self):
        torrent = self.torrents.pop(0)
        self.does("remove", torrent.number, "--data")
        for peer in self.seeds + self.leechers:
            peer.drop(torrent.name, peer in self.leechers)
        os.remove(torrent.path)
        os.remove(torrent.file)

    def new_peer(self, kind, rate, is_seed):
        ip = self.address()
        peer = Peer(ip, self.content if is_seed else f"{self.folder}/{ip}", rate)
        torrents = self.torrents if is_seed else self.rng.sample(self.torrents, min(EACH, len(self.torrents)))
        for torrent in torrents:
            peer.add(torrent)
        return peer

    def new_daemon(self, number):
        daemon = Daemon(self.address(), f"{self.folder}/daemon{self.addresses}", number)
        time.sleep(1)
        for torrent in self.rng.sample(self.torrents, 8):
            daemon.add(torrent)
        return daemon

    def change_peers(self):
        place = self.rng.randrange(len(self.leechers))
        old = self.leechers[place]
        self.leechers[place] = self.new_peer("leech", 12 << 10, False)
        self.tracker.forget(old.ip)
        old.end()
        # To ask a session for each of its torrents takes long, so a few are asked at a time.
        for peer in self.rng.sample(self.leechers, ASKED):
            for name in peer.done():
                peer.drop(name, True)
            missing = [torrent for torrent in self.torrents if torrent.name not in peer.handles]
            for torrent in self.rng.sample(missing, max(0, min(EACH - len(peer.handles), len(missing)))):
                peer.add(torrent)

    def status(self):
        pid = self.child.pid
        with open(f"/proc/{pid}/status") as file:
            lines = dict(line.split(":", 1) for line in file)
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        torrents = json.loads(self.does("status", "--json"))["torrents"]
        return {
            "rss": int(lines["VmRSS"].split()[0]), "peak": int(lines["VmHWM"].split()[0]), "threads": int(lines["Threads"]),
            "handles": len(os.listdir(f"/proc/{pid}/fd")), "cpu": (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"),
            "torrents": len(torrents), "peers": sum(torrent["peers"] for torrent in torrents),
            "downloading": sum(torrent["state"] == "downloading" for torrent in torrents),
        }

    def end(self):
        for daemon in getattr(self, "daemons", []):
            daemon.stop()
        self.child.terminate()
        return self.child.wait()


def main():
    program = os.path.abspath(sys.argv[1])
    minutes = int(sys.argv[2]) if len(sys.argv) > 2 else 10
    folder = tempfile.mkdtemp(dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
    world, seen = None, []
    try:
        world = World(program, folder)
        began, step, paused = time.monotonic(), 0, None
        while len(seen) < minutes:
            step += 1
            time.sleep(max(0, began + step - time.monotonic()))
            if step % 6 == 0:
                world.remove_torrent()
                world.add_torrent(is_seed=step % 12 != 0)
            if step % 5 == 0:
                world.change_peers()
            if step % 7 == 0:
                if paused in world.torrents:
                    world.does("resume", paused.number)
                paused = world.rng.choice(world.torrents)
                world.does("pause", paused.number)
            if step % 40 == 0:
                number = step // 40 % DAEMONS
                world.daemons[number].stop()
                world.daemons[number] = world.new_daemon(number)
            if time.monotonic() >= began + 60 * (len(seen) + 1):
                status = world.status()
                seen.append(status["rss"])
                print(f"minute {len(seen):2}: RSS {status['rss'] / 1024:.2f} MiB (peak {status['peak'] / 1024:.2f}), "
                      f"{status['torrents']} torrents, {status['downloading']} downloading, {status['peers']} connections, "
                      f"{status['threads']} threads, {status['handles']} handles, CPU {status['cpu']:.1f} s", flush=True)
    finally:
        if world:
            print(f"it ended with {world.end()}; {world.count} torrents were there in all")
        shutil.rmtree(folder, ignore_errors=True)
    late = seen[WARM - 1:]
    if not late:
        sys.exit("that was too short to see anything")
    moved = (max(late) - min(late)) / 1024
    print(f"after the first {WARM} minutes: {min(late) / 1024:.2f} to {max(late) / 1024:.2f} MiB, moved by {moved:.2f} MiB")
    sys.stdout.flush()
    # Without waiting for the sessions.
    os._exit(int(max(late) > MOST or max(late) - min(late) > MOVE))


main()
