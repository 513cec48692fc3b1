//! Shared by the tests: a directory with a profile, the command line, and the programs that
//! check images.

mod apply;
mod flash;
mod layouts;
mod loops;
mod network;
mod terminal;
mod verify;

use std::{
    fs,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

pub use self::{apply::*, flash::*, layouts::*, loops::*, network::*, terminal::*, verify::*};

/// Where the root filesystem begins in the sample base, in bytes: sector 19456.
pub const ROOT_OFFSET: u64 = 19456 * 512;

/// Where the first partition begins, in bytes: sector 3072.
pub const FIRST_PARTITION: u64 = 3072 * 512;

pub const NODES: [&str; 4] = ["xu4-master", "xu4-node1", "xu4-node2", "xu4-node3"];

/// Returns the path of the sample base image in the repository.
pub fn sample_base() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../profiles/sample-base.img.xz")
}

/// A temporary directory with a profile, its own cache and its own output.
pub struct Bench {
    temp: tempfile::TempDir,
}

impl Bench {
    /// Makes a directory with a profile like the demo's that locks the default passwords.
    pub fn new() -> Self {
        let nodes: String = NODES
            .iter()
            .zip(80..)
            .map(|(name, last)| format!("  - {{name: {name}, address: 192.168.1.{last}}}\n"))
            .collect();
        Self::with_profile(&format!(
            "cluster: test\nbase: {}\ncard: 64MiB\n\
             network: {{interface: eth0, prefix: 24, gateway: 192.168.1.1, dns: [192.168.1.1]}}\n\
             nodes:\n{nodes}ssh:\n  users: [root, odroid]\n\
             users: {{root: {{locked: true}}, odroid: {{locked: true}}}}\n",
            sample_base().display()
        ))
    }

    /// Makes a directory with this profile.
    pub fn with_profile(profile: &str) -> Self {
        let temp = tempfile::tempdir().expect("a temporary directory");
        fs::write(temp.path().join("profile.yaml"), profile).expect("a profile");
        Bench { temp }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.temp.path().join(name)
    }

    /// Runs `nodecard build profile.yaml --out out` with more arguments.
    pub fn build(&self, more: &[&str]) -> Output {
        self.command(more).output().expect("nodecard runs")
    }

    pub fn command(&self, more: &[&str]) -> Command {
        let mut command = self.nodecard(&["build", "profile.yaml", "--out", "out"]);
        command.args(more);
        command
    }

    /// Returns the command `nodecard` with these arguments, in the directory of the profile.
    pub fn nodecard(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nodecard"));
        command
            .args(arguments)
            .current_dir(self.temp.path())
            .env("XDG_CACHE_HOME", self.path("cache"))
            .env("HOME", self.path("home"))
            .env("SOURCE_DATE_EPOCH", "1600000000")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Returns `nodecard` with these arguments as it runs for the ordinary user `nobody`, to whom
    /// everything in the directory of the profile belongs from now on.
    pub fn as_nobody(&self, arguments: &[&str]) -> Command {
        let directory = self.path("");
        run("coreutils", "chown", &["-R", "65534:65534", directory.to_str().unwrap()]);
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .arg(env!("CARGO_BIN_EXE_nodecard"))
            .args(arguments)
            .current_dir(directory)
            .env("XDG_CACHE_HOME", self.path("cache"))
            .env("HOME", self.path("home"));
        command
    }

    /// Runs `nodecard` so that no file can grow beyond this many KiB: writing more fails, as on a
    /// full disk.
    pub fn with_file_limit(&self, kib: u64, arguments: &str) -> Output {
        let program = env!("CARGO_BIN_EXE_nodecard");
        // Without the trap, the signal would end the program.
        let script = format!("trap '' XFSZ; ulimit -f {kib}; exec {program} {arguments}");
        let mut bash = Command::new("bash");
        bash.args(["-c", &script]).current_dir(self.path(""));
        bash.env("XDG_CACHE_HOME", self.path("cache")).output().expect("bash runs")
    }

    /// Runs a build that must succeed, and returns its report.
    pub fn built(&self, more: &[&str]) -> String {
        let output = self.build(more);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// Runs a build that must fail with this exit code, and returns the message.
    pub fn refused(&self, code: i32, more: &[&str]) -> String {
        let output = self.build(more);
        let message = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!(output.status.code(), Some(code), "{message}");
        assert!(!message.contains("panicked"), "{message}");
        assert_eq!(self.finished(), [""; 0], "a failed run left files");
        message
    }

    /// Returns the names of the files in the output directory.
    pub fn finished(&self) -> Vec<String> {
        let Ok(list) = fs::read_dir(self.path("out")) else { return Vec::new() };
        let mut names: Vec<String> = list
            .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
            .collect();
        names.sort();
        names
    }
}

/// Returns text without its line breaks: notes are wrapped, wherever a path of this run puts the
/// end of a line.
pub fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Runs a program, which must be installed and succeed, and returns what it printed.
pub fn run(package: &str, program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .env("PATH", format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default()))
        .output()
        .unwrap_or_else(|error| {
            panic!("{program} is needed ({error}): install the Debian package {package}")
        });
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {}\n{stdout}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    stdout
}

/// Runs a program of those that scripts/lib/judges.sh installs from PyPI.
pub fn judge(program: &str, arguments: &[&str]) -> String {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).unwrap_or_else(|| {
        PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache")
    });
    let installed = cache.join("nodecard-test-python/bin").join(program);
    let program = if installed.exists() { installed.to_str().unwrap() } else { program };
    run("none: run scripts/test, which installs it from PyPI", program, arguments)
}

/// Checks that e2fsck has no complaint about the root filesystem of an image.
pub fn e2fsck(image: &Path) {
    let target = format!("{}?offset={ROOT_OFFSET}", image.display());
    let output = run("e2fsprogs", "e2fsck", &["-fn", &target]);
    let quiet = |line: &str| {
        line.starts_with("Pass ") || line.contains(" files (") && line.contains(" blocks")
    };
    assert!(output.lines().all(quiet), "{}:\n{output}", image.display());
}

/// Returns the contents of a file in the root filesystem of an image, as debugfs reads it.
pub fn cat(image: &Path, file: &str) -> String {
    debugfs(image, &format!("cat {file}"))
}

/// Runs one debugfs command on the root filesystem of an image.
pub fn debugfs(image: &Path, request: &str) -> String {
    let target = format!("{}?offset={ROOT_OFFSET}", image.display());
    run("e2fsprogs", "debugfs", &["-R", request, &target])
}

/// Reads a part of a file.
pub fn bytes(path: &Path, offset: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    let file = fs::File::open(path).expect("the file");
    file.read_exact_at(&mut bytes, offset).expect("its bytes");
    bytes
}

/// Decodes the sample base image into a file.
pub fn decoded_base(bench: &Bench) -> PathBuf {
    let path = bench.path("base.img");
    let file = fs::File::create(&path).expect("a file");
    let status = Command::new("xz")
        .args(["-dc".as_ref(), sample_base().as_os_str()])
        .stdout(file)
        .status()
        .expect("xz is needed: install the Debian package xz-utils");
    assert!(status.success());
    path
}
