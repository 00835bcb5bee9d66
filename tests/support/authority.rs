//! Certificates of the tests' own, made by openssl.

use std::path::PathBuf;
use std::process::Command;

/// One that issues certificates, and trusts nobody else.
#[derive(Debug)]
pub struct Authority {
    folder: PathBuf,
}

/// A certificate, and its key.
#[derive(Debug)]
pub struct Certificate {
    /// The file of the certificate.
    pub file: PathBuf,
    /// The file of its key.
    pub key: PathBuf,
}

const CONFIG: &str = "[ca]\ndefault_ca = own\n[own]\ndatabase = index.txt\nnew_certs_dir = .\n\
                      certificate = ca.pem\nprivate_key = ca.key\ndefault_md = sha256\n\
                      policy = any\nrand_serial = yes\nunique_subject = no\n\
                      [any]\ncommonName = supplied\n";

impl Authority {
    /// One of this name, in this folder.
    pub fn new(folder: PathBuf, name: &str) -> Authority {
        std::fs::write(folder.join("config"), CONFIG).unwrap();
        std::fs::write(folder.join("index.txt"), "").unwrap();
        let authority = Authority { folder };
        let subject = format!("/CN={name}");
        authority.openssl(
            "req -x509",
            &["-days", "30", "-subj", &subject],
            ("ca.key", "ca.pem"),
        );
        authority
    }

    /// Its own certificate: a list of those that may be trusted.
    pub fn file(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// A certificate for these names (`DNS:a,IP:b`), valid between these days (`20260101`).
    pub fn issue(&self, file: &str, names: &str, days: [&str; 2]) -> Certificate {
        let (key, request, certificate) = (
            format!("{file}.key"),
            format!("{file}.csr"),
            format!("{file}.pem"),
        );
        let extensions = format!("subjectAltName={names}\n");
        std::fs::write(self.folder.join("extensions"), extensions).unwrap();
        self.openssl("req", &["-subj", "/CN=server"], (&key, &request));
        let [start, end] = days.map(|day| format!("{day}000000Z"));
        let mut issue = Command::new("openssl");
        issue.args(["ca", "-batch", "-config", "config", "-notext"]);
        issue.args([
            "-extfile",
            "extensions",
            "-in",
            &request,
            "-out",
            &certificate,
        ]);
        self.run(issue.args(["-startdate", &start, "-enddate", &end]));
        self.made(&certificate, &key)
    }

    /// A certificate that vouches for itself.
    pub fn self_signed(&self, file: &str, name: &str) -> Certificate {
        let (key, certificate) = (format!("{file}.key"), format!("{file}.pem"));
        let names = format!("subjectAltName={name}");
        let options = ["-days", "30", "-subj", "/CN=server", "-addext", &names];
        self.openssl("req -x509", &options, (&key, &certificate));
        self.made(&certificate, &key)
    }

    fn made(&self, certificate: &str, key: &str) -> Certificate {
        Certificate {
            file: self.folder.join(certificate),
            key: self.folder.join(key),
        }
    }

    fn openssl(&self, words: &str, options: &[&str], (key, out): (&str, &str)) {
        let mut make = Command::new("openssl");
        make.args(words.split(' ')).args(options);
        make.args([
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
        ]);
        self.run(make.args(["-keyout", key, "-out", out]));
    }

    fn run(&self, command: &mut Command) {
        let done = command.current_dir(&self.folder).output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{command:?}: {said}");
    }
}
