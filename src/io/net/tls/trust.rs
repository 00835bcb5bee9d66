//! Whose certificates are good: those that the system trusts, or where it has no list of them,
//! those that Mozilla trusts, which the program contains.

use std::fs::File;
use std::io::Read as _;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::base::limits;
use crate::io::net::words::plain;

/// The variable of the environment that names a file instead, as for OpenSSL and curl.
const VARIABLE: &str = "SSL_CERT_FILE";

/// Where systems keep the list: Debian and Arch; Fedora; openSUSE; Alpine.
const FILES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The list.
///
/// # Errors
/// The user names a file that is none.
pub fn roots() -> Result<RootCertStore, String> {
    if let Some(named) = std::env::var_os(VARIABLE).filter(|it| !it.is_empty()) {
        let path = named.to_string_lossy().into_owned();
        return read(&path).map_err(|why| format!("{VARIABLE}: {path}: {why}"));
    }
    let found = FILES.iter().find_map(|path| read(path).ok());
    Ok(found.unwrap_or_else(|| RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    }))
}

/// The certificates of a file; those that cannot be read are left out, as systems have some.
fn read(path: &str) -> Result<RootCertStore, String> {
    let mut text = Vec::new();
    let file = File::open(path).map_err(|error| plain(&error))?;
    let read = file.take(limits::ROOTS_FILE).read_to_end(&mut text);
    read.map_err(|error| plain(&error))?;
    let mut store = RootCertStore::empty();
    let all = CertificateDer::pem_slice_iter(&text);
    store.add_parsable_certificates(all.filter_map(Result::ok));
    if store.is_empty() {
        return Err(String::from("there is no certificate in it"));
    }
    Ok(store)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_list_of_certificates_is_refused() {
        let why = read("/nonexistent").unwrap_err();
        assert!(why.contains("no such file"), "{why}");
        let own = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        assert_eq!(read(own).unwrap_err(), "there is no certificate in it");
        assert!(!webpki_roots::TLS_SERVER_ROOTS.is_empty());
    }
}
