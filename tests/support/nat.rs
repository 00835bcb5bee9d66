//! Routers that translate addresses, as at home: a host whose further interface `side` leads to the
//! one that it hides, see `Net::side`. `nft` and the kernel's connection tracking do the work.

use std::io::Write;
use std::process::{Command, Stdio};

use super::net::Host;

/// What a router lets in, of datagrams to a port from which some went out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nat {
    /// Those from an address and port to which one went out.
    PortRestricted,
    /// Those from an address to which one went out, whatever the port.
    AddressRestricted,
}

/// Makes `router` hide `inside`, which reaches everybody by it. `port`: of datagrams, beside
/// [`Nat::PortRestricted`].
pub fn hide(inside: &Host, router: &Host, nat: Nat, port: u16) {
    let forward = "echo 1 > /proc/sys/net/ipv4/ip_forward";
    run(router, &["sh", "-c", forward], "");
    // What nobody inside has asked for is dropped without a word: an answer would make the kernel
    // note it as a connection, and translate the port of ours to another one.
    let mut rules = String::from(
        "table ip nat {
            chain leaving {
                type nat hook postrouting priority srcnat
                oifname net masquerade
            }
        }
        table ip filter {
            chain forwarded {
                type filter hook forward priority 0; policy drop
                ct state established,related accept
                iifname side accept
                ct status dnat accept
            }
            chain arriving {
                type filter hook input priority 0; policy drop
                iifname { lo, side } accept
                ct state established,related accept
            }
        }
        ",
    );
    if nat == Nat::AddressRestricted {
        let hidden = inside.v4;
        rules += &format!(
            "table ip restricted {{
                set called {{
                    type ipv4_addr
                    flags dynamic,timeout
                    timeout 60s
                }}
                chain noted {{
                    type filter hook forward priority -1
                    iifname side ip protocol udp update @called {{ ip daddr }}
                }}
                chain entering {{
                    type nat hook prerouting priority dstnat
                    iifname net ip saddr @called udp dport {port} dnat to {hidden}
                }}
            }}
            "
        );
    }
    run(router, &["nft", "-f", "-"], &rules);
    inside.link("down");
    let gateway = router.v4.to_string();
    let route = ["ip", "route", "add", "default", "via", gateway.as_str()];
    run(inside, &route, "");
}

/// Runs a command on a host, and hands it this to read.
fn run(host: &Host, words: &[&str], input: &str) {
    let mut command = Command::new("nsenter");
    command.arg(host.nsenter()).args(words);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    pipe.write_all(input.as_bytes()).unwrap();
    drop(pipe);
    assert!(child.wait().unwrap().success(), "{words:?}");
}
