//! Whether a certificate is good, as the library judges, and in plain words why it is not.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

/// The library's verifier, with our words.
#[derive(Debug)]
pub struct Verifier(Arc<WebPkiServerVerifier>);

/// Names of a certificate that are told.
const NAMES: usize = 3;

impl Verifier {
    /// One that trusts in these.
    ///
    /// # Errors
    /// They are none.
    pub fn new(roots: RootCertStore, provider: Arc<CryptoProvider>) -> Result<Verifier, String> {
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
        let built = verifier.build().map_err(|error| error.to_string())?;
        Ok(Verifier(built))
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verdict =
            self.0
                .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        verdict.map_err(|error| match error {
            Error::InvalidCertificate(why) => {
                Error::General(words(&why, end_entity, &server_name.to_str()))
            }
            other => other,
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

/// Why the certificate of the server of this name is not good.
fn words(why: &CertificateError, certificate: &[u8], name: &str) -> String {
    let names = issuer_and_subject(certificate);
    let reason = match why {
        CertificateError::ExpiredContext { not_after, .. } => {
            format!("it expired on {}", date(not_after.as_secs()))
        }
        CertificateError::Expired => String::from("it has expired"),
        CertificateError::NotValidYetContext { not_before, .. } => {
            format!("it is valid from {} on", date(not_before.as_secs()))
        }
        CertificateError::NotValidForNameContext { presented, .. } if !presented.is_empty() => {
            // Each stands in quotes behind its kind.
            let plain = |it: &String| it.split('"').nth(1).unwrap_or(it).to_owned();
            let shown: Vec<String> = presented.iter().take(NAMES).map(plain).collect();
            let more = if presented.len() > NAMES { ", ..." } else { "" };
            format!("it is for {}{more}", crate::http::shown(&shown.join(", ")))
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            String::from("it is for another name")
        }
        _ if names.is_some_and(|(issuer, subject)| issuer == subject) => {
            String::from("it is self-signed: nobody vouches for it")
        }
        CertificateError::UnknownIssuer => match names.and_then(|it| common_name(it.0)) {
            Some(issuer) => {
                let issuer = crate::http::shown(&issuer);
                format!("its issuer is not known: {issuer}")
            }
            None => String::from("its issuer is not known"),
        },
        other => format!("{other:?}"),
    };
    format!("the certificate of {name} is not good: {reason}")
}

/// The names of who issued a certificate, and of whose it is (RFC 5280), as they are encoded.
fn issuer_and_subject(certificate: &[u8]) -> Option<(&[u8], &[u8])> {
    let (_, whole, _) = element(certificate)?;
    let (_, mut rest, _) = element(whole)?;
    if rest.first() == Some(&VERSION) {
        rest = element(rest)?.2;
    }
    // The number of the certificate, and the kind of its signature.
    let rest = element(element(rest)?.2)?.2;
    let (_, issuer, rest) = element(rest)?;
    let (_, _, rest) = element(rest)?;
    let (_, subject, _) = element(rest)?;
    Some((issuer, subject))
}

const VERSION: u8 = 0xa0;
/// The common name in a name, and how an object's number begins.
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];

/// The common name, or whatever name is there.
fn common_name(mut name: &[u8]) -> Option<String> {
    let mut found = None;
    while let Some((_, set, rest)) = element(name) {
        name = rest;
        let (_, pair, _) = element(set)?;
        let (_, kind, value) = element(pair)?;
        let (_, text, _) = element(value)?;
        if found.is_none() || kind == COMMON_NAME {
            found = Some(String::from_utf8_lossy(text).into_owned());
        }
    }
    found
}

/// The kind of the first element (DER), its content, and what follows it.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&kind, rest) = bytes.split_first()?;
    let (&first, mut rest) = rest.split_first()?;
    let mut length = usize::from(first);
    if let Some(count) = length.checked_sub(0x80) {
        if count > 4 {
            return None;
        }
        let digits;
        (digits, rest) = rest.split_at_checked(count)?;
        length = digits
            .iter()
            .fold(0, |sum, digit| (sum << 8) | usize::from(*digit));
    }
    let (content, rest) = rest.split_at_checked(length)?;
    Some((kind, content, rest))
}

/// The day of a moment, counted in seconds since 1970.
fn date(seconds: u64) -> String {
    // Howard Hinnant, "chrono-compatible low-level date algorithms": eras of 400 years, years that
    // begin in March.
    let days = seconds / 86_400 + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, later) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    format!("{}-{month:02}-{day:02}", era * 400 + year + later)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_told() {
        for (seconds, day) in [
            (0, "1970-01-01"),
            (951_782_400, "2000-02-29"),
            (1_795_979_036, "2026-11-29"),
            (4_107_542_400, "2100-03-01"),
        ] {
            assert_eq!(date(seconds), day);
        }
    }

    #[test]
    fn elements_are_cut_where_they_say() {
        assert_eq!(
            element(b"\x02\x01\x05rest"),
            Some((2, &b"\x05"[..], &b"rest"[..]))
        );
        assert_eq!(
            element(b"\x30\x81\x01\x05"),
            Some((0x30, &b"\x05"[..], &b""[..]))
        );
        for bad in [
            &b""[..],
            b"\x02",
            b"\x02\x02\x05",
            b"\x02\x81",
            b"\x02\x85\0\0\0\0\0",
        ] {
            assert_eq!(element(bad), None);
        }
        // SET { SEQUENCE { common name, "CA" } }
        let name = b"\x31\x0b\x30\x09\x06\x03\x55\x04\x03\x0c\x02CA";
        assert_eq!(common_name(name).as_deref(), Some("CA"));
        assert_eq!(issuer_and_subject(name), None);
    }
}
