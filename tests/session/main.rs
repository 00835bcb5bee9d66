//! What a session does about peers that forget, hold back, take too much or are simply many, seen
//! from the other ends of its connections.

#[path = "../support/exchange.rs"]
#[allow(dead_code)]
mod exchange;
#[path = "../support/session.rs"]
#[allow(dead_code)]
mod session;
#[path = "../support/transcript.rs"]
#[allow(dead_code)]
mod transcript;

mod announcing;
mod asking;
mod checking;
mod crossing;
mod crowd;
mod datagrams;
mod encryption;
mod ending;
mod exchanging;
mod fetching;
mod fetching_many;
mod impatient;
mod incoming;
mod meeting;
mod nearby;
mod nodes;
mod over_utp;
mod places;
mod private;
mod punched;
mod punching;
mod rates;
mod serving;
mod sleeping;
mod staying;
mod steering;
mod telling;
mod tracing;

use brooklet::base::Duration;
use brooklet::torrent::Report;
use session::Bench;

/// The requests that a peer has heard since it was listened to last.
fn requests(bench: &mut Bench, key: usize) -> Vec<String> {
    let mut said = bench.hears(key);
    said.retain(|said| said.starts_with("request "));
    said
}

/// A number of seconds goes by, in which these peers keep their connections alive.
fn seconds_pass(bench: &mut Bench, keys: &[usize], seconds: u64) {
    for second in 1..=seconds {
        bench.wait(Duration::from_secs(1));
        for &key in keys.iter().filter(|_| second % 30 == 0) {
            bench.says(key, "keep-alive");
        }
    }
}

/// Whether a connection ended for this reason.
fn ended_since(bench: &Bench, why: &str) -> bool {
    bench.reports.iter().any(|report| match report {
        Report::Disconnected { reason, .. } => reason == why,
        _ => false,
    })
}
