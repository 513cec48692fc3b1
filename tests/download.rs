//! Base images from the web: certificates, proxies and redirects, as this computer's owner sets
//! them.

use std::{fs, process::Command, sync::Arc};

use sha2::{Digest as _, Sha256};
use test_support::{
    proxy::Proxy,
    server::{Answer, Server},
    tls::{Authority, self_signed_server},
};

use crate::support::*;

/// A bench whose profile names this address, and the sample base image that servers have.
fn bench(base: &str) -> Bench {
    let profile = fs::read_to_string(Bench::new().path("profile.yaml")).unwrap();
    Bench::with_profile(&profile.replace(sample_base().to_str().unwrap(), base))
}

fn sample() -> Arc<Vec<u8>> {
    Arc::new(fs::read(sample_base()).unwrap())
}

fn sum(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Answers with the image, or with the sums beside it.
fn answer(image: &Arc<Vec<u8>>) -> impl Fn(usize, &str) -> Answer + Send + 'static {
    let sums = Arc::new(format!("{}  base.img.xz\n", sum(image)).into_bytes());
    let image = image.clone();
    move |_, path| match path {
        "/base.img.xz" => {
            Answer::File { bytes: image.clone(), tag: "\"a\"", drop_after: usize::MAX }
        }
        "/sha256sums" => Answer::File { bytes: sums.clone(), tag: "\"s\"", drop_after: usize::MAX },
        _ => Answer::Status(404),
    }
}

/// Returns the address of a path on a server, by the name `localhost`.
fn by_name(server: &Server, path: &str) -> String {
    server.url(path).replace("127.0.0.1", "localhost")
}

/// Returns the command that builds one image, without the variables of whoever runs the tests.
fn build(bench: &Bench) -> Command {
    let mut command = bench.command(&["--node", "xu4-node1"]);
    for name in ["https_proxy", "http_proxy", "all_proxy", "no_proxy"] {
        command.env_remove(name).env_remove(name.to_ascii_uppercase());
    }
    command.env_remove("SSL_CERT_FILE").env_remove("SSL_CERT_DIR");
    command
}

#[track_caller]
fn fails(bench: &Bench, command: &mut Command, code: i32, parts: &[&str]) {
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{said}");
    for part in parts {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!bench.path("profile.keys").exists(), "keys were made");
}

#[track_caller]
fn succeeds(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_server_is_trusted_if_its_authority_is() {
    let (authority, image) = (Authority::new(), sample());
    let server = Server::start_tls(authority.server(&["localhost"]), answer(&image));
    let bench = bench(&by_name(&server, "/base.img.xz"));
    fs::write(bench.path("ca.pem"), authority.pem()).unwrap();
    let untrusted = [
        "error: cannot trust the server of https://localhost:",
        "its certificate is not signed by anyone this computer trusts",
        "fix: if a proxy in your network intercepts https, ",
        "SSL_CERT_FILE",
    ];
    fails(&bench, &mut build(&bench), 3, &untrusted);
    assert_eq!(server.requests(), [""; 0], "a request was sent to it");
    let missing = bench.path("missing.pem");
    let parts = ["error: cannot read the certificates that SSL_CERT_FILE", "missing.pem"];
    fails(&bench, build(&bench).env("SSL_CERT_FILE", &missing), 3, &parts);
    fs::write(&missing, "no certificate").unwrap();
    fails(&bench, build(&bench).env("SSL_CERT_FILE", &missing), 3, &["no certificate in PEM"]);

    succeeds(build(&bench).env("SSL_CERT_FILE", bench.path("ca.pem")));
    assert_eq!(cat(&bench.path("out/xu4-node1.img"), "/etc/hostname"), "xu4-node1\n");
    // What was downloaded is used without the server.
    let requests = server.requests().len();
    succeeds(&mut build(&bench));
    let output = bench.nodecard(&["check", "profile.yaml"]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(server.requests().len(), requests);
}

/// The system's own store is trusted too: here one in a mount namespace.
#[test]
fn the_authorities_of_the_system_are_trusted() {
    if !namespaces() {
        return;
    }
    let (authority, image) = (Authority::new(), sample());
    let server = Server::start_tls(authority.server(&["localhost"]), answer(&image));
    let bench = bench(&by_name(&server, "/base.img.xz"));
    fs::create_dir(bench.path("certs")).unwrap();
    fs::write(bench.path("certs/ca-certificates.crt"), authority.pem()).unwrap();
    let inner = build(&bench);
    let script =
        "mkdir -p /etc/ssl/certs && mount --bind certs /etc/ssl/certs && exec \"$0\" \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", script]).arg(inner.get_program()).args(inner.get_args());
    command.current_dir(bench.path(""));
    for (name, value) in inner.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.env_remove("SSL_CERT_FILE").env_remove("SSL_CERT_DIR");
    succeeds(&mut command);
}

#[test]
fn certificates_that_do_not_fit_are_refused() {
    let (authority, image) = (Authority::new(), sample());
    let cases = [
        (authority.server(&["example.org"]), "its certificate is for another host name"),
        (authority.expired_server(&["localhost"]), "its certificate has expired"),
        (self_signed_server(&["localhost"]), "not signed by anyone this computer trusts"),
    ];
    for (settings, message) in cases {
        let server = Server::start_tls(settings, answer(&image));
        let bench = bench(&by_name(&server, "/base.img.xz"));
        fs::write(bench.path("ca.pem"), authority.pem()).unwrap();
        let mut command = build(&bench);
        command.env("SSL_CERT_FILE", bench.path("ca.pem"));
        fails(&bench, &mut command, 3, &[message, "fix: "]);
        assert_eq!(server.requests(), [""; 0], "{message}: a request was sent to it");
    }
}

#[test]
fn proxies_are_taken_from_the_environment() {
    let (authority, image) = (Authority::new(), sample());
    let server = Server::start_tls(authority.server(&["base.example.org"]), answer(&image));
    let proxy = Proxy::start(server.address());
    // Only the proxy knows the way to this host.
    let url = "https://base.example.org/base.img.xz";
    let with = |variables: &[(&str, &str)]| {
        let bench = bench(url);
        fs::write(bench.path("ca.pem"), authority.pem()).unwrap();
        let mut command = build(&bench);
        command.env("SSL_CERT_FILE", bench.path("ca.pem")).envs(variables.iter().copied());
        (bench, command)
    };
    for name in ["https_proxy", "HTTPS_PROXY", "ALL_PROXY"] {
        let before = proxy.targets().len();
        let (_bench, mut command) = with(&[(name, &proxy.url())]);
        succeeds(&mut command);
        let targets = proxy.targets();
        assert!(targets.len() > before, "{name}");
        assert!(targets.iter().all(|target| target == "base.example.org:443"), "{targets:?}");
    }
    let before = proxy.targets().len();
    let silent: [&[(&str, &str)]; 2] = [
        &[("HTTP_PROXY", &proxy.url())],
        &[("https_proxy", &proxy.url()), ("no_proxy", "localhost,example.org")],
    ];
    for variables in silent {
        let (bench, mut command) = with(variables);
        fails(&bench, &mut command, 3, &["cannot download https://base.example.org/"]);
    }
    assert_eq!(proxy.targets().len(), before);
    let (bench, mut command) = with(&[("HTTPS_PROXY", "gopher://me:secret@proxy.lan")]);
    fails(&bench, &mut command, 3, &["HTTPS_PROXY is not the address of a proxy", "fix: "]);
}

#[test]
fn redirects_to_plain_http_need_a_checksum() {
    let (authority, image) = (Authority::new(), sample());
    let plain = Server::start(answer(&image));
    let to: &'static str = Box::leak(plain.url("/base.img.xz").into_boxed_str());
    let sums = answer(&image);
    let server =
        Server::start_tls(authority.server(&["localhost"]), move |number, path| match path {
            "/base.img.xz" => Answer::Redirect(to),
            _ => sums(number, path),
        });
    let url = by_name(&server, "/base.img.xz");
    let bench_of = |base: &str| {
        let bench = bench(base);
        fs::write(bench.path("ca.pem"), authority.pem()).unwrap();
        let mut command = build(&bench);
        command.env("SSL_CERT_FILE", bench.path("ca.pem"));
        (bench, command)
    };
    let (bench, mut command) = bench_of(&url);
    fails(&bench, &mut command, 3, &["redirects to plain http", "sha256"]);
    assert_eq!(plain.requests(), [""; 0]);
    let (_bench, mut command) = bench_of(&format!("{{path: '{url}', sha256: {}}}", sum(&image)));
    succeeds(&mut command);
    assert_eq!(plain.requests().len(), 1);
}
