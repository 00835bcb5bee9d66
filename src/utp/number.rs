//! Numbers that begin again at zero: those of packets, and moments by a clock.

/// How far `to` lies behind `from`: negative if it comes before.
pub(super) fn distance(from: u16, to: u16) -> i32 {
    i32::from(to.wrapping_sub(from) as i16)
}

/// Whether one delay, taken by two clocks that know nothing of each other, is less than another.
pub(super) fn is_less(one: u32, other: u32) -> bool {
    (one.wrapping_sub(other) as i32) < 0
}
