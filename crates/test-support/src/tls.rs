//! Certificates for servers of tests, signed by an authority of the tests' own.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, Issuer, KeyPair, date_time_ymd,
};
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{PrivateKeyDer, pem::PemObject as _},
};

/// An authority that signs certificates for servers.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    /// Makes an authority with a key of its own.
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, "nodecard's tests");
        let key = KeyPair::generate().expect("a key");
        Authority(CertifiedIssuer::self_signed(params, key).expect("a certificate"))
    }

    /// Returns its certificate in PEM format, for those who are to trust it.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// Returns the settings of a server with these host names, whose certificate is valid.
    pub fn server(&self, names: &[&str]) -> Arc<ServerConfig> {
        settings(params(names), Some(&self.0))
    }

    /// Returns the settings of a server whose certificate has expired.
    pub fn expired_server(&self, names: &[&str]) -> Arc<ServerConfig> {
        let mut params = params(names);
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
        settings(params, Some(&self.0))
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

/// Returns the settings of a server whose certificate nobody but itself has signed.
pub fn self_signed_server(names: &[&str]) -> Arc<ServerConfig> {
    settings(params(names), None)
}

fn params(names: &[&str]) -> CertificateParams {
    CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
        .expect("host names")
}

fn settings(params: CertificateParams, issuer: Option<&Issuer<'_, KeyPair>>) -> Arc<ServerConfig> {
    let key = KeyPair::generate().expect("a key");
    let certificate = match issuer {
        Some(issuer) => params.signed_by(&key, issuer),
        None => params.self_signed(&key),
    };
    let certificate = certificate.expect("a certificate").der().clone();
    let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).expect("its key");
    let settings = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions of TLS")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key);
    Arc::new(settings.expect("a key that fits"))
}
