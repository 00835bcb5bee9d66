"""libtorrent as a client to test against: joins one torrent's swarm and prints its state as JSON, a line each.

usage: lt.py TORRENT DIR --listen ADDR:PORT[,ADDR:PORT]...
"""

import argparse
import json

import libtorrent as lt


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("torrent")
    parser.add_argument("dir")
    parser.add_argument("--listen", required=True)
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
    handle = ses.add_torrent(params)
    before = None
    flushed = None  # None: not asked for yet; False: asked for; True: all that was got is on disk
    while True:
        ses.wait_for_alert(200)
        for alert in ses.pop_alerts():
            say(event="alert", kind=alert.what(), message=alert.message())
            if flushed is False and isinstance(alert, lt.cache_flushed_alert):
                flushed = True
        now = handle.status()
        if now.is_seeding and flushed is None:
            handle.flush_cache()
            flushed = False
        state = {
            "event": "state",
            "state": str(now.state),
            "seeding": bool(flushed),
            "done": now.total_done,
            "downloaded": now.total_payload_download,
            "uploaded": now.total_payload_upload,
            "peers": now.num_peers,
        }
        if state != before:
            say(**state)
            before = state


main()
