//! A tracker somewhere in the world, in a network of our own: it sends us to this machine, by a
//! redirect and by a list of peers.

use std::time::Duration;

use super::{Download, KIB};
use crate::support::bench::{Bench, SOON};
use crate::support::child::{Child, Stream, brooklet, command};
use crate::support::installed;
use crate::support::net::{Host, Net};

/// An HTTP server at argv 1 and 2 that says what it is asked, and answers with argv 3.
const SERVER: &str = "import socket, sys
s = socket.create_server((sys.argv[1], int(sys.argv[2])), family=socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET)
print('listening', flush=True)
while True:
    c, _ = s.accept()
    print('asked', c.recv(9000).split(b'?')[0], flush=True)
    c.sendall(sys.argv[3].encode('latin-1').decode('unicode_escape').encode('latin-1'))
    c.close()
";

fn server(host: &Host, ip: &str, port: u16, answer: &str) -> Child {
    let mut python = command(Some(host), "python3");
    python.args(["-c", SERVER, ip, &port.to_string(), answer]);
    let mut child = Child::spawn("an HTTP server", &mut python);
    child.line("listening", SOON);
    child
}

fn get(host: &Host, bench: &Bench, trackers: &[&str]) -> Child {
    bench.trackers(trackers);
    let mut command = brooklet(Some(host));
    command.arg("get").arg(bench.dir.join("torrent"));
    command.arg("--dir").arg(bench.content());
    command.arg("--state").arg(bench.dir.join("state"));
    command.args(["--json", "--port", "6881"]);
    Child::spawn("brooklet", &mut command)
}

#[test]
fn a_public_server_does_not_lead_to_this_machine() {
    let Some(net) = Net::new(1).filter(|_| installed(&["python3"])) else {
        return;
    };
    let (hub, host) = (net.hub(), net.host(0));
    let world = format!("http://[{}]:80/announce", hub.v6);
    let redirect = "HTTP/1.1 302 Found\\r\\nLocation: http://[::1]:8080/announce\\r\\n\\r\\n";
    let mut tracker = server(hub, &hub.v6.to_string(), 80, redirect);
    let mut victim = server(host, "::1", 8080, "HTTP/1.1 200 OK\\r\\n\\r\\nde");
    let bench = Bench::new(81, 64 * KIB);
    let mut download = Download {
        child: get(host, &bench, &[&world]),
        bench,
    };
    let told = download.failure(&world, SOON);
    assert_eq!(
        told,
        "redirected to ::1: ::1 is a local address (--allow-local lifts this)"
    );
    tracker.line("asked", SOON);
    drop((download, tracker));

    // A peer at ::1 (and one at the hub, to see that the list counts).
    let v6: Vec<String> = [[0; 16], hub.v6.octets()]
        .iter()
        .enumerate()
        .map(|(place, ip)| {
            let mut ip = *ip;
            ip[15] |= u8::from(place == 0);
            let port = if place == 0 { 8080_u16 } else { 9 };
            let bytes = ip.into_iter().chain(port.to_be_bytes());
            let letters: Vec<String> = bytes.map(|byte| format!("\\x{byte:02x}")).collect();
            letters.concat()
        })
        .collect();
    let list = format!(
        "HTTP/1.1 200 OK\\r\\n\\r\\nd8:intervali1800e6:peers636:{}e",
        v6.concat()
    );
    let tracker = server(hub, &hub.v6.to_string(), 80, &list);
    let bench = Bench::new(82, 64 * KIB);
    let mut download = Download {
        child: get(host, &bench, &[&world]),
        bench,
    };
    assert_eq!(download.peers(&world, SOON), 1);
    let called = download.child.event("peer", SOON);
    assert_eq!(called.get("addr").text(), format!("[{}]:9", hub.v6));
    download.child.signal("INT");
    assert_eq!(download.child.code(SOON + Duration::from_secs(2)), 130);
    assert_eq!(download.child.events("peer").len(), 1);
    drop(tracker);
    assert_eq!(victim.text(Stream::Out), "listening\n", "nobody came");
}
