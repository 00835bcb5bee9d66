#!/usr/bin/env python3
"""Many idle seeds in one process: what `brooklet run` needs for them, alone or beside other clients.

many.py BROOKLET [COUNT [PIECE_LENGTH]]

Makes COUNT torrents (1000) of 1 MiB in three files, of pieces of PIECE_LENGTH bytes (16384), on tmpfs, and an HTTP tracker on
loopback that keeps connections. Starts `run` twice: the first start hashes everything, the second has resume data. Prints of each
start when the first and the last torrent announced, the most announces in any second, the connections that the tracker saw, CPU until
all had announced, then RSS, threads and handles; of the second the CPU over a minute without anything to do, and how long a download of
one of its torrents takes then, whose content must be right.

many.py --beside BROOKLET [COUNT [PIECE_LENGTH]]

The same content and tracker for each client that is installed, in ROUNDS (environment: 3) rounds in alternating order: a first start
of each, then starts with resume data, whose medians are printed with their ratios to the best of the others. TRANSMISSION
(environment): the daemon of Transmission to run, if not the one in the search path; NEWER_TRANSMISSION: another one to run beside it,
such as newer.sh fetches. IDLE (environment: 60): seconds over which idle CPU is measured.
"""
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
import many_clients
from many_world import Tracker, make, descendants, cpu, status, busiest

PATIENCE = 180
IDLE = int(os.environ.get("IDLE", "60"))
ROUNDS = int(os.environ.get("ROUNDS", "3"))


class Start:
    """One start of a client: what it did until all its torrents had announced, and what it holds then."""

    def __init__(self, command, count, tracker, idle=0, visit=None):
        tracker.reset()
        began = time.monotonic()
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        try:
            while len(tracker.hashes) < count:
                if child.poll() is not None or time.monotonic() - began > PATIENCE + count / 25:
                    raise RuntimeError(f"{command[0]}: only {len(tracker.hashes)} of {count} torrents have announced")
                time.sleep(0.02)
            self.cpu = cpu(child.pid)
            seen = sorted(tracker.seen)
            self.first, self.last = seen[0] - began, seen[-1] - began
            self.most, self.connections = busiest(seen), tracker.connections
            # What it needs for a moment only is given back by then.
            time.sleep(5)
            self.rss, self.threads, self.handles = status(child.pid)
            if idle:
                before = cpu(child.pid)
                time.sleep(idle)
                self.idle = (cpu(child.pid) - before) / idle * 100
            else:
                self.settle(child.pid)
            if visit:
                visit()
        finally:
            child.terminate()
            try:
                child.wait(30)
            except subprocess.TimeoutExpired:
                for pid in descendants(child.pid):
                    os.kill(pid, 9)
                child.wait()

    @staticmethod
    def settle(pid):
        """Waits until it has hashed and saved all that it wants to."""
        deadline, quiet = time.monotonic() + PATIENCE, 0
        while quiet < 3 and time.monotonic() < deadline:
            before = cpu(pid)
            time.sleep(1)
            quiet = quiet + 1 if cpu(pid) - before < 0.05 else 0


def download(program, folder, port):
    """Downloads the torrent in the middle from whoever listens on this port."""
    torrents = many_clients.torrents(folder)
    torrent, into = torrents[len(torrents) // 2], f"{folder}/got"
    os.mkdir(into)
    began = time.monotonic()
    subprocess.run([program, "get", torrent, "-d", into, "--state", f"{into}/state", "-q", "-p", "0", "--bind", "127.0.0.1", "--no-dht",
                    "--no-trackers", "--peer", f"127.0.0.1:{port}"], check=True, timeout=30)
    seconds = time.monotonic() - began
    [name] = [name for name in os.listdir(into) if name != "state"]
    subprocess.run(["diff", "-r", f"{into}/{name}", f"{folder}/downloads/{name}"], check=True)
    shutil.rmtree(into)
    print(f"a download of {name} from it took {seconds:.2f} s", flush=True)


def alone(program, folder, count, tracker):
    for number in (1, 2):
        port = many_clients.free_port()
        command = many_clients.brooklet(program, folder, port)
        visit = (lambda: download(program, folder, port)) if number == 2 else None
        it = Start(command, count, tracker, IDLE if number == 2 else 0, visit)
        print(f"start {number}: first announce after {it.first:.2f} s, last after {it.last:.2f} s, at most {it.most} in a second "
              f"over {it.connections} connections, CPU {it.cpu:.2f} s; then RSS {it.rss / 1024:.1f} MiB, {it.threads} threads, "
              f"{it.handles} handles", flush=True)
    print(f"idle for {IDLE} s: {it.idle:.3f} % of a core")


def beside(program, folder, count, tracker):
    clients, first = many_clients.installed(program, folder), {}
    for name in list(clients):
        try:
            first[name] = Start(clients[name](True), count, tracker)
            print(f"first start: {name}: CPU {first[name].cpu:.2f} s, RSS {first[name].rss / 1024:.1f} MiB", flush=True)
        except RuntimeError as why:
            print(f"{name} is left out: {why}", flush=True)
            del clients[name]
    figures = {name: [] for name in clients}
    for number in range(ROUNDS):
        names = list(clients)
        for name in names if number % 2 == 0 else reversed(names):
            it = Start(clients[name](False), count, tracker, IDLE)
            figures[name].append(it)
            print(f"round {number + 1}: {name}: CPU {it.cpu:.3f} s, RSS {it.rss / 1024:.1f} MiB, idle {it.idle:.3f} %, "
                  f"load {os.getloadavg()[0]:.1f}", flush=True)
    rows = (("RSS, MiB", lambda it: it.rss / 1024), ("CPU of a second start, s", lambda it: it.cpu),
            ("idle CPU, % of a core", lambda it: it.idle), ("handles", lambda it: it.handles), ("threads", lambda it: it.threads),
            ("last announce, s", lambda it: it.last), ("announces in a second, most", lambda it: it.most),
            ("connections to the tracker", lambda it: it.connections))
    print(f"\n{count} idle seeds, medians of {ROUNDS} rounds; load {os.getloadavg()[0]:.1f}\n")
    print("| | " + " | ".join(clients) + " | brooklet : best other |")
    print("|---" * (len(clients) + 2) + "|")
    for title, of in rows:
        row(title, {name: statistics.median(map(of, starts)) for name, starts in figures.items()})
    row("RSS of the first start, MiB", {name: first[name].rss / 1024 for name in clients})


def row(title, medians):
    others = [value for name, value in medians.items() if name != "brooklet"]
    ratio = f"{medians['brooklet'] / min(others):.2f}" if others and min(others) > 0 else ""
    print(f"| {title} | " + " | ".join(f"{value:.3g}" for value in medians.values()) + f" | {ratio} |", flush=True)


def main():
    arguments = sys.argv[1:]
    measure = alone
    if arguments[:1] == ["--beside"]:
        measure = beside
        del arguments[0]
    program = arguments[0]
    count = int(arguments[1]) if len(arguments) > 1 else 1000
    piece_length = int(arguments[2]) if len(arguments) > 2 else 16384
    tracker = Tracker()
    folder = tempfile.mkdtemp(dir="/dev/shm")
    try:
        make(folder, count, piece_length, tracker.url)
        measure(program, folder, count, tracker)
    finally:
        shutil.rmtree(folder)


main()
