#!/usr/bin/env python3
"""A download to a disk that takes 5 MB/s, while a leecher asks for one block after the other of what is there.

Usage: slow_disk.py BROOKLET; in the environment SEEDS ("1 8 24"), SECONDS (20), RATE (bytes a second, 5242880), MEMORY (16M).

Prints, for each number of seeds, how long the leecher waited for a block (half of its requests, 99 of 100, all), how soon the program
was gone after SIGINT, the most memory it took (VmHWM), and its processor time. Once the program slows its own writes down
(BROOKLET_WRITE_PACE, for which it is built with --features faults), once it writes to a loop device that the kernel throttles (root, and cgroups with a block controller), where
reads, syncs and journals wait as they do on a real disk. The seeds are other processes of the same program on loopback.
"""

import contextlib
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

BLOCK = 16384
MIB = 1 << 20
BROOKLET = os.path.abspath(sys.argv[1])
SEEDS = [int(n) for n in os.environ.get("SEEDS", "1 8 24").split()]
SECONDS = float(os.environ.get("SECONDS", "20"))
RATE = int(os.environ.get("RATE", 5 * MIB))
MEMORY = os.environ.get("MEMORY", "16M")
CHOKE, UNCHOKE, INTERESTED, HAVE, BITFIELD, REQUEST, PIECE = 0, 1, 2, 4, 5, 6, 7
# Between two requests: a pace that costs nothing.
PAUSE = 0.02


class Leecher:
    """A peer that asks for blocks and measures how long they take."""

    def __init__(self, port, info_hash):
        until = time.monotonic() + 30
        while True:
            try:
                self.sock = socket.create_connection(("127.0.0.1", port), 60)
                self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.sock.sendall(b"\x13BitTorrent protocol" + bytes(8) + info_hash + b"-ZZ0001-leecherleech")
                self.exactly(68)
                break
            except OSError:
                # It takes nobody before it knows what is on disk.
                if time.monotonic() > until:
                    raise
                time.sleep(0.02)
        self.say(INTERESTED)
        self.has, self.unchoked, self.asked_at, self.waits = [], False, None, []

    def exactly(self, count):
        got = b""
        while len(got) < count:
            part = self.sock.recv(count - len(got))
            if not part:
                raise ConnectionError("brooklet hung up on the leecher")
            got += part
        return got

    def say(self, kind, *numbers):
        self.sock.sendall(struct.pack(f">IB{len(numbers)}I", 1 + 4 * len(numbers), kind, *numbers))

    def hear(self):
        (length,) = struct.unpack(">I", self.exactly(4))
        message = self.exactly(length)
        kind = message[0] if message else None
        if kind == HAVE:
            self.has += struct.unpack(">I", message[1:5])
        elif kind == BITFIELD:
            self.has += [i for i in range(8 * (length - 1)) if message[1 + i // 8] >> (7 - i % 8) & 1]
        elif kind in (CHOKE, UNCHOKE):
            self.unchoked, self.asked_at = kind == UNCHOKE, None
        elif kind == PIECE and self.asked_at:
            self.waits.append(time.monotonic() - self.asked_at)
            self.asked_at = None

    def ask_for(self, seconds):
        """Asks until the time is over; how many pieces came to be there meanwhile."""
        while not (self.unchoked and self.has):
            self.hear()
        had, until, next_at = len(self.has), time.monotonic() + seconds, 0
        while (now := time.monotonic()) < until:
            if self.unchoked and self.asked_at is None and now >= next_at:
                # The newest is in the page cache.
                self.asked_at, next_at = now, now + PAUSE
                self.say(REQUEST, self.has[-1], 0, BLOCK)
            if select.select([self.sock], [], [], PAUSE / 4)[0]:
                self.hear()
        # One that is still waited for has taken so long at least.
        if self.asked_at:
            self.waits.append(time.monotonic() - self.asked_at)
        self.waits.sort()
        return len(self.has) - had

    def wait(self, part):
        return 1000 * self.waits[min(len(self.waits) - 1, int(len(self.waits) * part))]


def free_ports(count):
    """Ports that nobody listens on."""
    socks = [socket.socket() for _ in range(count)]
    for sock in socks:
        sock.bind(("127.0.0.1", 0))
    ports = [sock.getsockname()[1] for sock in socks]
    for sock in socks:
        sock.close()
    return ports


def brooklet(verb, folder, state, port, *options, **env):
    words = [BROOKLET, verb, "torrent", "-d", folder, "--state", state, "-p", str(port), "--bind", "127.0.0.1"]
    words += ["--no-trackers", "--memory", MEMORY, "-q", *options]
    return subprocess.Popen(words, env={**os.environ, **env})


def of_process(pid):
    """VmHWM in MiB, and seconds of processor time."""
    with open(f"/proc/{pid}/status") as status:
        peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    with open(f"/proc/{pid}/stat") as stat:
        ticks = stat.read().rsplit(") ", 1)[1].split()[11:13]
    return peak / 1024, sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


def measure(disk, folder, seeds, info_hash, piece_length, **env):
    """One line of the table."""
    *ports, port = free_ports(seeds + 1)
    running = [brooklet("seed", "seed", f"state/{p}", p) for p in ports]
    state = os.path.join(folder, "state")
    target = os.path.join(folder, "content")
    peers = [word for p in ports for word in ("--peer", f"127.0.0.1:{p}")]
    try:
        wait_listening(ports)
        get = brooklet("get", target, state, port, *peers, **env)
        running.append(get)
        leecher = Leecher(port, info_hash)
        pieces = leecher.ask_for(SECONDS)
        (peak, cpu), alive = of_process(get.pid), get.poll() is None
        if not alive:
            raise SystemExit("the download was over too soon")
        begun = time.monotonic()
        get.send_signal(signal.SIGINT)
        code = get.wait()
        stop = time.monotonic() - begun
    finally:
        for process in running:
            process.kill()
            process.wait()
        for path in (target, state):
            shutil.rmtree(path, ignore_errors=True)
        os.sync()
    rate = pieces * piece_length / SECONDS / 1e6
    waits = f"{leecher.wait(0.5):8.1f} {leecher.wait(0.99):8.1f} {leecher.wait(1):8.1f}"
    print(f"{disk:<12} {seeds:>5} {len(leecher.waits):>8} {waits} {rate:>8.1f} {stop:>8.2f} {code:>5} {peak:>8.1f} {cpu:>7.2f}", flush=True)


def wait_listening(ports):
    until = time.monotonic() + 30
    for port in ports:
        while True:
            with socket.socket() as sock:
                if sock.connect_ex(("127.0.0.1", port)) == 0:
                    break
            if time.monotonic() > until:
                raise SystemExit(f"nobody listens on port {port}")
            time.sleep(0.02)


@contextlib.contextmanager
def throttled(image):
    """A file system on a loop device that takes so many bytes a second; a string if it cannot be made: why."""
    def run(*words):
        return subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()

    v1, v2 = "/sys/fs/cgroup/blkio/blkio.throttle.write_bps_device", "/sys/fs/cgroup/cgroup.controllers"
    if os.geteuid() != 0:
        yield "only root can make it"
        return
    undo = contextlib.ExitStack()
    try:
        with open(image, "wb") as file:
            file.truncate(1 << 30)
        run("mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", image)
        device = run("losetup", "--find", "--show", image)
        undo.callback(run, "losetup", "--detach", device)
        mount = image + ".mount"
        os.mkdir(mount)
        run("mount", device, mount)
        undo.callback(run, "umount", mount)
        number = f"{os.major(os.stat(device).st_rdev)}:{os.minor(os.stat(device).st_rdev)}"
        if os.path.exists(v1):
            # What is written back later counts as the root's.
            write(v1, f"{number} {RATE}")
            undo.callback(write, v1, f"{number} 0")
        elif os.path.exists(v2):
            write("/sys/fs/cgroup/cgroup.subtree_control", "+io +memory")
            group = f"/sys/fs/cgroup/brooklet-slow-{os.getpid()}"
            os.mkdir(group)
            undo.callback(os.rmdir, group)
            write(f"{group}/io.max", f"{number} wbps={RATE}")
            # Whoever writes must be in it: us, and those that we start.
            write(f"{group}/cgroup.procs", str(os.getpid()))
            undo.callback(write, "/sys/fs/cgroup/cgroup.procs", str(os.getpid()))
        else:
            raise OSError("no cgroup that limits block devices")
    except (OSError, subprocess.CalledProcessError) as error:
        undo.close()
        yield getattr(error, "stderr", None) or str(error)
        return
    with undo:
        yield mount


def write(path, text):
    with open(path, "w") as file:
        file.write(text)


def main():
    work = tempfile.mkdtemp(prefix="brooklet-slow.", dir="/dev/shm")
    disk = tempfile.mkdtemp(prefix="brooklet-slow.")
    try:
        os.chdir(work)
        os.mkdir("seed")
        size = int(1.5 * RATE * SECONDS) + 64 * MIB
        with open("seed/content", "wb") as file:
            for _ in range(0, size, MIB):
                file.write(os.urandom(MIB))
        piece_length = 256 * 1024
        made = subprocess.run(
            [BROOKLET, "create", "seed/content", "--piece-length", str(piece_length), "-o", "torrent"],
            check=True, capture_output=True, text=True)
        words = (made.stdout + made.stderr).split()
        info_hash = next(bytes.fromhex(w) for w in words if len(w) == 40 and set(w) <= set("0123456789abcdef"))
        print(f"{RATE / 1e6:.1f} MB/s, {SECONDS:.0f} s, --memory {MEMORY}, {os.cpu_count()} cores")
        print(f"{'disk':<12} {'seeds':>5} {'requests':>8} {'p50 ms':>8} {'p99 ms':>8} {'max ms':>8} "
              f"{'MB/s':>8} {'stop s':>8} {'exit':>5} {'RSS MiB':>8} {'CPU s':>7}")
        for seeds in SEEDS:
            measure("slowed down", os.path.join(work, "get"), seeds, info_hash, piece_length, BROOKLET_WRITE_PACE=str(RATE))
        with throttled(os.path.join(disk, "image")) as place:
            if not os.path.isdir(place):
                print(f"no throttled loop device: {place}")
                return
            for seeds in SEEDS:
                measure("loop device", place, seeds, info_hash, piece_length)
    finally:
        os.chdir("/")
        shutil.rmtree(work)
        shutil.rmtree(disk)


main()
