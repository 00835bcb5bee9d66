//! Tokens (BEP 5): an announce is stored only with the token that the same address was given in an
//! answer, so that a node can announce only itself. A token is a hash of a secret, the address and
//! the info hash: nothing has to be remembered for it.

use std::net::IpAddr;

use crate::base::{InfoHash, Time, limits};
use sha1::{Digest as _, Sha1};

/// Bytes of a token: eight cannot be guessed in the minutes that it counts.
const LENGTH: usize = 8;

/// A token of ours.
pub type Token = [u8; LENGTH];

/// The secret behind the tokens. It changes every [`limits::DHT_TOKENS`].
#[derive(Clone, Debug)]
pub struct Tokens {
    seed: u64,
    since: Time,
}

impl Tokens {
    /// Tokens by this secret seed.
    pub fn new(seed: u64, now: Time) -> Tokens {
        Tokens { seed, since: now }
    }

    /// The token of an address for a torrent.
    pub fn make(&self, ip: IpAddr, info_hash: InfoHash, now: Time) -> Token {
        self.of_period(self.period(now), ip, info_hash)
    }

    /// Whether this is such a token, of now or of the period before.
    pub fn is_valid(&self, token: &[u8], ip: IpAddr, info_hash: InfoHash, now: Time) -> bool {
        let period = self.period(now);
        let earlier = period.checked_sub(1);
        let mut valid = [Some(period), earlier].into_iter().flatten();
        valid.any(|period| self.of_period(period, ip, info_hash) == token)
    }

    fn period(&self, now: Time) -> u64 {
        (now.since(self.since).as_secs()) / limits::DHT_TOKENS.as_secs()
    }

    fn of_period(&self, period: u64, ip: IpAddr, info_hash: InfoHash) -> Token {
        let mut hash = Sha1::new();
        hash.update(self.seed.to_be_bytes());
        hash.update(period.to_be_bytes());
        match ip.to_canonical() {
            IpAddr::V4(ip) => hash.update(ip.octets()),
            IpAddr::V6(ip) => hash.update(ip.octets()),
        }
        hash.update(info_hash.0);
        let digest: [u8; 20] = hash.finalize().into();
        let mut token = [0; LENGTH];
        token.copy_from_slice(&digest[..LENGTH]);
        token
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::Duration;

    /// BEP 5: "The BitTorrent implementation uses the SHA1 hash of the IP address concatenated onto
    /// a secret that changes every five minutes and tokens up to ten minutes old are accepted."
    #[test]
    fn a_token_counts_for_its_address_and_torrent_for_five_to_ten_minutes() {
        let start = Time::from_micros(77_000_000);
        let tokens = Tokens::new(1, start);
        let (ip, other) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        let (hash, wrong) = (InfoHash([1; 20]), InfoHash([2; 20]));
        let step = limits::DHT_TOKENS;
        let almost = step - Duration::from_secs(1);
        for (given, used, valid) in [
            (Duration::ZERO, Duration::ZERO, true),
            (Duration::ZERO, almost, true),
            (Duration::ZERO, step + almost, true),
            (Duration::ZERO, step * 2, false),
            (almost, step * 2 - Duration::from_secs(1), true),
            (almost, step * 2, false),
            (step * 9, step * 10, true),
        ] {
            let token = tokens.make(ip, hash, start + given);
            let is_valid = |ip, hash| tokens.is_valid(&token, ip, hash, start + used);
            assert_eq!(is_valid(ip, hash), valid, "{given:?} {used:?}");
            assert!(!is_valid(other, hash) && !is_valid(ip, wrong));
        }
        let stranger = Tokens::new(2, start).make(ip, hash, start);
        assert!(!tokens.is_valid(&stranger, ip, hash, start));
        assert!(!tokens.is_valid(b"", ip, hash, start));
    }
}
