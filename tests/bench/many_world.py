"""What `many.py` measures in: torrents with their content, a tracker, and a look at a process and its children."""
import hashlib
import os
import random
import re
import socket
import threading
import time
import urllib.parse

SIZE = 1 << 20
FILES = (500_000, 500_000, SIZE - 1_000_000)


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
    """Answers every announce with nobody, and notes when it came and for which torrent."""

    ANSWER = b"d8:completei1e10:incompletei0e8:intervali1800e5:peers0:e"

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.url = "http://127.0.0.1:%d/announce" % self.socket.getsockname()[1]
        self.reset()
        threading.Thread(target=self.accept, daemon=True).start()

    def reset(self):
        self.seen, self.hashes, self.connections = [], set(), 0

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
                    for request in requests:
                        stream.sendall(answer)
                        self.seen.append(time.monotonic())
                        self.hashes.add(urllib.parse.unquote_to_bytes(re.search(rb"info_hash=([^& ]*)", request)[1]))
            except OSError:
                pass


def make(folder, count, piece_length, url):
    """Torrents in `folder`/torrents and their content in `folder`/downloads."""
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


def descendants(pid):
    """A process and all that it has started."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as file:
            children = file.read().split()
    except FileNotFoundError:
        return []
    return [pid] + [other for child in children for other in descendants(int(child))]


def cpu(pid):
    """Seconds of CPU that it has used."""
    ticks = 0
    for pid in descendants(pid):
        with open(f"/proc/{pid}/schedstat") as file:
            main = int(file.read().split()[0])
        ticks += main + sum(other_threads(pid))
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        # What ended threads have used is in the sum of the process only, which counts in whole ticks.
        ticks = max(ticks, (int(fields[11]) + int(fields[12])) * 10**9 // os.sysconf("SC_CLK_TCK"))
    return ticks / 10**9


def other_threads(pid):
    for thread in os.listdir(f"/proc/{pid}/task"):
        if int(thread) != pid:
            try:
                with open(f"/proc/{pid}/task/{thread}/schedstat") as file:
                    yield int(file.read().split()[0])
            except FileNotFoundError:
                pass


def status(pid):
    """Its resident KiB, threads and handles."""
    resident = threads = handles = 0
    for pid in descendants(pid):
        with open(f"/proc/{pid}/status") as file:
            lines = dict(line.split(":", 1) for line in file)
        resident += int(lines["VmRSS"].split()[0])
        threads += int(lines["Threads"])
        handles += len(os.listdir(f"/proc/{pid}/fd"))
    return resident, threads, handles


def busiest(seen):
    """The most of these moments, in order, within a second."""
    most = first = 0
    for last, at in enumerate(seen):
        while at - seen[first] >= 1:
            first += 1
        most = max(most, last - first + 1)
    return most
