//! What the machine is, for the report.

use std::fs;

use super::clients::Client;

/// Facts about this machine and these clients, each a name and a value.
pub fn facts(clients: &[Client]) -> Vec<(String, String)> {
    let cores = std::thread::available_parallelism().map_or(0, Into::into);
    let mut facts = vec![
        (
            "processor".to_string(),
            format!("{cores} × {}", processor()),
        ),
        ("memory".into(), memory()),
        ("kernel".into(), read("/proc/sys/kernel/osrelease")),
        ("distribution".into(), distribution()),
        ("dirty pages at most".into(), dirty()),
    ];
    for client in clients {
        facts.push((client.name().into(), client.version()));
    }
    facts
}

fn read(path: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.trim().into()
}

fn processor() -> String {
    let text = read("/proc/cpuinfo");
    let value = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1.trim().to_string())
    };
    let model = value("model name").or_else(|| value("Processor"));
    let sha = if text.contains("sha_ni") {
        "with SHA instructions"
    } else {
        "without SHA instructions"
    };
    format!(
        "{}, {sha}",
        model.unwrap_or_else(|| std::env::consts::ARCH.into())
    )
}

fn memory() -> String {
    let text = read("/proc/meminfo");
    let kib: u64 = text
        .split_whitespace()
        .nth(1)
        .and_then(|word| word.parse().ok())
        .unwrap_or(0);
    format!("{:.1} GiB", kib as f64 / f64::from(1 << 20))
}

/// How much the kernel lets wait for the disk: what a download to the disk depends on.
fn dirty() -> String {
    let limit = |name| read(&format!("/proc/sys/vm/dirty_{name}"));
    match limit("bytes").as_str() {
        "0" | "" => format!("{} % of memory", limit("ratio")),
        bytes => format!("{bytes} bytes"),
    }
}

fn distribution() -> String {
    let text = read("/etc/os-release");
    let name = text
        .lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="));
    name.unwrap_or("unknown").trim_matches('"').into()
}
