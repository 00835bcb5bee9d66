#!/usr/bin/env python3
"""Many idle seeds in one process: what `brooklet run` needs for them.

many.py BROOKLET [COUNT [PIECE_LENGTH]]

Makes COUNT torrents (1000) of 1 MiB in three files, of pieces of PIECE_LENGTH bytes (16384), on tmpfs, and an HTTP tracker on
loopback that keeps connections. Starts `run` twice: the first start hashes everything, the second has resume data. Prints of each
start when the first and the last torrent announced, the most announces in any second, the connections that the tracker saw, CPU until
all had announced, then RSS, threads and handles; of the second the CPU over a minute without anything to do.
"""
import hashlib
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

SIZE = 1 << 20
FILES = (500_000, 500_000, SIZE - 1_000_000)
PATIENCE = 180
IDLE = 60


def bencode(value):
    if isinstance(value, int):
        return b"i%de" % value
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, bytes):
        return b"%d:%s" % (len(value), value)
    if isinstance(value, list):
        return b"l" + b"".join(map(bencode, value)) + b"e"
    return b"d" + b"".join(bencode(key) + bencode(value[key]) for key in sorted(value)) + b"e"


class Tracker:
    """Answers every announce with nobody, and notes when it came."""

    ANSWER = b"d8:completei1e10:incompletei0e8:intervali1800e5:peers0:e"

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.url = "http://127.0.0.1:%d/announce" % self.socket.getsockname()[1]
        self.reset()
        threading.Thread(target=self.accept, daemon=True).start()

    def reset(self):
        self.seen, self.connections = [], 0

    def accept(self):
        while True:
            stream, _ = self.socket.accept()
            self.connections += 1
            threading.Thread(target=self.serve, args=(stream,), daemon=True).start()

    def serve(self, stream):
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(self.ANSWER), self.ANSWER)
        rest = b""
        with stream:
            try:
                while part := stream.recv(65536):
                    *requests, rest = (rest + part).split(b"\r\n\r\n")
                    for _ in requests:
                        self.seen.append(time.monotonic())
                        stream.sendall(answer)
            except OSError:
                pass


def make(folder, count, piece_length, url):
    rng = random.Random(1)
    os.makedirs(f"{folder}/torrents")
    for number in range(count):
        name = f"seed{number:05}"
        content = rng.randbytes(SIZE)
        place = f"{folder}/downloads/{name}"
        os.makedirs(place)
        at, files = 0, []
        for index, length in enumerate(FILES):
            with open(f"{place}/file{index}.bin", "wb") as file:
                file.write(content[at:at + length])
            files.append({"length": length, "path": [f"file{index}.bin"]})
            at += length
        pieces = range(0, SIZE, piece_length)
        hashes = b"".join(hashlib.sha1(content[at:at + piece_length]).digest() for at in pieces)
        info = {"files": files, "name": name, "piece length": piece_length, "pieces": hashes}
        info_hash = hashlib.sha1(bencode(info)).hexdigest()
        with open(f"{folder}/torrents/{info_hash}.torrent", "wb") as file:
            file.write(bencode({"announce": url, "info": info}))


def cpu(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def status(pid):
    with open(f"/proc/{pid}/status") as file:
        lines = dict(line.split(":", 1) for line in file)
    return int(lines["VmRSS"].split()[0]), int(lines["Threads"])


def busiest(seen):
    return max((sum(at <= other < at + 1 for other in seen) for at in seen), default=0)


def start(number, program, folder, count, tracker):
    tracker.reset()
    began = time.monotonic()
    command = [program, "run", folder, "-p", "0", "--bind", "127.0.0.1"]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        while len(tracker.seen) < count:
            if child.poll() is not None or time.monotonic() - began > PATIENCE:
                sys.exit(f"only {len(tracker.seen)} of {count} torrents have announced")
            time.sleep(0.02)
        used = cpu(child.pid)
        seen = sorted(tracker.seen)
        # What it needs for a moment only is given back by then.
        time.sleep(5)
        resident, threads = status(child.pid)
        handles = len(os.listdir(f"/proc/{child.pid}/fd"))
        print(f"start {number}: first announce after {seen[0] - began:.2f} s, last after {seen[-1] - began:.2f} s, "
              f"at most {busiest(seen)} in a second over {tracker.connections} connections, CPU {used:.2f} s; "
              f"then RSS {resident / 1024:.1f} MiB, {threads} threads, {handles} handles", flush=True)
        if number == 2:
            before = cpu(child.pid)
            time.sleep(IDLE)
            print(f"idle for {IDLE} s: {(cpu(child.pid) - before) / IDLE * 100:.3f} % of a core")
    finally:
        child.terminate()
        child.wait()


def main():
    program = sys.argv[1]
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    piece_length = int(sys.argv[3]) if len(sys.argv) > 3 else 16384
    tracker = Tracker()
    folder = tempfile.mkdtemp(dir="/dev/shm")
    try:
        make(folder, count, piece_length, tracker.url)
        for number in (1, 2):
            start(number, program, folder, count, tracker)
    finally:
        shutil.rmtree(folder)


main()
