#!/usr/bin/env bash
# libtorrent 2.1.1 (PyPI), two DHT nodes on loopback, of which the second knows the first as its
# bootstrap node (`dht_bootstrap_nodes`).
# Guess: once the first has answered, each has the other in its table: a DHT of two.
# Seen: the second sends its question, is answered, and has an empty table: bootstrap nodes are never
# kept. The same address given by `add_dht_node` is kept. A first node that knows nobody so leaves
# all that bootstrap from it alone for good.
# Output: by dht_bootstrap_nodes: answered, 0 nodes; by add_dht_node: 1 node
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check libtorrent==2.1.1
venv/bin/python - <<'PY'
import time

import libtorrent as lt


def session(address, bootstrap):
    return lt.session({
        "listen_interfaces": f"{address}:0", "dht_bootstrap_nodes": bootstrap, "enable_dht": True, "enable_lsd": False,
        "enable_upnp": False, "enable_natpmp": False, "alert_mask": lt.alert.category_t.all_categories,
    })


def figures(ses):
    ses.post_session_stats()
    while True:
        ses.wait_for_alert(1000)
        for alert in ses.pop_alerts():
            if isinstance(alert, lt.session_stats_alert):
                return alert.values["dht.dht_nodes"], alert.values["dht.dht_messages_in"]


def nodes(patience, wanted, ses):
    deadline = time.monotonic() + patience
    while (known := figures(ses))[0] < wanted and time.monotonic() < deadline:
        time.sleep(0.1)
    return known


first = session("127.0.2.1", "")
time.sleep(1)
port = first.listen_port()
second = session("127.0.3.1", f"127.0.2.1:{port}")
kept, heard = nodes(4, 1, second)
third = session("127.0.4.1", "")
time.sleep(1)
third.add_dht_node(("127.0.2.1", port))
told, _ = nodes(10, 1, third)
print(f"by dht_bootstrap_nodes: {'answered' if heard else 'not answered'}, {kept} nodes; by add_dht_node: {told} node")
assert heard > 0 and kept == 0 and told == 1
PY
