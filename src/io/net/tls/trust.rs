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
    use std::io::Write as _;

    use super::*;

    /// A root that nobody uses.
    const ROOT: &str = "-----BEGIN CERTIFICATE-----\n\
MIIBdTCCARugAwIBAgIUcP7ToXh/xeezjpDnyt2CuSlaKtIwCgYIKoZIzj0EAwIw\n\
DzENMAsGA1UEAwwEcm9vdDAgFw0yNjExMjkyMDIzNDNaGA8yMTI2MTEwNTIwMjM0\n\
M1owDzENMAsGA1UEAwwEcm9vdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABMhb\n\
FheLS1H1LXJTndQtOiwgywUvuMEaUwARAkMzhzumJWN94r/hHa2/kwUCOyRpnW9/\n\
yclehg1oEYeWGMK/5hmjUzBRMB0GA1UdDgQWBBSUwsp6/NbCCif48c6AtxIZDvUT\n\
cjAfBgNVHSMEGDAWgBSUwsp6/NbCCif48c6AtxIZDvUTcjAPBgNVHRMBAf8EBTAD\n\
AQH/MAoGCCqGSM49BAMCA0gAMEUCIDuqDXEqJ+d4CMxlsE6+sb79x7W5C/Te6Fp9\n\
21Y9VK73AiEAhiu/nNJoVWwh7VypGRZs4Qom5RlVgX+rSU9tVIZHTjs=\n\
-----END CERTIFICATE-----\n";

    /// What stands in a file past the bound is not read.
    #[test]
    fn a_list_is_read_as_far_as_the_bound() {
        let path = std::env::temp_dir().join(format!("brooklet-roots-{}", std::process::id()));
        let has_root = |before: u64| {
            let mut file = File::create(&path).unwrap();
            std::io::copy(&mut std::io::repeat(b'\n').take(before), &mut file).unwrap();
            file.write_all(ROOT.as_bytes()).unwrap();
            read(path.to_str().unwrap()).is_ok()
        };
        let fits = limits::ROOTS_FILE - ROOT.len() as u64;
        let found = [has_root(0), has_root(fits), has_root(limits::ROOTS_FILE)];
        std::fs::remove_file(&path).unwrap();
        assert_eq!(found, [true, true, false]);
    }

    #[test]
    fn what_is_no_list_of_certificates_is_refused() {
        let why = read("/nonexistent").unwrap_err();
        assert!(why.contains("no such file"), "{why}");
        let own = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        assert_eq!(read(own).unwrap_err(), "there is no certificate in it");
        assert!(!webpki_roots::TLS_SERVER_ROOTS.is_empty());
    }
}
