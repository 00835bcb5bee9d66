//! Amounts and times as people write and read them. K, M and G are powers of 1024.

use std::fmt;

use crate::base::Duration;

/// Reads an amount of bytes: a number, which may have a fraction, and perhaps one of the suffixes
/// K, M, G or T in either case, with or without `B` or `iB` behind it.
///
/// # Errors
/// Why it is none, as the second half of `WHAT: WHY`.
pub fn parse_bytes(text: &str) -> Result<u64, String> {
    let wrong = || String::from("expected a number of bytes such as 512K or 1.5M");
    let number = |letter: char| letter.is_ascii_digit() || letter == '.';
    let end = text.find(|letter| !number(letter)).unwrap_or(text.len());
    let (digits, unit) = (&text[..end], text[end..].trim_start());
    if ["Kb", "Mb", "Gb", "Tb"].contains(&unit) || unit.to_lowercase().contains("bit") {
        let letter = unit[..1].to_uppercase();
        return Err(format!(
            "these are bits: did you mean {digits}{letter} (bytes)?"
        ));
    }
    let power = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 1,
        "m" | "mb" | "mib" => 2,
        "g" | "gb" | "gib" => 3,
        "t" | "tb" | "tib" => 4,
        _ => return Err(wrong()),
    };
    let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let dangling = digits.ends_with('.') || whole.is_empty();
    if dangling || !plain(whole) || !plain(fraction) || (power == 0 && digits.contains('.')) {
        return Err(wrong());
    }
    let unit = 1024_u64.pow(power);
    // Twelve digits are finer than a byte of a tebibyte, and keep the product inside 128 bits.
    let fraction = &fraction[..fraction.len().min(12)];
    let scale = 10_u128.pow(fraction.len() as u32);
    let part = fraction.parse::<u128>().unwrap_or(0) * u128::from(unit) / scale;
    let bytes = whole
        .parse::<u64>()
        .ok()
        .and_then(|whole| whole.checked_mul(unit))
        .and_then(|bytes| bytes.checked_add(u64::try_from(part).ok()?));
    bytes.ok_or_else(|| String::from("the number is too large"))
}

/// Bytes, shown with about three digits: `512 B`, `1.50 KiB`, `27.1 MiB`.
#[derive(Clone, Copy, Debug)]
pub struct Bytes(pub u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let power = power(self.0);
        write!(f, "{} {}", scaled(self.0, power), UNITS[power])
    }
}

/// A part of some bytes, shown in the unit of the whole: `12.3 of 27.1 MiB`; a whole that is
/// complete stands alone.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// Bytes of the part.
    pub done: u64,
    /// Bytes of the whole.
    pub size: u64,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.done != self.size {
            write!(f, "{} of ", scaled(self.done, power(self.size)))?;
        }
        write!(f, "{}", Bytes(self.size))
    }
}

const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

/// Place in [`UNITS`] of the unit that shows these bytes best: below 1024 of it, also after
/// rounding.
fn power(bytes: u64) -> usize {
    let mut amount = bytes as f64;
    let mut power = 0;
    while amount >= 1023.5 && power + 1 < UNITS.len() {
        amount /= 1024.0;
        power += 1;
    }
    power
}

fn scaled(bytes: u64, power: usize) -> String {
    let amount = bytes as f64 / 1024_f64.powi(power as i32);
    let digits = match amount {
        _ if power == 0 => 0,
        a if a < 9.995 => 2,
        a if a < 99.95 => 1,
        _ => 0,
    };
    format!("{amount:.digits$}")
}

/// A span of time in its two largest units: `8s`, `3m 12s`, `2h 05m`, `3d 04h`.
#[derive(Clone, Copy, Debug)]
pub struct Span(pub Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        match (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60) {
            (0, 0, 0) => write!(f, "{seconds}s"),
            (0, 0, minutes) => write!(f, "{minutes}m {:02}s", seconds % 60),
            (0, hours, minutes) => write!(f, "{hours}h {minutes:02}m"),
            (days, hours, _) => write!(f, "{days}d {hours:02}h"),
        }
    }
}

/// So many peers.
pub fn counted(peers: usize) -> String {
    let ending = if peers == 1 { "" } else { "s" };
    format!("{peers} peer{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read() {
        for (text, bytes) in [
            ("0", 0),
            ("1", 1),
            ("16384", 16_384),
            ("1K", 1_024),
            ("1k", 1_024),
            ("1KB", 1_024),
            ("1KiB", 1_024),
            ("1 K", 1_024),
            ("2MiB", 2_097_152),
            ("2 mb", 2_097_152),
            ("512B", 512),
            ("1.5M", 1_572_864),
            ("16m", 16_777_216),
            ("0.5K", 512),
            ("2G", 2_147_483_648),
            ("1T", 1_099_511_627_776),
            ("0.0009765625K", 1),
            ("1.00000000000000000000000000000000000000000001K", 1_024),
            ("18446744073709551615", u64::MAX),
        ] {
            assert_eq!(parse_bytes(text), Ok(bytes), "{text}");
        }
        for bad in [
            "",
            "K",
            ".",
            "1.",
            ".5M",
            "1.5",
            "-1",
            "+1",
            "1Kb",
            "2Mbit",
            "1.5B",
            "1KK",
            "0x10",
            "1e3",
            "1,5M",
            "1.5.5M",
            "1.-5M",
            "é",
            "1é",
            "١",
            "18446744073709551616",
            "16777216T",
        ] {
            assert!(parse_bytes(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn amounts_are_shown() {
        for (bytes, text) in [
            (0, "0 B"),
            (1_023, "1023 B"),
            (1_024, "1.00 KiB"),
            (1_536, "1.50 KiB"),
            (10_240, "10.0 KiB"),
            (102_400, "100 KiB"),
            (1_048_575, "1.00 MiB"),
            (28_416_410, "27.1 MiB"),
            (1 << 40, "1.00 TiB"),
            (u64::MAX, "16.0 EiB"),
        ] {
            assert_eq!(Bytes(bytes).to_string(), text);
        }
        for (done, size, text) in [
            (0, 28_416_410, "0.00 of 27.1 MiB"),
            (13_000_000, 28_416_410, "12.4 of 27.1 MiB"),
            (28_416_410, 28_416_410, "27.1 MiB"),
            (0, 0, "0 B"),
            (3, 9, "3 of 9 B"),
        ] {
            assert_eq!(Part { done, size }.to_string(), text);
        }
    }

    #[test]
    fn spans_are_shown() {
        for (seconds, text) in [
            (0, "0s"),
            (59, "59s"),
            (192, "3m 12s"),
            (7_500, "2h 05m"),
            (273_600, "3d 04h"),
        ] {
            assert_eq!(Span(Duration::from_secs(seconds)).to_string(), text);
        }
    }
}
