//! TLS with a certificate of the sandbox's own making, which nobody trusts who is not told to.
//!
//! Each start makes a certificate authority, lets it issue one certificate for this machine, and forgets the authority's
//! key at once: whoever trusts the authority's file trusts nothing but this sandbox.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;

use crate::report::file::{FileError, ReportFile};

/// HTTP/2 by its name in TLS.
pub(super) const H2: &[u8] = b"h2";

/// What this machine is called.
const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// How long a certificate holds.
const VALID: Duration = Duration::from_hours(30 * 24);

/// How far another clock may be behind.
const LENIENCE: Duration = Duration::from_hours(1);

/// What it takes to speak TLS.
pub(super) struct Tls {
    pub(super) acceptor: TlsAcceptor,
    pub(super) authority: Authority,
}

/// The certificate of the authority, and the file that holds it.
#[derive(Debug)]
pub(super) struct Authority {
    pub(super) pem: String,
    pub(super) file: PathBuf,
    /// Whether nobody named the file, so that it goes with the sandbox.
    is_temporary: bool,
}

impl Tls {
    /// Makes the certificates, and puts that of the authority in a file: at `out`, or where there is none in a new one
    /// in the system's folder for temporary files.
    pub(super) fn new(out: Option<&Path>) -> io::Result<Self> {
        let (pem, acceptor) = identity().map_err(io::Error::other)?;
        let name = || std::env::temp_dir().join(format!("metapatch-sandbox-{:016x}.pem", fastrand::u64(..)));
        let file = out.map_or_else(name, Path::to_owned);
        put(&file, &pem, out.is_some()).map_err(io::Error::other)?;
        Ok(Self { acceptor, authority: Authority { pem, file, is_temporary: out.is_none() } })
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        if self.is_temporary {
            // Who removed it before has done what was wanted.
            let _ = std::fs::remove_file(&self.file);
        }
    }
}

fn put(file: &Path, pem: &str, force: bool) -> Result<(), FileError> {
    let mut out = ReportFile::create(file, force)?;
    out.write_all(pem.as_bytes()).map_err(|source| FileError::Io { path: file.to_owned(), source })?;
    out.finish()
}

/// An authority's certificate as PEM, and an acceptor with a certificate that it issued.
fn identity() -> Result<(String, TlsAcceptor), Box<dyn std::error::Error + Send + Sync>> {
    // Of two authorities by one name, neither could be told from a forgery of the other.
    let mut params = params(&format!("metapatch sandbox {:016x}", fastrand::u64(..)), &[])?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let authority_key = KeyPair::generate()?;
    let pem = params.self_signed(&authority_key)?.pem();
    let authority = Issuer::new(params, authority_key);

    let mut params = self::params("localhost", &NAMES)?;
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, &authority)?.der().clone();

    let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let config = config.with_safe_default_protocol_versions()?.with_no_client_auth();
    let mut config = config.with_single_cert(vec![certificate], key)?;
    config.alpn_protocols = vec![H2.to_vec(), b"http/1.1".to_vec()];
    Ok((pem, TlsAcceptor::from(Arc::new(config))))
}

fn params(name: &str, alternatives: &[&str]) -> Result<CertificateParams, rcgen::Error> {
    let alternatives: Vec<_> = alternatives.iter().map(ToString::to_string).collect();
    let mut params = CertificateParams::new(alternatives)?;
    params.distinguished_name.push(DnType::CommonName, name);
    let now = SystemTime::now();
    params.not_before = (now - LENIENCE).into();
    params.not_after = (now + VALID).into();
    Ok(params)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_authority_stands_in_a_file_of_its_own_that_goes_with_it() {
        let (one, other) = (Tls::new(None).expect("is made"), Tls::new(None).expect("is made"));
        let file = one.authority.file.clone();
        assert_ne!(file, other.authority.file);
        assert_eq!(std::fs::read_to_string(&file).expect("is there"), one.authority.pem);
        assert!(one.authority.pem.starts_with("-----BEGIN CERTIFICATE-----"));
        drop(one);
        assert!(!file.exists());
    }

    #[test]
    fn a_file_that_was_named_stays_and_is_replaced_the_next_time() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("ca.pem");
        let first = Tls::new(Some(&file)).expect("is made").authority.pem.clone();
        let second = Tls::new(Some(&file)).expect("is made").authority.pem.clone();
        assert_ne!(first, second);
        assert_eq!(std::fs::read_to_string(&file).expect("is there"), second);
        let nowhere = Tls::new(Some(&folder.path().join("no/such/ca.pem"))).err().expect("is refused").to_string();
        assert!(nowhere.contains("does not exist"), "{nowhere}");
    }
}
