"""libtorrent as a client to test against: joins one torrent's swarm and prints its state as JSON, a line each.

usage: lt.py TORRENT DIR --listen ADDR:PORT [--peer ADDR:PORT]... [--down BYTES] [--exit]
"""

import argparse
import json

import libtorrent as lt


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("torrent")
    parser.add_argument("dir")
    parser.add_argument("--listen", required=True)
    parser.add_argument("--peer", action="append", default=[])
    parser.add_argument("--down", type=int, default=0)
    parser.add_argument("--exit", action="store_true", help="end as soon as everything is there")
    return parser.parse_args()


def session(listen):
    kinds = lt.alert.category_t
    return lt.session({
        "listen_interfaces": listen,
        "enable_dht": False,
        "enable_lsd": False,
        "enable_upnp": False,
        "enable_natpmp": False,
        "enable_incoming_utp": False,
        "enable_outgoing_utp": False,
        "allow_multiple_connections_per_ip": True,
        "announce_to_all_tiers": True,
        "announce_to_all_trackers": True,
        "unchoke_slots_limit": 50,
        "alert_mask": kinds.status_notification | kinds.tracker_notification | kinds.error_notification
        | kinds.storage_notification | kinds.peer_notification,
    })


def say(**fields):
    print(json.dumps(fields), flush=True)


def main():
    args = arguments()
    ses = session(args.listen)
    params = lt.add_torrent_params()
    params.ti = lt.torrent_info(args.torrent)
    params.save_path = args.dir
    params.flags &= ~(lt.torrent_flags.paused | lt.torrent_flags.auto_managed)
    params.download_limit = args.down
    handle = ses.add_torrent(params)
    for peer in args.peer:
        address, port = peer.rsplit(":", 1)
        handle.connect_peer((address.strip("[]"), int(port)))
    before = None
    while True:
        ses.wait_for_alert(200)
        for alert in ses.pop_alerts():
            say(event="alert", kind=alert.what(), message=alert.message())
        now = handle.status()
        state = {
            "event": "state",
            "state": str(now.state),
            "seeding": now.is_seeding,
            "done": now.total_done,
            "downloaded": now.total_payload_download,
            "uploaded": now.total_payload_upload,
            "peers": now.num_peers,
        }
        if state != before:
            say(**state)
            before = state
        if args.exit and now.is_seeding:
            break


main()
