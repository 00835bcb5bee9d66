"""A DHT that fills the routing table of one node: it knows the node's id, and has nodes for each of the first buckets, more than
there is room for, each in a network of its own. Then it asks the node for them, and leaves peers with it.

usage: full_dht.py OWN_ID ADDR PORT FIRST_BYTE BUCKETS LOOKUPS PEERS

Its nodes have the addresses FIRST_BYTE.x.y.9, port 7100, which all lead here; the first is FIRST_BYTE.0.0.9. OWN_ID and ADDR PORT are
the node's, which is to look up so many info hashes at one time, those that differ from OWN_ID in the last byte: that is the number of the
lookup, from 1. Each is led along its part of the nodes, from one to the next nearer one, and so asks them all. Prints `full` once every
bucket is full, and how many nodes it saw in them; and `stored` once the node has taken an announce of PEERS peers, each of a torrent of
its own, and how many of some it knows.
"""

import json
import random
import socket
import struct
import sys
import time

K, WIDE, SPARE = 8, [16, 8, 4, 2], 1
PORT, IP_PKTINFO, BITS = 7100, 8, 160
# It answers 250 queries a second.
GAP = 1 / 150
DEADLINE = time.monotonic() + 200


def encode(value):
    if isinstance(value, int):
        return b"i%de" % value
    if isinstance(value, bytes):
        return b"%d:%s" % (len(value), value)
    return b"d" + b"".join(encode(key) + encode(value[key]) for key in sorted(value)) + b"e"


def decode(data, at=0):
    kind = data[at:at + 1]
    if kind == b"i":
        end = data.index(b"e", at)
        return int(data[at + 1:end]), end + 1
    if kind in (b"l", b"d"):
        items, at = [], at + 1
        while data[at:at + 1] != b"e":
            item, at = decode(data, at)
            items.append(item)
        return (items if kind == b"l" else dict(zip(items[::2], items[1::2]))), at + 1
    colon = data.index(b":", at)
    end = colon + 1 + int(data[at:colon])
    return data[colon + 1:end], end


def say(**fields):
    print(json.dumps(fields), flush=True)


def capacity(bucket):
    return K * (WIDE[bucket] if bucket < len(WIDE) else 1)


def shared(one, other):
    return BITS - (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).bit_length()


class Dht:
    def __init__(self, own, node, first, buckets, lookups):
        self.own, self.node, self.buckets = own, node, buckets
        self.rng = random.Random(1)
        self.ids, self.packed = {}, {}
        for bucket in range(buckets):
            ids = [self.sharing(bucket) for _ in range(capacity(bucket) + SPARE)]
            # The nearest last.
            for it in sorted(ids, key=lambda it: -self.distance(it)):
                number = len(self.ids)
                ip = bytes([first, number >> 8, number & 255, 9])
                self.ids[ip] = it
                self.packed[ip] = it + ip + struct.pack(">H", PORT)
        self.order = list(self.ids)
        # The first one is known already.
        self.ways = [iter(self.order[1 + number::lookups]) for number in range(lookups)]
        self.left, self.pending, self.number = len(self.order) - 1, {}, 0
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
        self.sock.bind(("0.0.0.0", PORT))

    def distance(self, it):
        return int.from_bytes(it, "big") ^ int.from_bytes(self.own, "big")

    def sharing(self, bits):
        """An id that shares exactly so many bits with the node's."""
        number = int.from_bytes(self.own, "big") ^ 1 << BITS - 1 - bits
        return (number ^ self.rng.getrandbits(BITS - 1 - bits)).to_bytes(20, "big")

    def send(self, ip, message):
        info = struct.pack("=I4s4s", 0, ip, bytes(4))
        self.sock.sendmsg([encode(message)], [(socket.IPPROTO_IP, IP_PKTINFO, info)], 0, self.node)

    def turn(self, wait):
        """Handles what comes within this time, in seconds."""
        until = time.monotonic() + wait
        while (left := until - time.monotonic()) > 0:
            self.sock.settimeout(left)
            try:
                data, more, _, source = self.sock.recvmsg(65536, 256)
            except TimeoutError:
                return
            message = decode(data)[0]
            if source != self.node:
                continue
            if message[b"y"] == b"q":
                self.answer(more[0][2][8:12], message)
            else:
                self.pending[message[b"t"]] = message

    def answer(self, ip, message):
        reply = {b"id": self.ids[ip], b"nodes": b""}
        if message[b"q"] == b"get_peers":
            nearer = next(self.ways[message[b"a"][b"info_hash"][-1] - 1], None)
            self.left -= nearer is not None
            reply |= {b"token": b"token", b"nodes": self.packed.get(nearer, b"")}
        self.send(ip, {b"t": message[b"t"], b"y": b"r", b"r": reply})

    def ask_all(self, queries):
        """Asks the node these (address, method, arguments), again where it does not answer; its replies, in their order."""
        replies = {}
        while len(replies) < len(queries):
            if time.monotonic() > DEADLINE:
                raise SystemExit(f"{len(queries) - len(replies)} of {len(queries)} queries were not answered")
            tags = {}
            for place, (ip, method, args) in enumerate(queries):
                if place not in replies:
                    self.number += 1
                    tag = struct.pack(">I", self.number)
                    tags[tag] = place
                    self.send(ip, {b"t": tag, b"y": b"q", b"q": method, b"a": {b"id": self.ids[ip], **args}})
                    self.turn(GAP)
            self.turn(0.3)
            for tag, place in tags.items():
                if b"r" in (reply := self.pending.pop(tag, {})):
                    replies[place] = reply[b"r"]
        return [replies[place] for place in range(len(queries))]

    def full(self):
        """How many nodes each bucket holds, as far as the node tells it: all of the wide ones, and eight of the others."""
        targets = []
        for place, (ip, it) in enumerate(self.ids.items()):
            bucket = shared(it, self.own)
            if bucket < len(WIDE) or bucket != shared(self.ids[self.order[place - 1]], self.own):
                targets.append(it)
        askers = [self.order[place % len(self.order)] for place in range(len(targets))]
        replies = self.ask_all([(ip, b"find_node", {b"target": it}) for ip, it in zip(askers, targets)])
        seen = [set() for _ in range(self.buckets)]
        for reply in replies:
            for at in range(0, len(reply[b"nodes"]), 26):
                seen[shared(reply[b"nodes"][at:at + 20], self.own)].add(reply[b"nodes"][at:at + 26])
        return [len(it) for it in seen]


def main():
    own, first, buckets, lookups, peers = bytes.fromhex(sys.argv[1]), *map(int, sys.argv[4:])
    dht = Dht(own, (sys.argv[2], int(sys.argv[3])), first, buckets, lookups)
    say(event="ready")
    while dht.left:
        dht.turn(0.1)
        if time.monotonic() > DEADLINE:
            raise SystemExit(f"{dht.left} of {len(dht.order)} nodes were asked for by no lookup")
    room = [capacity(bucket) for bucket in range(buckets)]
    while (seen := dht.full()) != room:
        if time.monotonic() > DEADLINE:
            raise SystemExit(f"the buckets hold {seen}")
    say(event="full", nodes=sum(seen))
    hashes = [dht.rng.randbytes(20) for _ in range(peers)]
    # Not all of one address, since one is answered ten times a second.
    who = [dht.order[place % len(dht.order)] for place in range(peers)]
    find = [(ip, b"get_peers", {b"info_hash": it}) for ip, it in zip(who, hashes)]
    # A token is of one address and one torrent.
    tokens = [reply[b"token"] for reply in dht.ask_all(find)]
    dht.ask_all([(ip, b"announce_peer", {b"info_hash": it, b"port": 7200, b"token": token})
                 for ip, it, token in zip(who, hashes, tokens)])
    some = range(0, peers, 20)
    values = [reply.get(b"values") for reply in dht.ask_all([find[place] for place in some])]
    known = sum(it == [who[place] + struct.pack(">H", 7200)] for place, it in zip(some, values))
    say(event="stored", peers=peers, asked=len(some), known=known)
    while True:
        dht.turn(1)


main()
