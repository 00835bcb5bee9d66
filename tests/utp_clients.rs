//! brooklet with clients that others wrote, over uTP alone, in plain and encrypted; both ends have
//! the content once, and each dials the other once. TCP is switched off at the other end where it
//! can be, and the network lets none through.

mod support;

use support::child::{Child, brooklet};
use support::clients::{PORT, Program, Secrecy};
use support::content::Content;
use support::dir::Dir;
use support::meeting::{End, Meeting, PATIENCE, meet};
use support::net::{Family, Host, Net};
use support::torrent::Torrent;

use Program::{Libtorrent, QBittorrent, Transmission};
use Secrecy::{Handshake, Off, Require};

macro_rules! matrix {
    ($($name:ident: $program:ident, $secrecy:ident;)*) => {
        $(#[test]
        fn $name() {
            cell($program, $secrecy);
        })*
    };
}

matrix! {
    transmission_plain: Transmission, Off;
    transmission_with_encrypted_handshakes: Transmission, Handshake;
    transmission_encrypted: Transmission, Require;
    libtorrent_plain: Libtorrent, Off;
    libtorrent_with_encrypted_handshakes: Libtorrent, Handshake;
    libtorrent_encrypted: Libtorrent, Require;
    qbittorrent_plain: QBittorrent, Off;
    qbittorrent_encrypted: QBittorrent, Require;
}

fn cell(program: Program, secrecy: Secrecy) {
    if !program.installed() {
        return;
    }
    for seed in [End::Ours, End::Theirs] {
        for dialing in [End::Ours, End::Theirs] {
            meet(Meeting {
                program,
                secrecy: Some(secrecy),
                setting: "allow",
                seed,
                dialing,
                transport: "utp",
            });
        }
    }
}

/// Two brooklets, of which the one that gets the content dials.
#[test]
fn brooklet_with_itself() {
    for setting in ["off", "require"] {
        let Some(net) = Net::new(2) else { return };
        let content = Content::folder(1, "content", &[("a", 3_000_000), ("b", 70_001)]);
        let torrent = Torrent::new(content, 16 * 1024);
        let dir = Dir::new();
        let file = torrent.write(&dir.join("torrent"), &[]);
        let start = |verb: &str, host: &Host, name: &str| {
            host.without_tcp(PORT);
            let mut command = brooklet(Some(host));
            command.arg(verb).arg(&file);
            command.args(["--json", "--port", &PORT.to_string()]);
            command.args(["--encryption", setting, "--no-dht", "--no-lsd"]);
            command.arg("--dir").arg(dir.folder(name));
            command
                .arg("--state")
                .arg(dir.folder(format!("state of {name}")));
            command
        };
        torrent.content.write(&dir.folder("seed"));
        let mut seed = Child::spawn("seed", &mut start("seed", net.host(0), "seed"));
        seed.event("checked", PATIENCE);
        let mut get = start("get", net.host(1), "get");
        let there = net.host(0).socket(Family::V4, PORT).to_string();
        let mut get = Child::spawn("get", get.args(["--peer", &there]));
        for end in [&mut get, &mut seed] {
            let met = end.event("peer", PATIENCE);
            assert_eq!(met.get("transport").text(), "utp");
        }
        get.success(PATIENCE);
        torrent.content.assert_in(&dir.join("get"));
    }
}
