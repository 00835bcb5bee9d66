#!/usr/bin/env bash
# libtorrent 2.1.1 (PyPI), aria2 1.36.0-1 and rtorrent 0.9.8-1 with its library libtorrent21
# 0.13.8-2+b1 (Debian 12), encryption (MSE), called by a peer.
# Guess: the initial payload (IA) of message 3 is the first part of the caller's stream, as long as
# its length of two bytes says: it may hold the handshake and the messages after it, and so save
# them a round trip.
# Seen: all three close the connection without an answer when it is longer than the 68 bytes of a
# handshake, be it by one byte. A caller has to keep what follows the handshake until message 4 is
# there.
# Output: libtorrent, aria2 and rtorrent: IA of 0 bytes: answered, 20 bytes: answered, 68 bytes:
# answered, 69 bytes: closed
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check libtorrent==2.1.1
apt-get -qq -o APT::Sandbox::User=root download aria2=1.36.0-1 libaria2-0=1.36.0-1 \
  rtorrent=0.9.8-1 libtorrent21=0.13.8-2+b1 libxmlrpc-core-c3=1.33.14-11
for package in ./*.deb; do dpkg -x "$package" root; done
lib=$dir/root/usr/lib/$(uname -m)-linux-gnu
for program in aria2c rtorrent; do
  LD_LIBRARY_PATH=$lib ldd "root/usr/bin/$program" | grep 'not found' &&
    { echo "install $program's libraries first" >&2; exit 2; }
done
ROOT_LIB=$lib venv/bin/python -W ignore - <<'PY'
import hashlib
import os
import pathlib
import socket
import struct
import subprocess
import sys
import time

import libtorrent as lt

PRIME = int("FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74"
            "020BBEA63B139B22514A08798E3404DDEF9519B3CD3A431B302B0A6DF25F1437"
            "4FE1356D6D51C245E485B576625E7EC6F44C42E9A63A36210000000000090563", 16)
EARLY = (0, 20, 68, 69)
content = bytes(range(256)) * 64
info = {b"name": b"data", b"length": len(content), b"piece length": 16384,
        b"pieces": hashlib.sha1(content).digest()}
info_hash = hashlib.sha1(lt.bencode(info)).digest()
here = pathlib.Path.cwd()
(here / "data").write_bytes(content)
(here / "data.torrent").write_bytes(lt.bencode({b"info": info}))


def digest(*parts):
    return hashlib.sha1(b"".join(parts)).digest()


def rc4(key):
    """A function that encrypts or decrypts what follows, the first 1024 bytes passed over."""
    state, at, other = list(range(256)), 0, 0
    for i in range(256):
        other = (other + state[i] + key[i % len(key)]) % 256
        state[i], state[other] = state[other], state[i]
    other = 0

    def apply(data):
        nonlocal at, other
        result = bytearray()
        for byte in data:
            at = (at + 1) % 256
            other = (other + state[at]) % 256
            state[at], state[other] = state[other], state[at]
            result.append(byte ^ state[(state[at] + state[other]) % 256])
        return bytes(result)

    apply(bytes(1024))
    return apply


def call(port, last, early):
    """What comes of a call of which so many bytes go into the initial payload."""
    until = time.monotonic() + 30
    while True:
        try:
            # An address of its own for each: some count the calls of a host.
            stream = socket.create_connection(("127.0.0.1", port), 5, (f"127.0.0.{last}", 0))
            break
        except OSError:
            assert time.monotonic() < until, "it does not listen"
            time.sleep(0.1)
    with stream:
        stream.settimeout(20)
        ours = int.from_bytes(os.urandom(20), "big")
        stream.sendall(pow(2, ours, PRIME).to_bytes(96, "big"))
        theirs = stream.recv(96, socket.MSG_WAITALL)
        secret = pow(int.from_bytes(theirs, "big"), ours, PRIME).to_bytes(96, "big")
        send, receive = (rc4(digest(name, secret, info_hash)) for name in (b"keyA", b"keyB"))
        # The message is `interested`.
        said = b"\x13BitTorrent protocol" + bytes(8) + info_hash + b"-XX0000-%012d" % last
        said += b"\0\0\0\x01\x02"
        veiled = int.from_bytes(digest(b"req2", info_hash), "big") \
            ^ int.from_bytes(digest(b"req3", secret), "big")
        # No padding, and RC4 as the one choice.
        stream.sendall(digest(b"req1", secret) + veiled.to_bytes(20, "big")
                       + send(struct.pack(">QIHH", 0, 2, 0, early) + said[:early]))
        mark, taken = receive(bytes(8)), b""
        try:
            while mark not in taken:
                if not (more := stream.recv(4096)):
                    return "closed"
                taken += more
            taken = taken[taken.index(mark) + 8:]
            stream.sendall(send(said[early:]))
            # Message 4 with its padding, then the handshake.
            plain = receive(taken)
            while info_hash not in plain:
                if not (more := stream.recv(4096)):
                    return "closed after message 4"
                plain += receive(more)
        except ConnectionError:
            return "closed"
        return "answered"


def free():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def tries(port):
    return [call(port, 20 + early, early) for early in EARLY]


seen = {}
session = lt.session({"listen_interfaces": "127.0.0.1:0", "enable_dht": False, "enable_lsd": False,
                      "enable_upnp": False, "enable_natpmp": False})
seed = lt.add_torrent_params()
seed.ti, seed.save_path = lt.torrent_info("data.torrent"), "."
handle = session.add_torrent(seed)
until = time.monotonic() + 30
while not (handle.status().is_seeding and session.listen_port()):
    assert time.monotonic() < until, "it does not seed"
    time.sleep(0.05)
seen["libtorrent"] = tries(session.listen_port())
port = {"aria2": free(), "rtorrent": free()}
(here / "session").mkdir()
(here / "rc").write_text(f"""session.path.set = {here}/session
directory.default.set = {here}
network.bind_address.set = 127.0.0.1
network.port_range.set = {port["rtorrent"]}-{port["rtorrent"]}
dht.mode.set = off
protocol.encryption.set = allow_incoming
system.daemon.set = true
""")
commands = {
    "aria2": ["root/usr/bin/aria2c", "--no-conf", "-q", "--enable-dht=false", "--seed-ratio=0",
              "--check-integrity=true", "--interface=127.0.0.1", f"--listen-port={port['aria2']}",
              "data.torrent"],
    "rtorrent": ["root/usr/bin/rtorrent", "-n", "-o", f"import={here}/rc", "data.torrent"],
}
surroundings = {**os.environ, "HOME": str(here), "LD_LIBRARY_PATH": os.environ["ROOT_LIB"]}
for name, command in commands.items():
    with open(name, "w") as log:
        program = subprocess.Popen(command, env=surroundings, stdout=log, stderr=log)
    try:
        # It seeds once a call without initial payload is answered.
        until, last = time.monotonic() + 30, 100
        while call(port[name], last, 0) != "answered":
            assert time.monotonic() < until, open(name).read()
            time.sleep(0.3)
            last += 1
        seen[name] = tries(port[name])
    finally:
        program.terminate()
        program.wait()
for name, ends in seen.items():
    print(f"{name}: IA of " + ", ".join(f"{early} bytes: {end}" for early, end in zip(EARLY, ends)))
for name, ends in seen.items():
    assert ends[:3] == ["answered"] * 3, name
    if ends[3] != "closed":
        sys.exit(f"changed: {name} takes more than a handshake")
PY
