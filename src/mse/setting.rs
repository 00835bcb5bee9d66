//! What the user wants of encryption, and what follows from it in both directions.

/// The payload method "plaintext" (MSE, `crypto_provide`).
pub const PLAIN: u32 = 1;
/// The payload method "RC4".
pub const RC4: u32 = 2;

/// `--encryption`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Encryption {
    /// Neither dialed nor accepted.
    Off,
    /// Plain first, encrypted where that fails; every form is accepted.
    #[default]
    Allow,
    /// Encrypted first, plain where that fails; every form is accepted.
    Prefer,
    /// Only encrypted handshakes; the payload is plain where the peer lets it be.
    Handshake,
    /// Only RC4.
    Require,
}

/// In which form a peer is dialed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// BitTorrent's handshake as it is.
    Plain,
    /// MSE, with these payload methods offered.
    Encrypted(u32),
}

impl Encryption {
    /// All of them with what the command line calls them.
    pub const ALL: [(&'static str, Encryption); 5] = [
        ("off", Encryption::Off),
        ("allow", Encryption::Allow),
        ("prefer", Encryption::Prefer),
        ("handshake", Encryption::Handshake),
        ("require", Encryption::Require),
    ];

    /// The two forms in which a peer is dialed, the less encrypted one first. They are the same
    /// where there is but one. qBittorrent takes no offer without RC4, so that plain payload alone
    /// is only the first offer.
    pub fn forms(self) -> [Form; 2] {
        match self {
            Encryption::Off => [Form::Plain; 2],
            Encryption::Allow | Encryption::Prefer => [Form::Plain, Form::Encrypted(PLAIN | RC4)],
            Encryption::Handshake => [Form::Encrypted(PLAIN), Form::Encrypted(PLAIN | RC4)],
            Encryption::Require => [Form::Encrypted(RC4); 2],
        }
    }

    /// Whether a peer of which nothing is known is dialed in the second of these forms first.
    /// `wishes`: others say that it would rather be dialed with encryption.
    pub fn begins_encrypted(self, wishes: bool) -> bool {
        self == Encryption::Prefer || self == Encryption::Allow && wishes
    }

    /// Whether peers that dial us may begin with BitTorrent's handshake.
    pub fn takes_plain(self) -> bool {
        !matches!(self, Encryption::Handshake | Encryption::Require)
    }

    /// Whether they may begin with MSE.
    pub fn takes_encrypted(self) -> bool {
        self != Encryption::Off
    }

    /// Whether peers hear that we would rather be dialed with encryption.
    pub fn prefers(self) -> bool {
        !matches!(self, Encryption::Off | Encryption::Allow)
    }

    /// The payload method for a peer that offers these. Plain is the cheaper one.
    pub fn select(self, offer: u32) -> Option<u32> {
        let order = match self {
            Encryption::Off => [0, 0],
            Encryption::Allow | Encryption::Handshake => [PLAIN, RC4],
            Encryption::Prefer => [RC4, PLAIN],
            Encryption::Require => [RC4, 0],
        };
        order.into_iter().find(|&method| offer & method != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_selected_by_the_setting() {
        let table = [
            (Encryption::Off, [None; 5]),
            (Encryption::Allow, [None, Some(1), Some(2), Some(1), None]),
            (Encryption::Prefer, [None, Some(1), Some(2), Some(2), None]),
            (
                Encryption::Handshake,
                [None, Some(1), Some(2), Some(1), None],
            ),
            (Encryption::Require, [None, None, Some(2), Some(2), None]),
        ];
        for (setting, selected) in table {
            // Bits that are not known mean nothing.
            let offers = [0, 1, 2, 3, 0xffff_fffc];
            assert_eq!(offers.map(|offer| setting.select(offer)), selected);
            let more = offers.map(|offer| setting.select(offer | 0xf0));
            assert_eq!(more, selected);
        }
    }

    #[test]
    fn each_setting_dials_and_takes_what_its_name_says() {
        for (setting, plain, encrypted) in [
            (Encryption::Off, true, false),
            (Encryption::Allow, true, true),
            (Encryption::Prefer, true, true),
            (Encryption::Handshake, false, true),
            (Encryption::Require, false, true),
        ] {
            assert_eq!(setting.takes_plain(), plain);
            assert_eq!(setting.takes_encrypted(), encrypted);
            let forms = setting.forms();
            assert_eq!(forms.contains(&Form::Plain), plain);
            let veiled = |form: &Form| matches!(form, Form::Encrypted(_));
            assert_eq!(forms.iter().any(veiled), encrypted);
        }
    }
}
