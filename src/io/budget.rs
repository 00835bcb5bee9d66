//! How what the system and `--memory` allow is divided: handles and bytes.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::base::limits;

/// How many sockets there may be for peers: the handles that the system allows, less those that are
/// needed otherwise.
pub(super) fn sockets(max_peers: usize) -> usize {
    let before = getrlimit(Resource::Nofile);
    // A user that asks for many peers need not know of `ulimit`.
    let raised = Rlimit {
        current: before.maximum,
        ..before
    };
    let allowed = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => before.maximum,
        Err(_) => before.current,
    };
    let handles = allowed.map_or(usize::MAX, |n| usize::try_from(n).unwrap_or(usize::MAX));
    let content = limits::OPEN_FILES.min(handles / 4);
    let trackers = limits::TRACKER_CONNECTIONS + limits::TRACKER_SOCKETS;
    let others = content + trackers + limits::OTHER_HANDLES;
    max_peers.min(handles.saturating_sub(others)).max(1)
}

/// How many receive buffers may wait for the disk: a quarter of the budget's worth, and one at
/// least. `longest`: bytes of the longest frame, whose start a read may leave behind.
pub(super) fn buffers(memory: u64, longest: usize) -> usize {
    let quarter = usize::try_from(memory / 4).unwrap_or(usize::MAX);
    (quarter / (longest + limits::READ)).clamp(1, limits::BUFFERS)
}

/// Bytes for short metadata that are being fetched, within this budget.
pub(super) fn metadata_bytes(memory: u64) -> usize {
    usize::try_from(memory / limits::METADATA_PART).unwrap_or(usize::MAX)
}

/// Bytes for what connections over uTP send and receive, within this budget.
pub(super) fn utp_bytes(memory: u64) -> usize {
    usize::try_from(memory / limits::UTP_PART).unwrap_or(usize::MAX)
}

/// How many peers there may be, and the bytes that each may take, within this budget: the loop's
/// own buffers come first, and metadata that are being fetched. Each takes at least the longest
/// frame that may be cut: with less there are fewer peers instead.
pub(super) fn shares(memory: u64, max_peers: usize, longest: usize) -> (usize, usize) {
    let buffers = buffers(memory, longest) * (longest + limits::READ);
    let left = usize::try_from(memory)
        .unwrap_or(usize::MAX)
        .saturating_sub(limits::MIB + buffers + metadata_bytes(memory));
    let most = max_peers.min(left / longest).max(1);
    (most, (left / most).max(longest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_for_connections_over_utp() {
        assert_eq!(utp_bytes(limits::UTP_PART * 1_000), 1_000);
    }
}
