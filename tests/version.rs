//! What `nodecard --version` says: the version, the commit, the target and the features.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::support::*;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

#[test]
fn the_version_is_one_line_and_more_on_request() {
    let bench = Bench::new();
    let print = |argument| {
        let output = bench.nodecard(&[argument]).output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let long = print("--version");
    let lines: Vec<&str> = long.lines().collect();
    let [version, commit, target, features] = lines[..] else { panic!("{long}") };
    assert_eq!(version, concat!("nodecard ", env!("CARGO_PKG_VERSION")));
    assert!(target.starts_with(&format!("target: {}-", std::env::consts::ARCH)), "{target}");
    assert_eq!(features, "features: none");
    let commit = commit.strip_prefix("commit: ").unwrap();
    let short = match commit {
        "unknown" => String::new(),
        commit => format!(" ({}{})", &commit[..10], &commit[40..]),
    };
    assert_eq!(print("-V"), format!("{version}{short}\n"));
}

/// A script that keeps the version must not keep nothing.
#[test]
fn what_cannot_be_printed_is_an_error() {
    let bench = Bench::new();
    for argument in ["--version", "-V", "--help", "help"] {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = bench.nodecard(&[argument]).stdout(full).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(5), "{argument}: {error}");
        assert!(error.contains("cannot write to standard output"), "{error}");
        assert!(error.contains("No space left on device"), "{error}");
    }
}

/// The build script, compiled once, and a directory to run it in.
struct Script {
    temp: tempfile::TempDir,
}

impl Script {
    fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("build.rs");
        let mut rustc = Command::new("rustc");
        rustc.args(["--edition=2024", "-o"]).arg(temp.path().join("script")).arg(source);
        assert!(rustc.status().expect("rustc").success());
        fs::create_dir_all(temp.path().join("top/crates/cli")).unwrap();
        let script = Script { temp };
        let build = Path::new(env!("CARGO_MANIFEST_DIR")).join("build.rs");
        fs::copy(build, script.package().join("build.rs")).unwrap();
        // In a source archive, the project's own has the commit already.
        fs::write(script.package().join("commit.txt"), "$Format:%H$\n").unwrap();
        script
    }

    fn top(&self) -> PathBuf {
        self.temp.path().join("top")
    }

    fn package(&self) -> PathBuf {
        self.top().join("crates/cli")
    }

    /// Runs git in the top directory, without this user's settings.
    fn git(&self, arguments: &[&str]) -> String {
        let mut git = Command::new("git");
        for who in ["AUTHOR", "COMMITTER"] {
            git.env(format!("GIT_{who}_NAME"), "n")
                .env(format!("GIT_{who}_EMAIL"), "e@example.org");
        }
        git.env("GIT_CONFIG_GLOBAL", "/dev/null").current_dir(self.top()).args(arguments);
        let output = git.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Makes a repository of the top directory, and returns its first commit.
    fn commit(&self) -> String {
        for file in ["Cargo.toml", "Cargo.lock"] {
            fs::write(self.top().join(file), "").unwrap();
        }
        fs::write(self.top().join(".gitattributes"), "crates/cli/commit.txt export-subst\n")
            .unwrap();
        self.git(&["init", "-q"]);
        self.git(&["add", "."]);
        self.git(&["commit", "-qm", "first"]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// Runs the script, and returns the version and the commit that it passes on.
    fn run(&self, given: Option<&str>) -> (String, String) {
        let mut script = Command::new(self.temp.path().join("script"));
        script.current_dir(self.package()).env("CARGO_PKG_VERSION", "1.2.3").env("TARGET", "t");
        script.env("GIT_CEILING_DIRECTORIES", self.temp.path()).env_remove("NODECARD_COMMIT");
        if let Some(given) = given {
            script.env("NODECARD_COMMIT", given);
        }
        let output = String::from_utf8(script.output().unwrap().stdout).unwrap();
        let value = |name: &str| {
            let start = format!("cargo:rustc-env={name}=");
            output.lines().find_map(|line| line.strip_prefix(&start)).unwrap().to_owned()
        };
        (value("NODECARD_VERSION"), value("NODECARD_COMMIT"))
    }
}

#[test]
fn a_checkout_names_its_commit_and_changes_of_the_source() {
    let script = Script::new();
    let commit = script.commit();
    assert_eq!(script.run(None), (format!("1.2.3 ({})", &commit[..10]), commit.clone()));
    fs::write(script.top().join("README"), "of no importance").unwrap();
    assert_eq!(script.run(None).1, commit);
    fs::write(script.top().join("crates/new.rs"), "").unwrap();
    let modified = format!("{commit}-modified");
    assert_eq!(script.run(None), (format!("1.2.3 ({}-modified)", &commit[..10]), modified));
}

/// The source packages of hosts, and those of crates.io, have no repository.
#[test]
fn archives_and_packages_name_their_commit() {
    let script = Script::new();
    let commit = script.commit();
    script.git(&["archive", "-o", "../archive.tar", "HEAD"]);
    fs::remove_dir_all(script.top().join(".git")).unwrap();
    assert_eq!(script.run(None), ("1.2.3".into(), "unknown".into()));
    assert_eq!(script.run(Some(COMMIT)).1, COMMIT);
    assert_eq!(script.run(Some("")).1, "unknown");

    let vcs_info = script.package().join(".cargo_vcs_info.json");
    let contents = format!("{{\n  \"git\": {{\n    \"sha1\": \"{COMMIT}\"\n  }},\n");
    fs::write(&vcs_info, format!("{contents}  \"path_in_vcs\": \"crates/cli\"\n}}")).unwrap();
    assert_eq!(script.run(None), ("1.2.3 (0123456789)".into(), COMMIT.into()));
    let dirty = format!(
        "{{\n  \"git\": {{\n    \"sha1\": \"{COMMIT}\",\n    \"dirty\": true\n  }},\n  \
         \"path_in_vcs\": \"\"\n}}"
    );
    fs::write(&vcs_info, dirty).unwrap();
    assert_eq!(script.run(None).1, format!("{COMMIT}-modified"));
    fs::remove_file(&vcs_info).unwrap();

    let archive = script.temp.path().join("archive.tar");
    run("tar", "tar", &["-xf", archive.to_str().unwrap(), "-C", script.top().to_str().unwrap()]);
    assert_eq!(script.run(None).1, commit);
}

/// A source package unpacked into another project's repository.
#[test]
fn a_repository_around_the_source_is_not_taken_for_its_own() {
    let script = Script::new();
    fs::write(script.top().join(".gitignore"), "/crates/\n").unwrap();
    script.commit();
    assert_eq!(script.run(None).1, "unknown");
}

#[test]
fn the_manual_does_not_depend_on_the_build() {
    let bench = Bench::new();
    assert!(bench.nodecard(&["man", "man1"]).status().unwrap().success());
    let page = fs::read_to_string(bench.path("man1/nodecard.1")).unwrap();
    assert!(page.contains(concat!("v", env!("CARGO_PKG_VERSION"), "\n")), "{page}");
    assert!(!page.contains("commit"), "{page}");
}
