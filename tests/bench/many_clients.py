"""The clients that `many.py` starts: each is a function of whether it is the first start that gives a command line."""
import glob
import json
import os
import shutil
import socket
import subprocess
import sys

PYTHON = "/usr/bin/python3"
# Another version than the one in the search path may be named, and a second one beside it.
TRANSMISSION = os.environ.get("TRANSMISSION", "transmission-daemon")
NEWER_TRANSMISSION = os.environ.get("NEWER_TRANSMISSION", "")


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


def brooklet(program, folder, port=0):
    # The others are run without the DHT, too.
    return [program, "run", folder, "-p", str(port), "--bind", "127.0.0.1", "--no-dht"]


def installed(program, folder):
    """Those that this machine has, by name."""
    found = {"brooklet": lambda first: brooklet(program, folder)}
    for daemon in filter(shutil.which, (TRANSMISSION, NEWER_TRANSMISSION)):
        found[transmission_name(daemon)] = lambda first, daemon=daemon: transmission(daemon, folder, first)
    if shutil.which("rtorrent"):
        found["rtorrent"] = lambda first: rtorrent(folder, first)
    if shutil.which("aria2c"):
        found["aria2"] = lambda first: aria2(folder)
    if subprocess.run([PYTHON, "-c", "import libtorrent"], capture_output=True).returncode == 0:
        found["libtorrent"] = lambda first: [PYTHON, f"{os.path.dirname(__file__)}/many_lt.py", folder]
    return found


def torrents(folder):
    # Those that brooklet keeps: it finds the folder as it was made.
    return sorted(glob.glob(f"{folder}/torrents/*.torrent"))


def transmission_name(program):
    """What it calls itself, as `transmission-daemon 3.00`."""
    told = subprocess.run([program, "--version"], capture_output=True, text=True)
    return " ".join((told.stdout + told.stderr).split()[:2])


def transmission(program, folder, first):
    home = f"{folder}/{transmission_name(program)}".replace(" ", "-")
    os.makedirs(home, exist_ok=True)
    watched = f"{home}/watch"
    if first:
        os.makedirs(watched)
        for path in torrents(folder):
            shutil.copy(path, watched)
    settings = {
        "bind-address-ipv4": "127.0.0.1", "dht-enabled": False, "download-dir": f"{folder}/downloads", "download-queue-enabled": False,
        "lpd-enabled": False, "peer-port": free_port(), "pex-enabled": False, "port-forwarding-enabled": False, "preallocation": 0,
        "rpc-bind-address": "127.0.0.1", "rpc-port": free_port(), "rpc-whitelist-enabled": False, "seed-queue-enabled": False,
        "start-added-torrents": True, "trash-original-torrent-files": False, "utp-enabled": False, "watch-dir": watched,
        "watch-dir-enabled": first,
    }
    with open(f"{home}/settings.json", "w") as file:
        json.dump(settings, file)
    return [program, "-f", "-g", home, "--logfile", "/dev/null"]


def rtorrent(folder, first):
    home = f"{folder}/rtorrent"
    os.makedirs(f"{home}/session", exist_ok=True)
    port = free_port()
    lines = [
        f"session.path.set = {home}/session", f"directory.default.set = {folder}/downloads", f"network.port_range.set = {port}-{port}",
        "network.bind_address.set = 127.0.0.1", "dht.mode.set = off", "protocol.pex.set = no", "system.daemon.set = true",
        "pieces.hash.on_completion.set = no", "session.use_lock.set = no", "network.max_open_files.set = 600",
    ]
    if first:
        lines.append(f'schedule2 = watch, 1, 1000, "load.start={folder}/torrents/*.torrent"')
    with open(f"{home}/rc", "w") as file:
        file.write("\n".join(lines) + "\n")
    return ["rtorrent", "-n", "-o", f"import={home}/rc"]


def aria2(folder):
    paths = torrents(folder)
    return ["aria2c", "--quiet", "--no-conf", "--dir", f"{folder}/downloads", "--enable-dht=false", "--enable-dht6=false",
            "--bt-enable-lpd=false", "--enable-peer-exchange=false", "--bt-seed-unverified=true",
            "--seed-ratio=0.0", "--file-allocation=none", "--auto-save-interval=0", f"--max-concurrent-downloads={len(paths)}",
            f"--listen-port={free_port()}", *paths]
