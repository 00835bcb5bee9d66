"""libtorrent as a client to test against: joins one torrent's swarm and prints its state as JSON, a line each.
TORRENT may be a magnet link.

usage: lt.py TORRENT|LINK DIR --listen ADDR:PORT[,ADDR:PORT]... [--peer ADDR PORT] [--lsd] [--utp]
             [--down BYTES] [--encryption off|handshake|require]
"""

import argparse
import json

import libtorrent as lt


# Policy in and out, and the payload that is allowed.
ENCRYPTION = {
    "off": (lt.enc_policy.disabled, lt.enc_level.both),
    "handshake": (lt.enc_policy.forced, lt.enc_level.plaintext),
    "require": (lt.enc_policy.forced, lt.enc_level.rc4),
}


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("torrent")
    parser.add_argument("dir")
    parser.add_argument("--listen", required=True)
    parser.add_argument("--peer", nargs=2, default=[])
    parser.add_argument("--lsd", action="store_true")
    parser.add_argument("--utp", action="store_true")
    parser.add_argument("--down", type=int, default=0)
    parser.add_argument("--encryption", choices=ENCRYPTION)
    return parser.parse_args()


def session(args):
    kinds = lt.alert.category_t
    settings = {
        "listen_interfaces": args.listen,
        "enable_dht": False,
        "enable_lsd": args.lsd,
        "enable_upnp": False,
        "enable_natpmp": False,
        "enable_incoming_utp": args.utp,
        "enable_outgoing_utp": args.utp,
        "enable_incoming_tcp": not args.utp,
        "enable_outgoing_tcp": not args.utp,
        "allow_multiple_connections_per_ip": True,
        "announce_to_all_tiers": True,
        "announce_to_all_trackers": True,
        "unchoke_slots_limit": 50,
        "alert_mask": kinds.status_notification | kinds.tracker_notification | kinds.error_notification
        | kinds.storage_notification | kinds.peer_notification,
    }
    if args.encryption:
        policy, level = ENCRYPTION[args.encryption]
        settings.update(in_enc_policy=policy, out_enc_policy=policy, allowed_enc_level=level)
    return lt.session(settings)


def say(**fields):
    print(json.dumps(fields), flush=True)


def main():
    args = arguments()
    ses = session(args)
    if args.torrent.startswith("magnet:"):
        params = lt.parse_magnet_uri(args.torrent)
    else:
        params = lt.add_torrent_params()
        params.ti = lt.torrent_info(args.torrent)
    params.save_path = args.dir
    params.flags &= ~(lt.torrent_flags.paused | lt.torrent_flags.auto_managed)
    handle = ses.add_torrent(params)
    # The limit of the session does not hold for peers in private networks.
    handle.set_download_limit(args.down)
    if args.peer:
        handle.connect_peer((args.peer[0], int(args.peer[1])))
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
