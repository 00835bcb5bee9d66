#!/usr/bin/env python3
"""Downloads over uTP alone between two network namespaces: brooklet, libtorrent and Transmission, each
with itself, and brooklet with each of the others at either end, in alternating rounds. Prints the rate
from the first byte to the last, the CPU seconds that each end takes for a GiB meanwhile, and the memory
of each, as medians, and the ratios of brooklet's to the better of the others.

usage: utp.py BROOKLET [--mib 256] [--rounds 3] [--only SEED,GETTER]...
"""

import argparse
import hashlib
import json
import os
import random
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from many_world import bencode  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
PYTHON = "/usr/bin/python3"  # Debian's own, which has libtorrent.
PIECE = 1 << 18
SEED, GETTER = ("10.77.0.1", 6881), ("10.77.0.2", 6882)
PATIENCE = 120
OTHERS = ("libtorrent", "transmission")
PAIRS = [("brooklet", "brooklet"), ("libtorrent", "libtorrent"), ("transmission", "transmission")]
PAIRS += [pair for other in OTHERS for pair in ((other, "brooklet"), ("brooklet", other))]

# Answers every announce with the seed.
TRACKER = """
import http.server, sys
ANSWER = b"d8:intervali1800e5:peers6:" + bytes.fromhex(sys.argv[1]) + b"e"
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(ANSWER)))
        self.end_headers()
        self.wfile.write(ANSWER)
    def log_message(self, *_):
        pass
http.server.HTTPServer(("127.0.0.1", 6969), Handler).serve_forever()
"""


def ip(words):
    subprocess.run(["ip"] + words.split(), check=True)


class Line:
    """Two namespaces that let no TCP through to the ports of peers."""

    def __init__(self):
        self.names = [f"brooklet-utp-{os.getpid()}-{end}" for end in ("seed", "get")]
        for name in self.names:
            ip(f"netns add {name}")
        ip(f"-n {self.names[0]} link add net type veth peer name net netns {self.names[1]}")
        for name, (host, _) in zip(self.names, (SEED, GETTER)):
            ip(f"-n {name} addr add {host}/24 dev net")
            ip(f"-n {name} link set net up")
            ip(f"-n {name} link set lo up")
            ip(f"-n {name} rule add pref 10 to 10.77.0.0/24 ipproto tcp unreachable")

    def end(self):
        for name in self.names:
            ip(f"netns delete {name}")


class End:
    """A client that seeds or gets."""

    def __init__(self, kind, line, folder, whole, args, torrent):
        self.kind, self.folder, self.children = kind, folder, []
        self.namespace = line.names[0 if whole else 1]
        self.log = open(f"{folder}.log", "wb")
        port = (SEED if whole else GETTER)[1]
        os.makedirs(folder, exist_ok=True)
        if kind == "brooklet":
            command = [args.brooklet, "seed" if whole else "get", torrent, "--dir", folder, "--json"]
            command += ["--state", f"{folder}.state", "--port", str(port), "--no-dht", "--no-lsd"]
            command += [] if whole else ["--peer", "%s:%d" % SEED]
        elif kind == "libtorrent":
            command = [PYTHON, os.path.join(HERE, "../support/lt.py"), torrent, folder]
            command += ["--listen", f"0.0.0.0:{port}", "--utp"]
            command += [] if whole else ["--peer", SEED[0], str(SEED[1])]
        else:
            command = self.transmission(port, whole, torrent)
        self.process = self.spawn(command)

    def spawn(self, command):
        command = ["nsenter", f"--net=/run/netns/{self.namespace}"] + command
        child = subprocess.Popen(command, stdout=self.log, stderr=subprocess.STDOUT)
        self.children.append(child)
        return child

    def transmission(self, port, whole, torrent):
        home = f"{self.folder}.home"
        os.makedirs(f"{home}/watched")
        shutil.copy(torrent, f"{home}/watched/a.torrent")
        settings = {
            "dht-enabled": False, "download-dir": self.folder, "lpd-enabled": False, "pex-enabled": False,
            "peer-port": port, "port-forwarding-enabled": False, "preallocation": 0, "rpc-enabled": False,
            "utp-enabled": True, "encryption": 0, "watch-dir": f"{home}/watched", "watch-dir-enabled": True,
        }
        with open(f"{home}/settings.json", "w") as file:
            json.dump(settings, file)
        if not whole:
            peer = socket.inet_aton(SEED[0]) + struct.pack(">H", SEED[1])
            self.spawn([PYTHON, "-c", TRACKER, peer.hex()])
            time.sleep(0.5)
        return ["transmission-daemon", "-f", "-g", home]

    def cpu(self):
        with open(f"/proc/{self.process.pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self):
        """The most that it has taken; nothing is known of one that has ended."""
        with open(f"/proc/{self.process.pid}/status") as file:
            return next((int(line.split()[1]) for line in file if line.startswith("VmHWM")), 0) / 1024

    def end(self):
        for child in self.children:
            child.kill()
            child.wait()
        self.log.close()


def settle(end):
    """Waits until a seed has looked at its content: it uses no CPU for a second. Transmission begins late."""
    deadline = time.time() + PATIENCE
    while end.kind == "transmission" and time.time() < deadline:
        with open(end.log.name, "rb") as file:
            if b"Verifying" in file.read():
                break
        time.sleep(0.1)
    before, quiet = end.cpu(), 0
    time.sleep(1)
    while quiet < 10 and time.time() < deadline:
        time.sleep(0.1)
        now = end.cpu()
        quiet = quiet + 1 if now - before < 0.02 else 0
        before = now


def arrived(folder):
    sizes = [os.stat(os.path.join(folder, name)).st_blocks * 512 for name in os.listdir(folder)]
    return max(sizes, default=0)


def run(pair, args, content, torrent, place):
    shutil.rmtree(place, ignore_errors=True)
    os.makedirs(f"{place}/seed")
    os.link(content, f"{place}/seed/content")
    line, ends = Line(), []
    try:
        ends.append(End(pair[0], line, f"{place}/seed", True, args, torrent))
        settle(ends[0])
        ends.append(End(pair[1], line, f"{place}/get", False, args, torrent))
        size, deadline, first = os.stat(content).st_size, time.time() + PATIENCE, None
        memory = [0, 0]
        while True:
            memory = [max(most, end.memory()) for most, end in zip(memory, ends)]
            have, now = arrived(f"{place}/get"), time.time()
            if first is None and have > 0:
                first, cpu = now, [end.cpu() for end in ends]
            if have >= size:
                break
            if now > deadline or ends[1].process.poll() is not None and have < size:
                return None
            time.sleep(0.01)
        # What is written last may be hashed still; brooklet ends by itself.
        used = [end.cpu() - before for end, before in zip(ends, cpu)]
        time.sleep(1)
        name = next(iter(os.listdir(f"{place}/get")))
        if subprocess.run(["cmp", "-s", f"{place}/get/{name}", content]).returncode:
            return None
        gib = size / (1 << 30)
        return [size / (1 << 20) / (now - first)] + [cpu / gib for cpu in used] + memory
    finally:
        for end in ends:
            end.end()
        line.end()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("brooklet")
    parser.add_argument("--mib", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", action="append", type=lambda word: tuple(word.split(",")))
    args = parser.parse_args()
    pairs = [pair for pair in PAIRS if not args.only or pair in args.only]
    root = tempfile.mkdtemp(prefix="brooklet-utp-", dir="/dev/shm")
    try:
        content, torrent = f"{root}/content", f"{root}/torrent"
        pieces, bytes_of = [], random.Random(1)
        with open(content, "wb") as file:
            for _ in range((args.mib << 20) // PIECE):
                piece = bytes_of.randbytes(PIECE)
                file.write(piece)
                pieces.append(hashlib.sha1(piece).digest())
        info = {"name": "content", "length": args.mib << 20, "piece length": PIECE, "pieces": b"".join(pieces)}
        with open(torrent, "wb") as file:
            file.write(bencode({"announce": "http://127.0.0.1:6969/announce", "info": info}))
        results = {pair: [] for pair in pairs}
        for number in range(args.rounds):
            for at in range(len(pairs)):
                pair = pairs[(at + number) % len(pairs)]
                result = run(pair, args, content, torrent, f"{root}/run")
                print(number + 1, *pair, result and ["%.2f" % it for it in result], file=sys.stderr, flush=True)
                if result:
                    results[pair].append(result)
    finally:
        shutil.rmtree(root)
    medians = {}
    print(f"{args.mib} MiB over uTP\n| seed | getter | runs | MiB/s | CPU s/GiB seed | getter | MiB seed | getter |")
    print("|---|---|---|---|---|---|---|---|")
    for pair, runs in results.items():
        if runs:
            medians[pair] = [statistics.median(column) for column in zip(*runs)]
            words = " | ".join(f"{it:.2f}" for it in medians[pair])
            print(f"| {pair[0]} | {pair[1]} | {len(runs)} of {args.rounds} | {words} |")
        else:
            print(f"| {pair[0]} | {pair[1]} | none of {args.rounds} | | | | | |")
    ours = medians.get(("brooklet", "brooklet"))
    others = [medians[pair] for pair in ((other, other) for other in OTHERS) if pair in medians]
    if ours and others:
        print(f"with itself: rate {ours[0] / max(it[0] for it in others):.2f} x the faster of the others, "
              f"CPU {ours[1] / min(it[1] for it in others):.2f} x seeding and "
              f"{ours[2] / min(it[2] for it in others):.2f} x getting the leaner")
    for other in OTHERS:
        alone = medians.get((other, other))
        for pair in ((other, "brooklet"), ("brooklet", other)):
            if alone and pair in medians:
                print(f"{pair[0]} to {pair[1]}: {medians[pair][0] / alone[0]:.2f} x what {other} gets with itself")


main()
