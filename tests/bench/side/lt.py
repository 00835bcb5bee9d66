"""libtorrent as a client to measure, with its default settings but for what would leave the machine, and
without uTP, which the load generator has not, and without encryption, or with RC4 alone.

usage: lt.py get|seed TORRENT DIR PORT [rc4]
"""

import os
import sys
import time

import libtorrent as lt


def main():
    verb, torrent, folder, port, *rc4 = sys.argv[1:]
    settings = {
        "listen_interfaces": f"0.0.0.0:{port}",
        "enable_dht": False,
        "enable_lsd": False,
        "enable_upnp": False,
        "enable_natpmp": False,
        "enable_incoming_utp": False,
        "enable_outgoing_utp": False,
        "out_enc_policy": lt.enc_policy.pe_disabled,
        "alert_mask": lt.alert.category_t.status_notification | lt.alert.category_t.storage_notification,
    }
    if rc4:
        settings["out_enc_policy"] = settings["in_enc_policy"] = lt.enc_policy.pe_forced
        settings["allowed_enc_level"] = lt.enc_level.pe_rc4
    if verb == "seed":
        settings["unchoke_slots_limit"] = -1
    session = lt.session(settings)
    params = lt.add_torrent_params()
    params.ti = lt.torrent_info(torrent)
    params.save_path = folder
    params.flags &= ~(lt.torrent_flags.paused | lt.torrent_flags.auto_managed)
    if verb == "seed":
        params.flags |= lt.torrent_flags.seed_mode
    handle = session.add_torrent(params)
    while verb == "seed":
        time.sleep(1000)
    while True:
        session.wait_for_alert(1000)
        for alert in session.pop_alerts():
            if isinstance(alert, lt.torrent_finished_alert):
                handle.flush_cache()
            if isinstance(alert, lt.cache_flushed_alert):
                # The interpreter's own end would wait for the session's.
                os._exit(0)


main()
