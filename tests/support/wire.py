"""Prints each packet that leaves a machine by its interfaces, once each kind, as JSON: the interface, the protocol, where it
goes. usage: wire.py INTERFACE...   Packets of ARP, and of ICMPv6 that find neighbours, are left out; so are those of IGMP.
"""

import json
import os
import select
import socket
import sys

OUTGOING = 4
ALL = 3


def say(**fields):
    os.write(1, (json.dumps(fields) + "\n").encode())


def read(kind, packet):
    """The protocol and the destination; None: it is of no interest."""
    if kind == 0x0800:
        start, protocol, to = (packet[0] & 15) * 4, packet[9], socket.inet_ntop(socket.AF_INET, packet[16:20])
    elif kind == 0x86DD:
        start, protocol, to = 40, packet[6], socket.inet_ntop(socket.AF_INET6, packet[24:40])
    else:
        return None
    if protocol in (6, 17):
        port = int.from_bytes(packet[start + 2:start + 4], "big")
        return {6: "tcp", 17: "udp"}[protocol], to, port
    if protocol in (2, 0, 58):
        return None
    return str(protocol), to, 0


def main():
    watched = []
    for name in sys.argv[1:]:
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ALL))
        sock.bind((name, ALL))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        watched.append(sock)
    seen = set()
    say(event="watching")
    while True:
        for sock in select.select(watched, [], [])[0]:
            packet, (name, kind, direction, *_) = sock.recvfrom(65536)
            found = read(kind, packet) if direction == OUTGOING else None
            if found and (name, *found) not in seen:
                seen.add((name, *found))
                say(event="sent", interface=name, protocol=found[0], to=found[1], port=found[2])


main()
