//! brooklet and a client that others wrote: each has the content once, and each dials the other once.

use std::path::Path;
use std::time::{Duration, Instant};

use super::child::{Child, brooklet, command};
use super::clients::Program::{Aria2, WebTorrent};
use super::clients::{PORT, Program, Secrecy, Ways};
use super::content::Content;
use super::dir::Dir;
use super::json::Json;
use super::net::{Family, Host, Net};
use super::torrent::Torrent;

/// Transmission and aria2 think about whom to serve every ten seconds, and may need two turns.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// The port of the tracker, which names the end that is to be dialed.
const TRACKER: u16 = 6969;
const PIECE: usize = 16 * 1024;

/// One end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// brooklet.
    Ours,
    /// The other client.
    Theirs,
}

/// Who meets whom, and how.
#[derive(Clone, Copy, Debug)]
pub struct Meeting<'a> {
    /// The other client.
    pub program: Program,
    /// The connections that it makes and takes; `None`: as usual.
    pub secrecy: Option<Secrecy>,
    /// Our `--encryption`.
    pub setting: &'a str,
    /// Who has the content.
    pub seed: End,
    /// Who dials.
    pub dialing: End,
    /// `tcp` or `utp`: what the other one, or the network, lets through.
    pub transport: &'a str,
}

/// Has brooklet and another client meet, and the content go over. How long it took from
/// brooklet's start until both had greeted each other; `None`: that cannot be tried here.
pub fn meet(meeting: Meeting<'_>) -> Option<Duration> {
    println!("{meeting:?}");
    let Meeting {
        program,
        secrecy,
        setting,
        seed,
        dialing,
        transport,
    } = meeting;
    let utp = transport == "utp";
    let net = Net::new(2)?;
    if utp {
        (0..2).for_each(|host| net.host(host).without_tcp(PORT));
    }
    let content = Content::folder(1, "content", &[("a", 300_000), ("b", 70_001)]);
    let torrent = Torrent::new(content, PIECE);
    let dir = Dir::new();
    let (here, there, hub) = (net.host(0), net.host(1), net.hub());
    let dialed = match dialing {
        End::Ours => there.v4,
        End::Theirs => here.v4,
    };
    // Its answer is the same file whatever is asked.
    let [high, low] = PORT.to_be_bytes();
    let peers = [&dialed.octets()[..], &[high, low]].concat();
    let answer = [b"d8:intervali600e5:peers6:", &peers[..], b"e"].concat();
    std::fs::create_dir_all(dir.join("tracker")).unwrap();
    std::fs::write(dir.join("tracker/announce"), answer).unwrap();
    let mut server = command(Some(hub), "python3");
    server.args(["-m", "http.server", &TRACKER.to_string(), "--directory"]);
    server.arg(dir.join("tracker"));
    let _tracker = Child::spawn("tracker", &mut server);
    let at = hub.socket(Family::V4, TRACKER);
    let begun = Instant::now();
    while hub.http_get(at, "/announce").is_none() {
        assert!(begun.elapsed() < PATIENCE, "the tracker does not listen");
        std::thread::sleep(Duration::from_millis(50));
    }
    let url = format!("http://{at}/announce");
    // The other end hears of nobody; rtorrent takes no torrent without a tracker.
    let nobody = format!("http://{}/announce", hub.socket(Family::V4, 1));
    let alone = torrent.write(&dir.join("alone.torrent"), &[&nobody]);
    let named = torrent.write(&dir.join("named.torrent"), &[&url]);
    let (ours, theirs) = match dialing {
        End::Ours => (&named, &alone),
        End::Theirs => (&alone, &named),
    };
    let ways = Ways {
        secrecy,
        utp,
        ..Ways::default()
    };
    let (own, other) = (dir.folder("ours"), dir.folder("theirs"));
    let start = |verb: &str, ours: &Path| {
        let mut command = brooklet(Some(here));
        command.arg(verb).arg(ours);
        command.args([
            "--json",
            "--port",
            &PORT.to_string(),
            "--encryption",
            setting,
        ]);
        command.args(["--no-dht", "--no-lsd", "--no-pex", "--allow-local"]);
        command.arg("--dir").arg(&own);
        command.arg("--state").arg(dir.join("state"));
        (Instant::now(), Child::spawn("brooklet", &mut command))
    };
    let encrypted = |child: &mut Child| {
        let met = child.event_where("peer", PATIENCE, |peer| {
            peer.get("state").text() == "connected"
        });
        assert_eq!(met.get("transport").text(), transport);
        let encrypted = met.get("encrypted") == &Json::Bool(true);
        let expected = match (program, dialing) {
            // It cannot be told to dial plainly.
            (Aria2, End::Theirs) if secrecy == Some(Secrecy::Off) => return,
            // It accepts plain peers even where it dials no others.
            (WebTorrent, End::Ours) if setting == "allow" => false,
            _ => secrecy != Some(Secrecy::Off),
        };
        assert_eq!(encrypted, expected);
    };
    let taken = match seed {
        End::Theirs => {
            torrent.content.write(&other);
            let mut client = (dialing == End::Ours).then(|| {
                let mut client = program.join_by(&ways, there, theirs, &other);
                client.wait_whole(PATIENCE);
                wait_for_listener(hub, there, utp);
                client
            });
            let (begun, mut child) = start("get", ours);
            if dialing == End::Theirs {
                child.event("checked", PATIENCE);
                client = Some(program.join_by(&ways, there, theirs, &other));
            }
            encrypted(&mut child);
            let taken = begun.elapsed();
            child.success(PATIENCE);
            torrent.content.assert_in(&own);
            drop(client);
            taken
        }
        End::Ours => {
            torrent.content.write(&own);
            let client = (dialing == End::Ours).then(|| {
                let mut client = program.join_by(&ways, there, theirs, &other);
                wait_for_listener(hub, there, utp);
                client.wait_ready(PATIENCE);
                client
            });
            let (begun, mut child) = start("seed", ours);
            child.event("checked", PATIENCE);
            let mut client =
                client.unwrap_or_else(|| program.join_by(&ways, there, theirs, &other));
            encrypted(&mut child);
            let taken = begun.elapsed();
            client.wait_whole(PATIENCE);
            torrent.content.assert_in(&other);
            taken
        }
    };
    Some(taken)
}

/// Waits until a client takes connections.
fn wait_for_listener(from: &Host, there: &Host, utp: bool) {
    let begun = Instant::now();
    let at = there.socket(Family::V4, PORT);
    let reached = || {
        if utp {
            let mut table = command(Some(there), "cat");
            let table = table.arg("/proc/self/net/udp").output().unwrap().stdout;
            return String::from_utf8_lossy(&table).contains(&format!(":{PORT:04X} "));
        }
        let mut probe = command(Some(from), "bash");
        probe.args(["-c", r#"exec 3<>"/dev/tcp/$1/$2""#, "bash"]);
        probe.args([&at.ip().to_string(), &at.port().to_string()]);
        probe.output().is_ok_and(|done| done.status.success())
    };
    while !reached() {
        assert!(begun.elapsed() < PATIENCE, "{at} takes no connections");
        std::thread::sleep(Duration::from_millis(50));
    }
}
