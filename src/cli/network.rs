//! The options of `get` that say how others are reached: `show --fetch`, `scrape` and `peers` take
//! them, too.

/// Without their dashes.
const NAMES: [&str; 19] = [
    "port",
    "bind",
    "proxy",
    "peer",
    "max-peers",
    "memory",
    "down",
    "up",
    "no-trackers",
    "allow-local",
    "no-dht",
    "dht-node",
    "no-pex",
    "no-lsd",
    "no-web-seeds",
    "encryption",
    "no-utp",
    "timeout",
    "state",
];

/// Whether an option of this name is one of them.
pub fn has(name: &str) -> bool {
    NAMES.contains(&name)
}
