//! Logins into real ssh servers, each in a chroot in namespaces of its own, to compare with
//! what the model says about the same files. Needs root.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, process::Command};

use system_model::{
    MemoryFiles, Systemd,
    sshd::{Admission, Login, SshHost},
};
use tempfile::TempDir;

use super::{load_tree, program, run};

/// For each tree N in `$1`: mounts this computer's programs in it, starts the server, logs in,
/// and writes the exit status of ssh to N.rc. `$3` is a directory with the server's programs.
const SCRIPT: &str = r#"
cd "$1" || exit 9
tools=$3
libraries=$(cd $tools && echo usr/lib/*-linux-gnu*)
ip link set lo up
for n in $(seq 0 $(($2 - 1))); do
  t=$1/$n; cd $t || exit 9
  for d in usr dev proc; do mkdir -p $t/$d; mount --rbind /$d $t/$d || exit 9; done
  for d in bin sbin lib lib32 lib64 libx32; do [ -e /$d ] || continue
    if [ -L /$d ]; then ln -sfn "$(readlink /$d)" $t/$d; else mkdir -p $t/$d; mount --bind /$d $t/$d; fi; done
  mkdir -p $t/run/sshd $t/tmp $t/tools; chmod 755 $t/run/sshd; mount --bind $tools $t/tools
  START > $1/$n.server 2>&1 & p=$!
  for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30; do
    READY && break; sleep 0.1; done
  ssh -F /dev/null -i $1/key -o IdentitiesOnly=yes -o BatchMode=yes -o StrictHostKeyChecking=no \
    -o UserKnownHostsFile=/dev/null -o ConnectTimeout=5 -p 22 $(cat $1/$n.user)@127.0.0.1 true \
    > $1/$n.ssh 2>&1 < /dev/null
  echo $? > $1/$n.rc
  kill $p; wait $p
done
exit 0
"#;

/// A program that answers logins.
pub struct Server<'a> {
    /// Its name.
    pub name: &'a str,
    /// The shell command that makes its host key, the file `host`.
    pub make_host_key: &'a str,
    /// The shell command that runs it in the tree `$t`.
    pub start: &'a str,
    /// The shell command that succeeds once it listens.
    pub ready: &'a str,
    /// The directory with its programs.
    pub tools: &'a Path,
}

/// Systems that are logged in to.
pub struct Trees<'a> {
    server: Server<'a>,
    work: TempDir,
    key: String,
    users: Vec<String>,
}

impl<'a> Trees<'a> {
    /// Makes the keys; `None`, with a message, where nothing can be mounted.
    pub fn new(server: Server<'a>) -> Option<Self> {
        for (name, package) in [
            ("ssh", "openssh-client"),
            ("ip", "iproute2"),
            ("unshare", "util-linux"),
            ("chroot", "coreutils"),
        ] {
            program(&[name], package);
        }
        if !run(Command::new("unshare").args(["-n", "-m", "true"])).status.success() {
            test_support::not_judged(&format!("{} was not asked: that needs root", server.name));
            return None;
        }
        let work = tempfile::tempdir_in("/var/tmp").expect("a directory");
        // Servers pass through the directories above the tree, which they see as its root.
        fs::set_permissions(work.path(), fs::Permissions::from_mode(0o755)).expect("changed");
        let make = format!(
            "cd {} && ssh-keygen -q -t ed25519 -N '' -f key && {}",
            work.path().display(),
            server.make_host_key
        );
        assert!(run(Command::new("sh").args(["-c", &make])).status.success(), "{make}");
        let key = fs::read_to_string(work.path().join("key.pub")).expect("readable");
        Some(Trees { server, work, key, users: Vec::new() })
    }

    /// Makes the next tree with a shell script that runs at its root, for a login of `user`.
    pub fn make(&mut self, label: &str, user: &str, script: &str) {
        let number = self.users.len();
        let base = self.work.path().display();
        let script = format!(
            "umask 022; echo {user} > {base}/{number}.user\n\
             mkdir -p {base}/{number} && cd {base}/{number}\n{script}\n"
        );
        let made = run(Command::new("sh").args(["-c", &script]));
        assert!(made.status.success(), "{label}: {}", String::from_utf8_lossy(&made.stderr));
        self.users.push(user.to_owned());
    }

    /// Logs in to every tree, one after another.
    pub fn log_in(&self) {
        let Server { start, ready, tools, .. } = self.server;
        let script = SCRIPT.replace("START", start).replace("READY", ready);
        let output = run(Command::new("unshare")
            .args(["-n", "-m", "bash", "-c", &script, "bash"])
            .arg(self.work.path())
            .arg(self.users.len().to_string())
            .arg(tools));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Returns a tree's files below these directories, and these programs.
    pub fn files(&self, number: usize, directories: &[&str], programs: &[&str]) -> MemoryFiles {
        let mut files = MemoryFiles::new();
        for path in directories {
            load_tree(&mut files, &self.work.path().join(number.to_string()), path);
        }
        for path in programs {
            files.write(path, "").own(path, 0o755, 0, 0);
        }
        files
    }

    /// Asks the model about the login to a tree.
    pub fn judge(
        &self,
        number: usize,
        files: &MemoryFiles,
        model: impl Fn(&SshHost<'_>, &Login, Option<&str>) -> Admission,
    ) -> Admission {
        let login = Login {
            user: self.users[number].clone(),
            from: [127, 0, 0, 1].into(),
            to: [127, 0, 0, 1].into(),
            port: 22,
            today: 20_000,
        };
        let systemd = Systemd::read_later_boots(files).expect("readable");
        let host = SshHost::read(files, &systemd).expect("readable");
        model(&host, &login, self.key.split(' ').nth(1))
    }

    fn read(&self, number: usize, what: &str) -> String {
        fs::read_to_string(self.work.path().join(format!("{number}.{what}"))).unwrap_or_default()
    }
}

/// How many logins ended as the model says.
#[derive(Default)]
pub struct Score {
    open: usize,
    closed: usize,
    wrong: Vec<String>,
}

impl Score {
    /// Compares the model with what happened.
    pub fn add(&mut self, trees: &Trees<'_>, number: usize, label: &str, judged: &Admission) {
        let lets_in = trees.read(number, "rc").trim() == "0";
        if judged.is_open() != lets_in {
            let said = [trees.read(number, "server"), trees.read(number, "ssh")].concat();
            self.wrong.push(format!("{label}: {judged:?}\n{said}"));
        } else if lets_in {
            self.open += 1;
        } else {
            self.closed += 1;
        }
    }

    /// Fails if any login ended otherwise, or if too few were let in or refused.
    pub fn check(&self, least_open: usize, least_closed: usize) {
        let Score { open, closed, wrong } = self;
        println!("{open} logins let in, {closed} refused, as the model says");
        assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
        assert!(*open >= least_open && *closed >= least_closed, "{open} {closed}");
    }
}
