//! Running the system's ssh, with the cluster's keys and no other settings.

use std::{
    collections::BTreeMap,
    fs, io,
    io::{Read, Write as _},
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use block_io::Cancel;
use cluster_profile::Node;
use tempfile::TempDir;

use crate::{Error, ExportForm, Project, access::identity_files};

/// What a node is asked. It is sent to a shell there.
const PROBE: &str = include_str!("probe.sh");

/// The longest time that one login and its answer may take. Slow boards that boot take half
/// of it.
const LONGEST: Duration = Duration::from_secs(60);

/// The most bytes of an answer that are read.
const LARGEST_ANSWER: u64 = 1 << 20;

/// What ssh needs to log in to the nodes of a cluster.
pub(super) struct Session {
    /// Holds the files that ssh reads.
    directory: TempDir,
    /// The keys to try for each user.
    identities: BTreeMap<String, Vec<PathBuf>>,
}

/// What ssh printed.
pub(super) struct Run {
    pub stdout: String,
    stderr: String,
    timed_out: bool,
}

/// What came of logging in to a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The user was let in.
    LoggedIn,
    /// The host key was the right one, but the node accepts no key of this computer.
    Denied,
    /// Whoever answered has another host key; this is its fingerprint, if ssh reported it.
    WrongHostKey {
        /// `SHA256:…`
        fingerprint: Option<String>,
    },
    /// Something else happened, in ssh's own words.
    Failed {
        /// The last line that ssh printed.
        message: String,
    },
}

impl Session {
    /// Writes the files that ssh needs into a temporary directory.
    pub fn open(project: &Project) -> Result<Self, Error> {
        let failed = |source| Error::SshFiles { source };
        let known_hosts = project.export(ExportForm::KnownHosts, None)?;
        let directory =
            tempfile::Builder::new().prefix("nodecard-status.").tempdir().map_err(failed)?;
        fs::write(directory.path().join("known_hosts"), known_hosts).map_err(failed)?;
        let mut identities = BTreeMap::new();
        for (user_number, user) in project.cluster().key_users().into_iter().enumerate() {
            let mut files = identity_files(project, user)?;
            // For a key that only an agent has, ssh takes the file of its public half.
            for (number, line) in project.cluster().authorized_keys(user).iter().enumerate() {
                let file = directory.path().join(format!("owner-{user_number}-{number}.pub"));
                fs::write(&file, format!("{line}\n")).map_err(failed)?;
                files.push(file);
            }
            identities.insert(user.to_owned(), files);
        }
        Ok(Session { directory, identities })
    }

    /// Asks a node as a user.
    ///
    /// # Errors
    /// [`Error::NoSsh`], [`Error::Interrupted`].
    pub fn run(&self, node: &Node, user: &str, cancel: &Cancel) -> Result<Run, Error> {
        let mut command = self.command(node, user);
        let mut child = command.spawn().map_err(|source| Error::NoSsh { source })?;
        let stdout = child.stdout.take().map(read_in_background);
        let stderr = child.stderr.take().map(read_in_background);
        let stdin = child.stdin.take().map(|mut stdin| {
            // ssh may end without reading it.
            thread::spawn(move || drop(stdin.write_all(PROBE.as_bytes())))
        });
        let ended = wait(&mut child, cancel);
        if ended.is_err() || matches!(ended, Ok(false)) {
            let _ = child.kill();
            let _ = child.wait();
        }
        if let Some(writer) = stdin {
            let _ = writer.join();
        }
        let text = |reader: Option<thread::JoinHandle<String>>| {
            reader.and_then(|reader| reader.join().ok()).unwrap_or_default()
        };
        let run = Run { stdout: text(stdout), stderr: text(stderr), timed_out: !ended? };
        Ok(run)
    }

    fn command(&self, node: &Node, user: &str) -> Command {
        let mut known_hosts = "UserKnownHostsFile=".to_owned();
        known_hosts += &quoted(&self.directory.path().join("known_hosts"));
        let mut command = Command::new("ssh");
        // -v names the host key that was presented. Without the user's own files, the result
        // is the same for every user of this computer.
        command.args(["-v", "-T", "-F", "none", "-o", "BatchMode=yes"]);
        command.args(["-o", "StrictHostKeyChecking=yes", "-o", &known_hosts]);
        command.args(["-o", "GlobalKnownHostsFile=/dev/null", "-o", "UpdateHostKeys=no"]);
        command.args(["-o", &format!("HostKeyAlias={}", node.name)]);
        command.args(["-o", "ConnectTimeout=10", "-o", "ServerAliveInterval=5"]);
        command.args(["-o", "PreferredAuthentications=publickey", "-o", "IdentitiesOnly=yes"]);
        let none = Vec::new();
        let identities = self.identities.get(user).unwrap_or(&none);
        for file in identities {
            command.args(["-o", &format!("IdentityFile={}", quoted(file))]);
        }
        if identities.is_empty() {
            command.args(["-o", "IdentityFile=none"]);
        }
        command.args(["-l", user, &node.address.to_string(), "sh", "-s"]);
        command.env("LC_ALL", "C");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}

/// Returns a path as ssh_config(5) reads it.
fn quoted(path: &std::path::Path) -> String {
    let path = path.display().to_string();
    format!("\"{}\"", path.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%"))
}

/// Reads a pipe on a thread, so that neither side waits for the other. Reads to the end, and
/// keeps the beginning.
fn read_in_background(mut pipe: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.by_ref().take(LARGEST_ANSWER).read_to_end(&mut bytes);
        let _ = io::copy(&mut pipe, &mut io::sink());
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// Waits for a program. Returns whether it ended in time.
fn wait(child: &mut Child, cancel: &Cancel) -> Result<bool, Error> {
    let until = Instant::now() + LONGEST;
    loop {
        if child.try_wait().map_err(|source| Error::NoSsh { source })?.is_some() {
            return Ok(true);
        }
        cancel.check()?;
        if Instant::now() > until {
            return Ok(false);
        }
        thread::sleep(Duration::from_millis(20));
    }
}

impl Run {
    /// Returns what came of logging in, from what `ssh -v` prints.
    pub fn outcome(&self) -> Outcome {
        let lines = || self.stderr.lines().map(str::trim);
        let has = |part: &str| lines().any(|line| line.contains(part));
        if has("debug1: Authentication succeeded") || lines().any(is_authenticated) {
            return Outcome::LoggedIn;
        }
        if has("Host key verification failed") || has("REMOTE HOST IDENTIFICATION HAS CHANGED") {
            let presented = lines().find_map(|line| line.split_once("Server host key: "));
            let fingerprint = presented
                .and_then(|(_, rest)| rest.split_whitespace().find(|w| w.starts_with("SHA256:")));
            return Outcome::WrongHostKey { fingerprint: fingerprint.map(str::to_owned) };
        }
        if has("Permission denied (") || has("Too many authentication failures") {
            return Outcome::Denied;
        }
        let last = lines().rfind(|line| {
            !line.is_empty() && !line.starts_with("debug") && !line.starts_with("OpenSSH_")
        });
        let message = match last {
            Some(line) => line.to_owned(),
            None if self.timed_out => format!("no answer within {} s", LONGEST.as_secs()),
            None => "ssh ended without a message".to_owned(),
        };
        Outcome::Failed { message }
    }
}

/// Returns whether a line says that ssh was let in: `Authenticated to 10.0.0.1 ([10.0.0.1]:22)
/// using "publickey".`, before OpenSSH 8.8 with `debug1: ` in front of some of it.
fn is_authenticated(line: &str) -> bool {
    line.trim_start_matches("debug1: ").starts_with("Authenticated to ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(stderr: &str) -> Outcome {
        Run { stdout: String::new(), stderr: stderr.to_owned(), timed_out: false }.outcome()
    }

    #[test]
    fn outcomes_follow_from_what_ssh_prints() {
        let key = "debug1: Server host key: ssh-ed25519 SHA256:abc\n";
        assert_eq!(
            outcome(&format!(
                "{key}Authenticated to 10.0.0.1 ([10.0.0.1]:22) using \"publickey\"."
            )),
            Outcome::LoggedIn
        );
        assert_eq!(
            outcome(&format!("{key}Host key verification failed.")),
            Outcome::WrongHostKey { fingerprint: Some("SHA256:abc".into()) }
        );
        assert_eq!(
            outcome(&format!("{key}root@10.0.0.1: Permission denied (publickey).")),
            Outcome::Denied
        );
        assert_eq!(
            outcome("OpenSSH_9.2p1\ndebug1: x\nkex_exchange_identification: read: reset\n"),
            Outcome::Failed { message: "kex_exchange_identification: read: reset".into() }
        );
    }
}
