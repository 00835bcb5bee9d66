//! brooklet with clients that others wrote, each told to make and take plain connections only, only
//! those with an encrypted handshake, or only those that are encrypted throughout; both ends have
//! the content once, and each dials the other once.

mod support;

use std::path::Path;
use std::time::{Duration, Instant};

use support::child::{Child, brooklet, command};
use support::clients::{PORT, Program, Secrecy, Ways};
use support::content::Content;
use support::dir::Dir;
use support::net::{Family, Net};
use support::torrent::Torrent;

use Program::{Aria2, Libtorrent, QBittorrent, Rtorrent, Transmission, WebTorrent};
use Secrecy::{Handshake, Off, Require};

/// Transmission and aria2 think about whom to serve every ten seconds, and may need two turns.
const PATIENCE: Duration = Duration::from_secs(60);
/// What finding out the form may take.
const FINDING: Duration = Duration::from_secs(3);
/// The port of the tracker, which names the end that is to be dialed.
const TRACKER: u16 = 6969;
const PIECE: usize = 16 * 1024;

macro_rules! matrix {
    ($($name:ident: $program:ident, $secrecy:ident;)*) => {
        $(#[test]
        fn $name() {
            cell($program, Some($secrecy));
        })*
    };
}

matrix! {
    transmission_plain: Transmission, Off;
    transmission_with_encrypted_handshakes: Transmission, Handshake;
    transmission_encrypted: Transmission, Require;
    aria2_plain: Aria2, Off;
    aria2_with_encrypted_handshakes: Aria2, Handshake;
    aria2_encrypted: Aria2, Require;
    libtorrent_plain: Libtorrent, Off;
    libtorrent_with_encrypted_handshakes: Libtorrent, Handshake;
    libtorrent_encrypted: Libtorrent, Require;
    qbittorrent_plain: QBittorrent, Off;
    qbittorrent_with_encrypted_handshakes: QBittorrent, Handshake;
    qbittorrent_encrypted: QBittorrent, Require;
    rtorrent_plain: Rtorrent, Off;
    rtorrent_encrypted: Rtorrent, Require;
    webtorrent_plain: WebTorrent, Off;
    webtorrent_encrypted: WebTorrent, Require;
}

/// rtorrent 0.16 is encrypted unless it is told otherwise, and resets plain connections.
#[test]
#[ignore = "needs a newer rtorrent than Debian 12's: make test-newer"]
fn newer_rtorrent_as_it_is() {
    assert!(std::env::var_os("NEWER_RTORRENT").is_some());
    cell(Rtorrent, None);
}

/// One end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Ours,
    Theirs,
}

/// Each end as a seed; brooklet dials, told what the other one takes and not told; the other one
/// dials.
fn cell(program: Program, secrecy: Option<Secrecy>) {
    if !program.installed() {
        return;
    }
    let word = secrecy.unwrap_or(Handshake).word();
    for seed in [End::Ours, End::Theirs] {
        let told = meet(program, secrecy, word, seed, End::Ours);
        let found = meet(program, secrecy, "allow", seed, End::Ours);
        let (Some(told), Some(found)) = (told, found) else {
            return;
        };
        assert!(
            found <= told + FINDING,
            "{seed:?}: {found:?}, told {told:?}"
        );
        meet(program, secrecy, "allow", seed, End::Theirs);
    }
}

/// Has brooklet and another client meet, and the content go over. How long it took from
/// brooklet's start until both had greeted each other; `None`: that cannot be tried here.
fn meet(
    program: Program,
    secrecy: Option<Secrecy>,
    setting: &str,
    seed: End,
    dialing: End,
) -> Option<Duration> {
    println!("{program:?} {secrecy:?}, brooklet {setting}: {seed:?} seeds, {dialing:?} dials");
    let net = Net::new(2)?;
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
        let encrypted = met.get("encrypted") == &support::json::Json::Bool(true);
        let expected = match (program, dialing) {
            // It cannot be told to dial plainly.
            (Aria2, End::Theirs) if secrecy == Some(Off) => return,
            // It accepts plain peers even where it dials no others.
            (WebTorrent, End::Ours) if setting == "allow" => false,
            _ => secrecy != Some(Off),
        };
        assert_eq!(encrypted, expected);
    };
    let taken = match seed {
        End::Theirs => {
            torrent.content.write(&other);
            let mut client = (dialing == End::Ours).then(|| {
                let mut client = program.join_by(&ways, there, theirs, &other);
                client.wait_whole(PATIENCE);
                wait_for_listener(hub, there.socket(Family::V4, PORT));
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
                wait_for_listener(hub, there.socket(Family::V4, PORT));
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
fn wait_for_listener(from: &support::net::Host, at: std::net::SocketAddr) {
    let begun = Instant::now();
    let script = r#"exec 3<>"/dev/tcp/$1/$2""#;
    let reached = || {
        let mut probe = command(Some(from), "bash");
        probe.args(["-c", script, "bash"]);
        probe.args([&at.ip().to_string(), &at.port().to_string()]);
        probe.output().is_ok_and(|done| done.status.success())
    };
    while !reached() {
        assert!(begun.elapsed() < PATIENCE, "{at} takes no connections");
        std::thread::sleep(Duration::from_millis(50));
    }
}
