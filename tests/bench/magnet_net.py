"""Two network namespaces for `magnet.py`: the world with its nodes and a seed, and the client; and the line between them, which may
be long: then all packets pass a relay that holds each back."""
import ctypes
import fcntl
import heapq
import os
import select
import struct
import subprocess
import threading
import time

WORLD, CLIENT = "10.78.0.1", "110.7.1.2"
CLONE_NEWNET = 0x40000000
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 1, 0x1000
MTU = 1500


def run(*command):
    subprocess.run(command, check=True)


class Net:
    """The namespaces, which last as long as this is used as a context."""

    def __init__(self, addresses, delay):
        self.addresses, self.delay = addresses, delay
        self.world, self.client = (f"brooklet-magnet-{os.getpid()}-{side}" for side in "wc")

    def __enter__(self):
        for name in self.world, self.client:
            run("ip", "netns", "add", name)
            self.ip(name, "link", "set", "lo", "up")
        if self.delay:
            ends = [tun(name) for name in (self.world, self.client)]
            for here, there in (ends, ends[::-1]):
                threading.Thread(target=relay, args=(here, there, self.delay / 2), daemon=True).start()
        else:
            run("ip", "link", "add", "line", "mtu", str(MTU), "netns", self.world, "type", "veth", "peer", "name", "line", "netns",
                self.client)
        for name, own, other in (self.world, WORLD, CLIENT), (self.client, CLIENT, WORLD):
            self.ip(name, "address", "add", own, "peer", other, "dev", "line")
            self.ip(name, "link", "set", "line", "up", "mtu", str(MTU))
        self.ip(self.client, "route", "add", "default", "via", WORLD)
        for address in self.addresses:
            # Not an address of the interface: libtorrent would send by that interface only.
            self.ip(self.world, "route", "add", "local", address, "dev", "lo", "table", "local")
        return self

    def __exit__(self, *_):
        for name in self.world, self.client:
            run("ip", "netns", "delete", name)

    @staticmethod
    def ip(name, *what):
        run("ip", "-n", name, *what)

    def inside(self, side, command):
        return ["nsenter", f"--net=/run/netns/{side}", *command]

    def enter(self):
        """Moves this thread to where the client is, so that the client can be asked how it is doing."""
        enter(self.client)


def enter(name):
    with open(f"/run/netns/{name}") as namespace:
        if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"cannot enter {name}")


def tun(name):
    """The end of a line whose packets this process carries."""
    made = []

    def make():
        enter(name)
        end = os.open("/dev/net/tun", os.O_RDWR)
        fcntl.ioctl(end, TUNSETIFF, struct.pack("16sH22x", b"line", IFF_TUN | IFF_NO_PI))
        made.append(end)

    # Only the thread changes its namespace.
    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    return made[0]


def relay(source, target, delay):
    """Hands packets on, each so many seconds after it came."""
    held, number = [], 0
    while True:
        wait = max(0, held[0][0] - time.monotonic()) if held else None
        if select.select([source], [], [], wait)[0]:
            packet = os.read(source, 65536)
            heapq.heappush(held, (time.monotonic() + delay, number, packet))
            number += 1
        while held and held[0][0] <= time.monotonic():
            os.write(target, heapq.heappop(held)[2])
