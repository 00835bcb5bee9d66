#!/usr/bin/env python3
"""Downloads of which nothing but the hash is known, by brooklet and by other clients, from a DHT of twenty libtorrent nodes and a
seed that announced to it.

magnet.py BROOKLET [--rounds N] [--slow-rounds N] [--delays MS,MS] [--clients NAME,NAME]

Each run begins with empty folders and one node's address. In alternating order, each client gets 16 MiB in pieces of 256 KiB; printed are
the medians of the time from its start to the first verified piece, and to completion, once over a line without delay and once with 50 ms
a round trip. Clients that take longer than ten seconds in the first round have --slow-rounds (3) rounds, the others --rounds (20). `inf` is what did
not complete within two minutes, or ended without being complete: standard error says which.
Needs root, for network namespaces. rqbit takes part if it is on the path or in target/rqbit, where tests/bench/setup.sh builds it:

  make bench-magnet RQBIT=1
"""
import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import urllib.error
import urllib.request

sys.dont_write_bytecode = True
import magnet_net

PYTHON = "/usr/bin/python3"
HERE = os.path.dirname(os.path.abspath(__file__))
# libtorrent ignores what comes from some first bytes, such as 11.
NODES = [f"{number}.7.1.1" for number in range(81, 101)]
SEED = "120.7.1.1"
PORT = 6881
SIZE, PIECE = 16 << 20, 256 << 10
PATIENCE, SLOW, INF = 120, 10, float("inf")


class Run:
    """One download: seconds until its first piece was verified, and until it was complete."""

    def __init__(self, began):
        self.began, self.first, self.whole = began, None, None

    def piece(self):
        self.first = self.first or time.monotonic() - self.began

    def complete(self):
        self.piece()
        self.whole = time.monotonic() - self.began


def lines(child):
    """What a program prints, a line at a time, until it ends."""
    # Not `yield from`: that would close the pipe where this is left early.
    while line := child.stdout.readline():
        yield line


def told(child):
    """What a client prints, a line at a time, until it ends or has had its time: then it is stopped."""
    timer = threading.Timer(PATIENCE, child.kill)
    timer.start()
    try:
        yield from lines(child)
    finally:
        timer.cancel()
        child.kill()
        child.wait()


def start(command, **more):
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True, **more)


def brooklet(program, digest, folder):
    run = Run(time.monotonic())
    child = start([program, "get", digest, "--dir", f"{folder}/content", "--state", f"{folder}/state", "--json", "--dht-node",
                   f"{NODES[0]}:{PORT}"], stdout=subprocess.PIPE)
    for line in told(child):
        event = json.loads(line)
        if event["event"] == "piece" and event["ok"]:
            run.piece()
        if event["event"] == "complete":
            run.complete()
    return run


def libtorrent(_, digest, folder):
    # The time that it takes to load the module is not counted.
    run = Run(time.monotonic())
    child = start([PYTHON, f"{HERE}/magnet_lt.py", digest, f"{folder}/content", f"{magnet_net.CLIENT}:{PORT}", f"{NODES[0]}:{PORT}"],
                  stdout=subprocess.PIPE)
    for line in told(child):
        match line.strip():
            case "start":
                run = Run(time.monotonic())
            case "piece":
                run.piece()
            case "complete":
                run.complete()
    return run


def ask(url, method, params, key="params", headers=None):
    body = json.dumps({"jsonrpc": "2.0", "id": "1", "method": method, key: params}).encode()
    return json.load(urllib.request.urlopen(urllib.request.Request(url, body, headers or {}), timeout=5))


def aria2(_, digest, folder):
    run = Run(time.monotonic())
    child = start(["aria2c", "--no-conf", "--quiet", "--dir", f"{folder}/content", "--enable-dht=true", "--enable-dht6=false",
                   f"--dht-entry-point={NODES[0]}:{PORT}", f"--dht-file-path={folder}/dht", f"--dht-listen-port={PORT}",
                   f"--listen-port={PORT}", "--bt-enable-lpd=false", "--seed-time=0", "--file-allocation=none", "--enable-rpc",
                   "--rpc-listen-port=6800", f"magnet:?xt=urn:btih:{digest}"], stdout=subprocess.DEVNULL)
    try:
        while run.whole is None and child.poll() is None and time.monotonic() - run.began < PATIENCE:
            time.sleep(0.01)
            try:
                active = ask("http://127.0.0.1:6800/jsonrpc", "aria2.tellActive", [])["result"]
                stopped = ask("http://127.0.0.1:6800/jsonrpc", "aria2.tellStopped", [0, 10])["result"]
            except OSError:
                continue
            # What it gets first is the metadata, as a download of its own.
            content = [it for it in active + stopped if it.get("bittorrent", {}).get("info")]
            if any("1" in it.get("bitfield", "").replace("0", "").translate(str.maketrans("23456789abcdef", "1" * 14)) for it in content):
                run.piece()
            if any(int(it["completedLength"]) == SIZE == int(it["totalLength"]) for it in content):
                run.complete()
    finally:
        child.kill()
        child.wait()
    return run


def transmission(_, digest, folder):
    home = f"{folder}/home"
    os.makedirs(home)
    with open(f"{home}/dht.bootstrap", "w") as file:
        file.writelines(f"{node} {PORT}\n" for node in NODES[:1])
    with open(f"{home}/settings.json", "w") as file:
        json.dump({"dht-enabled": True, "lpd-enabled": False, "port-forwarding-enabled": False, "rpc-whitelist-enabled": False,
                   "rpc-host-whitelist-enabled": False, "rpc-port": 9091, "peer-port": PORT, "download-dir": f"{folder}/content"}, file)
    run = Run(time.monotonic())
    child = start(["transmission-daemon", "-f", "-g", home, "--logfile", "/dev/null"], stdout=subprocess.DEVNULL)
    url, headers, added = "http://127.0.0.1:9091/transmission/rpc", {}, False
    try:
        while run.whole is None and child.poll() is None and time.monotonic() - run.began < PATIENCE:
            time.sleep(0.01)
            try:
                if not added:
                    ask(url, "torrent-add", {"filename": f"magnet:?xt=urn:btih:{digest}"}, "arguments", headers)
                    added = True
                answer = ask(url, "torrent-get", {"fields": ["haveValid", "leftUntilDone", "metadataPercentComplete"]}, "arguments", headers)
                for it in answer["arguments"]["torrents"]:
                    if it["metadataPercentComplete"] == 1 and it["haveValid"] > 0:
                        run.piece()
                    if it["haveValid"] == SIZE:
                        run.complete()
            except urllib.error.HTTPError as why:
                headers = {"X-Transmission-Session-Id": why.headers["X-Transmission-Session-Id"]}
            except OSError:
                pass
    finally:
        child.kill()
        child.wait()
    return run


def rqbit(_, digest, folder):
    run = Run(time.monotonic())
    child = start([own_rqbit(), "--dht-bootstrap-addrs", f"{NODES[0]}:{PORT}", "--disable-dht-persistence", "--disable-lsd", "--ipv4-only",
                   "--listen-port", str(PORT), "--http-api-listen-addr", "127.0.0.1:3030", "download", "--output-folder",
                   f"{folder}/content", f"magnet:?xt=urn:btih:{digest}"], stdout=subprocess.DEVNULL)
    try:
        while run.whole is None and child.poll() is None and time.monotonic() - run.began < PATIENCE:
            time.sleep(0.01)
            try:
                state = json.load(urllib.request.urlopen("http://127.0.0.1:3030/torrents/0/stats/v1", timeout=5))
            except OSError:
                continue
            # What is written is verified.
            if state["progress_bytes"] > 0:
                run.piece()
            if state["finished"]:
                run.complete()
    finally:
        child.kill()
        child.wait()
    return run


def own_rqbit():
    own = f"{os.environ.get('CARGO_TARGET_DIR') or f'{HERE}/../../target'}/rqbit/bin/rqbit"
    return os.path.abspath(own) if os.access(own, os.X_OK) else shutil.which("rqbit")


def installed(names):
    found = {"brooklet": brooklet}
    if subprocess.run([PYTHON, "-c", "import libtorrent"], capture_output=True).returncode == 0:
        found["libtorrent"] = libtorrent
    if shutil.which("aria2c"):
        found["aria2"] = aria2
    if shutil.which("transmission-daemon"):
        found["transmission"] = transmission
    if own_rqbit():
        found["rqbit"] = rqbit
    return {name: it for name, it in found.items() if not names or name in names}


def world(net, program, folder):
    """Starts the nodes and the seed; the torrent's hash once the seed has announced it."""
    os.mkdir(f"{folder}/seed")
    with open(f"{folder}/seed/content.bin", "wb") as file:
        file.write(os.urandom(SIZE))
    torrent = f"{folder}/torrent"
    made = subprocess.run([program, "create", f"{folder}/seed/content.bin", "--piece-length", str(PIECE), "-o", torrent, "--json"],
                          check=True, capture_output=True, text=True)
    child = start(net.inside(net.world, [
        PYTHON, f"{HERE}/../support/lt_dht.py", "--nodes", ",".join(f"{node}:{PORT}" for node in NODES), "--seed", torrent,
        f"{folder}/seed", f"{SEED}:{PORT}"]), stdout=subprocess.PIPE)
    for line in lines(child):
        if '"announced"' in line:
            return child, json.loads(made.stdout)["info_hash"]
    raise RuntimeError("the seed did not announce")


def get(name, client, program, digest, place, seed):
    """A client's run. One that fails in some way is no reason to lose those of the others."""
    run = Run(time.monotonic())
    try:
        run = client(program, digest, place)
        why = None if run.whole else "it did not complete"
    except Exception as error:
        why = f"{type(error).__name__}: {error}"
    if why is None and open(f"{place}/content/content.bin", "rb").read() != open(seed, "rb").read():
        why, run.whole = "another content", None
    if why:
        print(f"{name}: {why}", file=sys.stderr, flush=True)
        run.first, run.whole = run.first or INF, INF
    return run


def measure(program, clients, rounds, slow_rounds, delay, runs):
    """Adds each client's runs to its list in `runs`."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder, magnet_net.Net(NODES + [SEED], delay / 1000) as net:
        child, digest = world(net, program, folder)
        try:
            # What is printed meanwhile must not fill the pipe.
            threading.Thread(target=lambda: [None for _ in child.stdout], daemon=True).start()
            net.enter()
            for number in range(rounds):
                for name in list(clients) if number % 2 == 0 else reversed(clients):
                    done = runs[name]
                    if len(done) >= slow_rounds and done[0].whole > SLOW:
                        continue
                    place = tempfile.mkdtemp(dir=folder)
                    os.mkdir(f"{place}/content")
                    done.append(get(name, clients[name], program, digest, place, f"{folder}/seed/content.bin"))
                    shutil.rmtree(place, ignore_errors=True)
        finally:
            child.kill()
            child.wait()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("brooklet")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--slow-rounds", type=int, default=3)
    parser.add_argument("--delays", default="0,50")
    parser.add_argument("--clients", default="")
    args = parser.parse_args()
    clients = installed([name for name in args.clients.split(",") if name])
    failed = False
    for delay in map(int, args.delays.split(",")):
        # Each delay in a process of its own, since the network that a process is in is left no more.
        child = os.fork()
        if child == 0:
            runs = {name: [] for name in clients}
            try:
                measure(os.path.abspath(args.brooklet), clients, args.rounds, args.slow_rounds, delay, runs)
            except BaseException:
                traceback.print_exc()
                failed = True
            report({name: done for name, done in runs.items() if done}, delay)
            sys.stdout.flush()
            os._exit(failed)
        failed |= os.waitpid(child, 0)[1] != 0
    sys.exit(failed)


def report(runs, delay):
    print(f"\n16 MiB by its hash from a DHT of {len(NODES)} nodes, {delay} ms a round trip; load {os.getloadavg()[0]:.1f}\n")
    print("| | " + " | ".join(runs) + " | brooklet : best other |")
    print("|---" * (len(runs) + 2) + "|")
    print("| rounds | " + " | ".join(str(len(done)) for done in runs.values()) + " | |")
    for title, of in ("to the first piece, s", lambda it: it.first), ("to completion, s", lambda it: it.whole):
        medians = {name: statistics.median(map(of, done)) for name, done in runs.items()}
        best = min((value for name, value in medians.items() if name != "brooklet"), default=INF)
        ratio = f"{medians['brooklet'] / best:.2f}" if best < INF and "brooklet" in medians else ""
        print(f"| {title} | " + " | ".join(f"{value:.3f}" for value in medians.values()) + f" | {ratio} |", flush=True)


if __name__ == "__main__":
    main()
