"""A DHT of libtorrent nodes, and clients of it that know a torrent by its file or by its hash alone.

usage: lt_dht.py --nodes ADDR:PORT[,ADDR:PORT]... [--seed TORRENT DIR ADDR:PORT] [--get LINK DIR ADDR:PORT] [--ask ADDR:PORT]

Each node, and each client, is a session of its own. The first node is the one that the others ask first, or the one that --ask
names. Prints a JSON object a line: `nodes` once every node knows some others, `announced` for each announce that a node takes, and what
becomes of the clients.
"""

import argparse
import json
import time

import libtorrent as lt


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--nodes", default="")
    parser.add_argument("--seed", nargs=3)
    parser.add_argument("--get", nargs=3)
    parser.add_argument("--ask", default="")
    return parser.parse_args()


def say(**fields):
    print(json.dumps(fields), flush=True)


def session(listen, ask):
    kinds = lt.alert.category_t
    return lt.session({
        "listen_interfaces": listen,
        "dht_bootstrap_nodes": ask,
        "enable_dht": True,
        "enable_lsd": False,
        "enable_upnp": False,
        "enable_natpmp": False,
        "allow_multiple_connections_per_ip": True,
        # All nodes of a test may have one address.
        "dht_restrict_routing_ips": False,
        "dht_restrict_search_ips": False,
        "alert_mask": kinds.status_notification | kinds.dht_notification | kinds.error_notification | kinds.stats_notification,
    })


def known(ses):
    """How many nodes a session's table holds."""
    ses.post_session_stats()
    while True:
        ses.wait_for_alert(1000)
        for alert in ses.pop_alerts():
            if isinstance(alert, lt.session_stats_alert):
                return alert.values["dht.dht_nodes"]


def tell(ses, address):
    """Makes a session ask a node."""
    host, port = address.rsplit(":", 1)
    ses.add_dht_node((host.strip("[]"), int(port)))


def join(sessions, asked):
    """Waits until each session's table holds a node. A node ignores an address that asks much at once for a while, so those that know
    none are told of the others again."""
    again = time.monotonic() + 2
    while lonely := [ses for ses in sessions if not known(ses)]:
        time.sleep(0.01)
        if time.monotonic() > again:
            again = time.monotonic() + 2
            for ses in lonely:
                for address in asked:
                    tell(ses, address)


def add(ses, params, folder, asked):
    # A torrent that is added before the DHT runs is not looked for until much later.
    join([ses], asked)
    params.save_path = folder
    params.flags &= ~(lt.torrent_flags.paused | lt.torrent_flags.auto_managed)
    return ses.add_torrent(params)


def main():
    args = arguments()
    addresses = args.nodes.split(",") if args.nodes else []
    ask = args.ask or addresses[0]
    # A node keeps none of those that it asks at its start: each is told of those before it, and they of it.
    nodes = []
    for address in addresses:
        new = session(address, "")
        for at in range(max(0, len(nodes) - 4), len(nodes)):
            tell(new, addresses[at])
            tell(nodes[at], address)
        tell(nodes[0] if nodes else new, address)
        nodes.append(new)
    if len(nodes) > 1:
        join(nodes, addresses[:4])
    say(event="nodes", count=len(nodes))
    clients = []
    if args.seed:
        torrent, folder, listen = args.seed
        ses = session(listen, ask)
        params = lt.add_torrent_params()
        params.ti = lt.torrent_info(torrent)
        clients.append(("seed", ses, add(ses, params, folder, addresses[:4] or [ask])))
    if args.get:
        link, folder, listen = args.get
        ses = session(listen, ask)
        clients.append(("get", ses, add(ses, lt.parse_magnet_uri(link), folder, addresses[:4] or [ask])))
    before = {}
    while True:
        for ses in nodes:
            for alert in ses.pop_alerts():
                if isinstance(alert, lt.dht_announce_alert):
                    say(event="announced", addr=str(alert.ip), port=alert.port)
        for name, ses, handle in clients:
            for alert in ses.pop_alerts():
                if isinstance(alert, lt.torrent_error_alert):
                    say(event="alert", client=name, message=alert.message())
            now = handle.status()
            state = dict(event="state", client=name, state=str(now.state), whole=now.is_seeding, known=now.has_metadata,
                         done=now.total_done, uploaded=now.total_payload_upload)
            if state != before.get(name):
                before[name] = state
                say(**state)
        time.sleep(0.05)


main()
