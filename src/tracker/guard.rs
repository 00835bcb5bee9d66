//! Which addresses we send requests to because a torrent or a tracker names them. The creator of a
//! torrent can name any address as a tracker, and a tracker can redirect to any: to a page in the
//! user's networks that trusts requests from there, or to a victim that is to be flooded. So each
//! address is judged when it is about to be asked, after all names are looked up and all redirects
//! read.
//!
//! Trackers in local networks are a custom of their own and are asked, but over HTTP only for a
//! path that is plainly a tracker's; a tracker outside may not redirect to one. (libtorrent's
//! `ssrf_mitigation` is the model.) The user of such a tracker lifts that rule with
//! `--allow-local`. What trackers name as peers is judged the same way: a tracker outside cannot
//! know hosts that only we can reach.

use std::net::{IpAddr, SocketAddr};

use crate::base::Reach;
use crate::http::Url;

/// What a refusal says of the way around it.
const ALLOWING: &str = "--allow-local lifts this";

/// Whether this URL may be asked for at this address. `word` is what a tracker's path has
/// (`announce`, `scrape`); `outside`: a server out in the world redirected to it.
///
/// # Errors
/// Why not.
pub fn judge(ip: IpAddr, url: &Url, word: &str, outside: bool) -> Result<(), String> {
    if !Reach::of(ip).is_local() {
        Ok(())
    } else if outside {
        Err(format!("{ip} is a local address ({ALLOWING})"))
    } else if is_trackers(&url.target, word) {
        Ok(())
    } else {
        Err(format!(
            "{ip} is a local address, where only paths with \"{word}\" are asked for ({ALLOWING})"
        ))
    }
}

/// Whether a path has a part that begins with this word, and is written so plainly that no server
/// can take it for another path: letters, digits, `-`, `_`, `~`, and dots inside.
fn is_trackers(target: &str, word: &str) -> bool {
    let path = target.split('?').next().unwrap_or_default();
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let plain = |part: &str| !part.starts_with('.') && part.bytes().all(letter);
    let mut parts = path.split('/');
    path.split('/').all(plain) && parts.any(|part| part.starts_with(word))
}

/// Whether a peer that a tracker names may be dialed. `outside`: the tracker has a public address.
pub fn is_dialable(peer: SocketAddr, outside: bool) -> bool {
    // A peer in our own private network may have told the tracker its local address.
    let least = if outside { Reach::Site } else { Reach::Machine };
    peer.port() != 0 && Reach::of(peer.ip()) >= least
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(ip: &str, url: &str, outside: bool) -> Result<(), String> {
        let url = Url::parse(url).unwrap();
        judge(ip.parse().unwrap(), &url, "announce", outside)
    }

    #[test]
    fn a_local_address_is_asked_for_a_trackers_path_only() {
        for path in [
            "announce",
            "announce.php?x=1",
            "0123abcdef/announce",
            "announce/0123abcdef",
            "x//announce?a=../..",
        ] {
            for ip in [
                "127.0.0.1",
                "169.254.169.254",
                "192.168.1.1",
                "::1",
                "fd00::1",
            ] {
                assert_eq!(
                    verdict(ip, &format!("http://h/{path}"), false),
                    Ok(()),
                    "{path}"
                );
            }
        }
        for path in [
            "",
            "?announce",
            "admin?x=/announce",
            "latest/meta-data/",
            "xannounce",
            "Announce",
            "announce/../admin",
            "announce/./x",
            "announce/..;/admin",
            "announce/%2e%2e/admin",
            "announce/..%2fadmin",
            "announce/..\\admin",
            "announce%2f..%2fadmin",
            "announce;x",
            "admin#/announce",
        ] {
            let url = format!("http://h/{path}");
            let why = verdict("127.0.0.1", &url, false).unwrap_err();
            assert_eq!(
                why,
                "127.0.0.1 is a local address, where only paths with \"announce\" are asked for \
                 (--allow-local lifts this)",
                "{path}"
            );
            assert_eq!(verdict("192.0.2.1", &url, false), Ok(()), "{path}");
        }
    }

    #[test]
    fn no_public_host_leads_to_a_local_one() {
        let url = "http://h/announce";
        for ip in [
            "127.0.0.1",
            "169.254.169.254",
            "10.0.0.1",
            "::ffff:127.0.0.1",
            "64:ff9b::10.0.0.1",
        ] {
            assert!(
                verdict(ip, url, true).is_err_and(|why| why.contains("is a local address (")),
                "{ip}"
            );
        }
        assert_eq!(verdict("192.0.2.1", "http://h/any", true), Ok(()));
    }

    #[test]
    fn peers_are_callable_as_far_as_their_tracker_sees() {
        for (peer, here, outside) in [
            ("127.0.0.1:6881", true, false),
            ("[::1]:6881", true, false),
            ("[::ffff:127.0.0.1]:6881", true, false),
            ("169.254.1.1:6881", true, false),
            ("[fe80::1]:6881", true, false),
            ("192.168.1.1:6881", true, true),
            ("192.0.2.1:80", true, true),
            ("[2001:db8::1]:6881", true, true),
            ("192.0.2.1:0", false, false),
            ("0.0.0.0:6881", false, false),
            ("224.0.0.1:6881", false, false),
            ("255.255.255.255:6881", false, false),
            ("[::]:6881", false, false),
            ("[ff02::1]:6881", false, false),
        ] {
            let addr = peer.parse().unwrap();
            let found = (is_dialable(addr, false), is_dialable(addr, true));
            assert_eq!(found, (here, outside), "{peer}");
        }
    }
}
