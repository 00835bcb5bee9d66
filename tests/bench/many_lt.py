"""libtorrent with all torrents of a folder, for `many.py`: resume data of an earlier start are used, else written."""
import glob
import os
import sys

import libtorrent as lt

folder = sys.argv[1]
state = f"{folder}/libtorrent"
os.makedirs(state, exist_ok=True)
session = lt.session({
    "listen_interfaces": "127.0.0.1:0", "enable_dht": False, "enable_lsd": False, "enable_upnp": False, "enable_natpmp": False,
    "active_limit": -1, "active_seeds": -1, "active_downloads": -1, "active_tracker_limit": -1, "active_checking": 1,
    "alert_mask": lt.alert.category_t.status_notification | lt.alert.category_t.storage_notification,
})
waiting = 0
for path in glob.glob(f"{folder}/torrents/*.torrent"):
    resume = f"{state}/{os.path.basename(path)}.resume"
    if os.path.exists(resume):
        with open(resume, "rb") as file:
            params = lt.read_resume_data(file.read())
        params.ti = lt.torrent_info(path)
    else:
        params = lt.add_torrent_params()
        params.ti = lt.torrent_info(path)
        waiting += 1
    params.save_path = f"{folder}/downloads"
    params.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
    session.async_add_torrent(params)
while True:
    session.wait_for_alert(60_000)
    for alert in session.pop_alerts():
        if isinstance(alert, lt.torrent_checked_alert) and waiting:
            alert.handle.save_resume_data()
        elif isinstance(alert, lt.save_resume_data_alert):
            names = [path for path in glob.glob(f"{folder}/torrents/{alert.handle.info_hash()}.torrent")]
            with open(f"{state}/{os.path.basename(names[0])}.resume", "wb") as file:
                file.write(lt.write_resume_data_buf(alert.params))
