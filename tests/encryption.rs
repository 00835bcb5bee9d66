//! brooklet with clients that others wrote, each told to make and take plain connections only, only
//! those with an encrypted handshake, or only those that are encrypted throughout; both ends have
//! the content once, and each dials the other once.

mod support;

use std::time::Duration;

use support::clients::{Program, Secrecy};
use support::meeting::{End, Meeting, meet};

use Program::{Aria2, Libtorrent, QBittorrent, Rtorrent, Transmission, WebTorrent};
use Secrecy::{Handshake, Off, Require};

/// What finding out the form may take.
const FINDING: Duration = Duration::from_secs(3);

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

/// Each end as a seed; brooklet dials, told what the other one takes and not told; the other one
/// dials.
fn cell(program: Program, secrecy: Option<Secrecy>) {
    if !program.installed() {
        return;
    }
    let word = secrecy.unwrap_or(Handshake).word();
    for seed in [End::Ours, End::Theirs] {
        let told = Meeting {
            program,
            secrecy,
            setting: word,
            seed,
            dialing: End::Ours,
            transport: "tcp",
        };
        let found = Meeting {
            setting: "allow",
            ..told
        };
        let (Some(told), Some(dialed)) = (meet(told), meet(found)) else {
            return;
        };
        assert!(
            dialed <= told + FINDING,
            "{seed:?}: {dialed:?}, told {told:?}"
        );
        meet(Meeting {
            dialing: End::Theirs,
            ..found
        });
    }
}
