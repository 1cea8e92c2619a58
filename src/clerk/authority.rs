//! Certificate authorities that are trusted as well as the system's.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use reqwest::Certificate;
use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;

/// The largest file that is read, in bytes: four times the bundle of a whole system.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// Certificates of authorities, at least one.
#[derive(Debug, Clone)]
pub struct Authorities(Vec<Certificate>);

/// Why a file gives no authorities.
#[derive(Debug, thiserror::Error)]
pub enum AuthoritiesError {
    /// It cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is no bundle of certificates.
    #[error("{} is no certificate of an authority: {what}; expected PEM, which begins with `-----BEGIN CERTIFICATE-----`", path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
}

impl Authorities {
    /// Reads a PEM file of one or more certificates.
    pub fn read(path: &Path) -> Result<Self, AuthoritiesError> {
        let unreadable = |source| AuthoritiesError::Unreadable { path: path.to_owned(), source };
        let mut pem = Vec::new();
        File::open(path).and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut pem)).map_err(unreadable)?;
        Self::parse(&pem).map_err(|what| AuthoritiesError::NoCertificate { path: path.to_owned(), what })
    }

    fn parse(pem: &[u8]) -> Result<Self, &'static str> {
        if pem.len() as u64 > MAX_FILE_BYTES {
            return Err("it is larger than 1 MiB");
        }
        // What the client is given is only looked at when it is set up, with an error that names no file.
        let mut checked = RootCertStore::empty();
        let mut certificates = Vec::new();
        for der in CertificateDer::pem_slice_iter(pem) {
            let der = der.map_err(|_| "the PEM in it is damaged")?;
            certificates.push(Certificate::from_der(&der).map_err(|_| "what the PEM holds is no certificate")?);
            checked.add(der).map_err(|_| "what the PEM holds is no certificate")?;
        }
        if certificates.is_empty() { Err("there is no PEM certificate in it") } else { Ok(Self(certificates)) }
    }

    pub(super) fn certificates(&self) -> impl Iterator<Item = Certificate> {
        self.0.iter().cloned()
    }
}

#[cfg(test)]
mod tests {
    use rcgen::generate_simple_self_signed;

    use super::*;

    fn certificate() -> String {
        generate_simple_self_signed(vec!["localhost".to_owned()]).expect("is made").cert.pem()
    }

    #[test]
    fn a_file_may_hold_several_certificates_and_words_between_them() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("ca.pem");
        std::fs::write(&path, format!("one\n{}two\n{}", certificate(), certificate())).expect("is written");
        assert_eq!(Authorities::read(&path).expect("is good").certificates().count(), 2);
    }

    #[test]
    fn what_is_no_certificate_is_said_with_the_path() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("ca.pem");
        let key = rcgen::KeyPair::generate().expect("is made").serialize_pem();
        for (text, said) in [
            (String::new(), "no PEM certificate in it"),
            ("hello".to_owned(), "no PEM certificate in it"),
            (key, "no PEM certificate in it"),
            ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_owned(), "holds is no certificate"),
            ("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n".to_owned(), "is damaged"),
            (certificate().split_once("-----END").expect("has an end").0.to_owned(), "is damaged"),
            (" ".repeat(1024 * 1024 + 1), "larger than 1 MiB"),
        ] {
            std::fs::write(&path, text).expect("is written");
            let told = Authorities::read(&path).expect_err(said).to_string();
            assert!(told.contains("ca.pem is no certificate") && told.contains(said), "{told}");
        }
        let missing = folder.path().join("none.pem");
        assert!(Authorities::read(&missing).expect_err("is missing").to_string().contains("cannot read"));
    }
}
