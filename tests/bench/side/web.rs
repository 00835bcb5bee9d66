//! A web seed to measure with: nginx in the namespace of the load, and a torrent that names it and
//! no tracker.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use super::Failure;
use super::place::{NAME, Place};
use super::process::Process;

/// Where it listens.
const ADDRESS: &str = "10.89.0.2:8080";

/// The URL of the content.
pub fn url() -> String {
    format!("http://{ADDRESS}/{NAME}")
}

/// Starts the server.
pub fn serve(place: &Place) -> Result<Process, Failure> {
    let folder = place.log("nginx");
    fs::create_dir_all(&folder)?;
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let at = folder.display();
    let temporary = temporary.map(|name| format!("{name}_temp_path {at}/{name}; "));
    let config = format!(
        "user root; daemon off; master_process off; pid {at}/pid; error_log {at}/error.log; \
         events {{ worker_connections 64; }} \
         http {{ sendfile on; access_log off; {} \
         server {{ listen {ADDRESS}; root {}; }} }}",
        temporary.concat(),
        place.content.display()
    );
    let path = folder.join("nginx.conf");
    fs::write(&path, config)?;
    let words: [OsString; 3] = ["nginx".into(), "-c".into(), path.into()];
    let server = Process::spawn(&place.net.of_load(), &words, &folder.join("log"))?;
    // It listens in another namespace, where this process cannot look.
    std::thread::sleep(Duration::from_millis(500));
    Ok(server)
}

/// Writes the torrent.
pub fn torrent(place: &Place) -> Result<PathBuf, Failure> {
    let whole = fs::read(place.torrent(1024))?;
    let info = whole.windows(6).position(|word| word == b"4:info");
    let info = &whole[info.ok_or("a torrent without info")?..whole.len() - 1];
    let url = url();
    let list = format!("8:url-list{}:{url}e", url.len());
    let path = place.log("web.torrent");
    fs::write(&path, [b"d", info, list.as_bytes()].concat())?;
    Ok(path)
}
