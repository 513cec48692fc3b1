//! How an address on the web is reached: through which proxy, and whom to trust there.

use std::{io, time::Duration};

use rustls::CertificateError;
use ureq::{
    Agent, Proxy,
    tls::{Certificate, RootCerts, TlsConfig},
};

use crate::base::{BaseError, CertificateFault};

/// A server from which nothing comes for so long is gone.
pub(super) const STALLED: Duration = Duration::from_secs(60);

/// Returns what sends requests to an address and to where it redirects. Without a checksum,
/// https never leads to plain http, since anybody on the way can change what that returns.
pub(super) fn agent(url: &str, has_checksum: bool) -> Result<Agent, BaseError> {
    let mut config = Agent::config_builder()
        .https_only(url.starts_with("https://") && !has_checksum)
        .http_status_as_error(false)
        .timeout_connect(Some(Duration::from_secs(30)))
        .timeout_recv_response(Some(STALLED))
        .proxy(proxy(url, |name| std::env::var(name).ok())?)
        .user_agent(concat!("nodecard/", env!("CARGO_PKG_VERSION")));
    if url.starts_with("https://") {
        config = config.tls_config(TlsConfig::builder().root_certs(trusted()?).build());
    }
    Ok(config.build().into())
}

/// Returns the certificates of those who may sign for servers: what $SSL_CERT_FILE and
/// $SSL_CERT_DIR name, or else the system's. Networks whose proxy opens connections have
/// theirs there. Mozilla's on a system that has none.
fn trusted() -> Result<RootCerts, BaseError> {
    let found = rustls_native_certs::load_native_certs();
    if !found.certs.is_empty() {
        let certificate = |der: &_| Certificate::from_der(AsRef::<[u8]>::as_ref(der)).to_owned();
        return Ok(found.certs.iter().map(certificate).collect::<Vec<_>>().into());
    }
    let is_named =
        ["SSL_CERT_FILE", "SSL_CERT_DIR"].iter().any(|name| std::env::var_os(name).is_some());
    if !is_named {
        return Ok(RootCerts::WebPki);
    }
    let source = found.errors.into_iter().next().map_or_else(
        || io::Error::new(io::ErrorKind::InvalidData, "no certificate in PEM format"),
        io::Error::other,
    );
    Err(BaseError::TrustedCertificates { source })
}

/// Returns the proxy for an address, as curl(1) reads it from the environment: the one for the
/// address's scheme, or else the one for all; none for the hosts in `no_proxy`. Names in lower
/// case come first.
fn proxy(url: &str, variable: impl Fn(&str) -> Option<String>) -> Result<Option<Proxy>, BaseError> {
    let scheme = url.split_once("://").map_or("", |(scheme, _)| scheme);
    let value = |name: &str| {
        let names = [name.to_owned(), name.to_ascii_uppercase()];
        let set = names.into_iter().filter_map(|name| Some((variable(&name)?, name)));
        set.into_iter().find(|(value, _)| !value.trim().is_empty())
    };
    let Some((text, name)) = value(&format!("{scheme}_proxy")).or_else(|| value("all_proxy"))
    else {
        return Ok(None);
    };
    let invalid = |_| BaseError::Proxy { variable: name.clone() };
    let found = Proxy::new(text.trim()).map_err(invalid)?;
    let mut proxy = Proxy::builder(found.protocol())
        .host(found.host())
        .port(found.port())
        .resolve_target(found.resolve_target());
    if let Some(user) = found.username() {
        proxy = proxy.username(user);
    }
    if let Some(password) = found.password() {
        proxy = proxy.password(password);
    }
    let hosts = value("no_proxy").map(|(hosts, _)| hosts).unwrap_or_default();
    for host in hosts.split([',', ' ', '\t']).filter(|host| !host.is_empty()) {
        // A domain stands for the hosts in it, with and without a dot in front.
        let host = host.trim_start_matches("*.").trim_start_matches('.');
        proxy = proxy.no_proxy(host).no_proxy(&format!(".{host}"));
    }
    proxy.build().map(Some).map_err(invalid)
}

/// Returns why the server at `url` is not trusted, if that is what went wrong.
pub(super) fn distrust(url: &str, error: &ureq::Error) -> Option<BaseError> {
    let error = match error {
        ureq::Error::RequireHttpsOnly(_) => {
            return Some(BaseError::InsecureRedirect { url: url.to_owned() });
        }
        ureq::Error::Rustls(error) => error,
        ureq::Error::Io(error) => error.get_ref()?.downcast_ref()?,
        _ => return None,
    };
    let rustls::Error::InvalidCertificate(why) = error else { return None };
    let (url, fault) = (url.to_owned(), fault(why));
    Some(BaseError::Certificate { url, fault, source: Box::new(error.clone()) })
}

fn fault(error: &CertificateError) -> CertificateFault {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            CertificateFault::Expired
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            CertificateFault::NotValidYet
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            CertificateFault::OtherHost
        }
        CertificateError::UnknownIssuer => CertificateFault::UnknownIssuer,
        _ => CertificateFault::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(url: &str, variables: &[(&str, &str)]) -> Option<Proxy> {
        let variable = |name: &str| {
            let found = variables.iter().find(|(other, _)| *other == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        proxy(url, variable).unwrap()
    }

    #[test]
    fn each_scheme_has_its_proxy() {
        let port =
            |url, variables: &[(&str, &str)]| found(url, variables).map(|proxy| proxy.port());
        let both =
            [("HTTP_PROXY", "http://p:1"), ("HTTPS_PROXY", "http://p:2"), ("ALL_PROXY", "p:3")];
        assert_eq!(port("http://x/", &both), Some(1));
        assert_eq!(port("https://x/", &both), Some(2));
        assert_eq!(port("https://x/", &[both[0], both[2]]), Some(3));
        assert_eq!(port("https://x/", &both[..1]), None);
        assert_eq!(port("https://x/", &[both[1], ("https_proxy", "socks5h://p:4")]), Some(4));
        assert_eq!(port("https://x/", &[("https_proxy", ""), both[2]]), Some(3));
        let proxy = found("https://x/", &[("https_proxy", "http://me:a%40b@p:1")]).unwrap();
        assert_eq!((proxy.username(), proxy.password()), (Some("me"), Some("a@b")));
    }

    #[test]
    fn hosts_and_domains_go_without_a_proxy() {
        let proxy = found(
            "https://x/",
            &[("all_proxy", "http://p:1"), ("no_proxy", "localhost, .lan,*.example.org 10.0.0.1")],
        );
        let proxy = proxy.unwrap();
        let is_direct = |url: &str| proxy.is_no_proxy(&url.parse().unwrap());
        for url in [
            "https://localhost:1/",
            "https://nas.lan/",
            "https://lan/",
            "https://example.org/",
            "https://a.b.example.org/",
            "https://10.0.0.1/",
        ] {
            assert!(is_direct(url), "{url}");
        }
        for url in ["https://notexample.org/", "https://10.0.0.11/", "https://lan.net/"] {
            assert!(!is_direct(url), "{url}");
        }
        let all = found("https://x/", &[("all_proxy", "http://p:1"), ("no_proxy", "*")]).unwrap();
        assert!(all.is_no_proxy(&"https://anything/".parse().unwrap()));
    }

    #[test]
    fn a_proxy_that_is_none_is_an_error_without_its_password() {
        let error = proxy("https://x/", |name| {
            (name == "HTTPS_PROXY").then(|| "gopher://me:secret@p".to_owned())
        });
        let error = error.unwrap_err();
        assert!(error.to_string().contains("HTTPS_PROXY") && !error.to_string().contains("secret"));
    }
}
