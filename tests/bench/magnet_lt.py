"""libtorrent gets a torrent of which it knows the hash, for `magnet.py`: prints `start` when the module is loaded, `piece` when the
first piece is verified and `complete`.

usage: magnet_lt.py HASH FOLDER ADDR:PORT NODE
"""
import sys

import libtorrent as lt

digest, folder, listen, node = sys.argv[1:]
kinds = lt.alert.category_t
print("start", flush=True)
ses = lt.session({
    "listen_interfaces": listen, "dht_bootstrap_nodes": node, "enable_dht": True, "enable_lsd": False, "enable_upnp": False,
    "enable_natpmp": False, "alert_mask": kinds.status_notification | kinds.piece_progress_notification | kinds.stats_notification,
})


def alerts():
    ses.wait_for_alert(1000)
    return ses.pop_alerts()


# A torrent that is added before the DHT runs is not looked for until much later.
known = 0
while not known:
    ses.post_session_stats()
    for alert in alerts():
        if isinstance(alert, lt.session_stats_alert):
            known = alert.values["dht.dht_nodes"]
params = lt.parse_magnet_uri(f"magnet:?xt=urn:btih:{digest}")
params.save_path = folder
params.flags &= ~(lt.torrent_flags.paused | lt.torrent_flags.auto_managed)
ses.add_torrent(params)
first = True
while True:
    for alert in alerts():
        if first and isinstance(alert, lt.piece_finished_alert):
            print("piece", flush=True)
            first = False
        if isinstance(alert, lt.torrent_finished_alert):
            print("complete", flush=True)
            sys.exit()
