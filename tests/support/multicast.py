"""Somebody in the local network (BEP 14): prints each datagram that comes to the groups as JSON, a line each, and sends
what is asked for to the group of IPv4.

usage: multicast.py INTERFACE-ADDRESS [--also INTERFACE] [--announce PORT HASH] [--flood COUNT PORT HASH] [--ear HASH]

As an ear it is a peer and a node of the DHT besides, both on port 7000: it answers one peer, speaks every extension, names
another peer at port 7001, and says what it was told of nodes and peers. A few seconds later it says that it has waited.
"""

import json
import os
import select
import socket
import struct
import sys
import threading
import time

V4, V6, PORT = "239.192.152.143", "ff15::efc0:988f", 6771


def groups(address):
    v4 = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    v6 = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    v6.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    for sock in v4, v6:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    v4.bind(("", PORT))
    v6.bind(("::", PORT))
    v4.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(V4) + socket.inet_aton(address))
    v4.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
    join6(v6, "net")
    return v4, v6


def join6(sock, interface):
    index = struct.pack("@I", socket.if_nametoindex(interface))
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, socket.inet_pton(socket.AF_INET6, V6) + index)


def join_also(socks, interface):
    v4, v6 = socks
    place = struct.pack("@4s4si", socket.inet_aton(V4), bytes(4), socket.if_nametoindex(interface))
    v4.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, place)
    join6(v6, interface)


def search(port, info_hash, cookie):
    lines = ["BT-SEARCH * HTTP/1.1", f"Host: {V4}:{PORT}", f"Port: {port}", f"Infohash: {info_hash}", f"cookie: {cookie}"]
    return ("\r\n".join(lines) + "\r\n\r\n\r\n").encode()


def say(**fields):
    # Threads do not write into each other's lines.
    os.write(1, (json.dumps(fields) + "\n").encode())


def node(address):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((address, 7000))
    while True:
        _, source = sock.recvfrom(65536)
        say(event="node", source=source[0])


def other(address):
    listener = socket.create_server((address, 7001))
    while True:
        listener.accept()
        say(event="dialed")


def exactly(stream, count):
    data = b""
    while len(data) < count:
        part = stream.recv(count - len(data))
        if not part:
            sys.exit()
        data += part
    return data


def frame(number, payload):
    return struct.pack(">IB", len(payload) + 1, number) + payload


def peer(address, info_hash):
    stream, _ = socket.create_server((address, 7000)).accept()
    greeting = exactly(stream, 68)
    say(event="greeted", reserved=greeting[20:28].hex())
    if greeting[27] & 1:
        say(event="port")
    named = socket.inet_aton(address) + struct.pack(">H", 7001)
    stream.sendall(
        b"\x13BitTorrent protocol" + bytes([0, 0, 0, 0, 0, 16, 0, 5]) + info_hash + b"-XX0000-abcdefghijkl"
        + frame(20, b"\0d1:md11:ut_metadatai2e6:ut_pexi1ee1:pi7000ee") + frame(15, b"") + frame(9, struct.pack(">H", 7000))
        + frame(20, b"\1d5:added6:" + named + b"7:added.f1:\x10e"))
    threading.Timer(5, lambda: say(event="waited")).start()
    while True:
        length = struct.unpack(">I", exactly(stream, 4))[0]
        body = exactly(stream, length)
        if body[:1] == b"\x14" and (body[1] == 1 or b"ut_pex" in body):
            say(event="pex", id=body[1])
        if body[:1] == b"\x09":
            say(event="port")


def main():
    args = sys.argv[1:]
    address = args.pop(0)
    socks = groups(address)
    if args and args[0] == "--also":
        join_also(socks, args[1])
        args = args[2:]
    if args and args[0] == "--announce":
        socks[0].sendto(search(args[1], args[2], "somebody"), (V4, PORT))
    if args and args[0] == "--flood":
        count, port, info_hash = int(args[1]), int(args[2]), args[3]
        for number in range(count):
            socks[0].sendto(search(1024 + (port + number) % 60000, info_hash, number), (V4, PORT))
        say(event="flooded")
    if args and args[0] == "--ear":
        for target in (lambda: node(address)), (lambda: other(address)), (lambda: peer(address, bytes.fromhex(args[1]))):
            threading.Thread(target=target, daemon=True).start()
        time.sleep(0.2)
    say(event="listening")
    while True:
        for sock in select.select(socks, [], [])[0]:
            data, source = sock.recvfrom(65536)
            say(event="heard", **{"from": source[0]}, port=source[1], text=data.decode("latin-1"))


main()
