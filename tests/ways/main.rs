//! The ways that lead to others: by one interface only, and through a proxy. Each is watched: what
//! is not to be sent is sent by no other way either.

#[path = "../support/mod.rs"]
mod support;

mod bound;
mod failing;
mod proxy;

use std::net::IpAddr;

use support::bench::SOON;
use support::child::{Child, command};
use support::net::Host;

/// Watches what leaves a machine by these interfaces.
fn watch(host: &Host, interfaces: &[&str]) -> Child {
    let mut watch = command(Some(host), "/usr/bin/python3");
    watch.arg(support::repository("tests/support/wire.py"));
    let mut watch = Child::spawn("wire", watch.args(interfaces));
    watch.event("watching", SOON);
    watch
}

/// The port of datagrams that mark the end of what is looked at.
const MARK: u64 = 9;

/// What has left it so far: interface, protocol, where to and port. `others`: an address for each
/// interface that is watched, to which a datagram is sent at the end.
fn sent(host: &Host, watch: &mut Child, others: &[IpAddr]) -> Vec<(String, String, String, u64)> {
    for other in others {
        let mut mark = command(Some(host), "bash");
        mark.args(["-c", "echo >\"/dev/udp/$1/9\"", "bash", &other.to_string()]);
        assert!(mark.status().unwrap().success());
        watch.event_where("sent", SOON, |it| {
            it.get("port").count() == MARK && it.get("to").text() == other.to_string()
        });
    }
    let sent = watch.events("sent").into_iter().map(|it| {
        let text = |name: &str| it.get(name).text().to_string();
        let port = it.get("port").count();
        (text("interface"), text("protocol"), text("to"), port)
    });
    sent.filter(|it| it.3 != MARK).collect()
}
