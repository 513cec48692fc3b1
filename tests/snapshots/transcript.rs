//! What a session on the command line prints.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::{MetadataExt as _, symlink},
    path::{Path, PathBuf},
    process::Stdio,
    thread::sleep,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use snapbox::{Assert, Data, assert::DEFAULT_ACTION_ENV};

use crate::support::*;

/// Commands that run in one directory, and all that they print.
pub struct Transcript {
    pub bench: Bench,
    pub text: String,
}

pub const PROFILE: &str = "\
cluster: mc1
base: base.img.xz
card: 64MiB
network: {interface: eth0, prefix: 24, gateway: 192.168.1.1, dns: [192.168.1.1]}
nodes:
  - {name: xu4-master, address: 192.168.1.80}
  - {name: xu4-node1, address: 192.168.1.81}
ssh:
  users: [root, odroid]
users: {root: {locked: true}, odroid: {locked: true}}
";

impl Transcript {
    pub fn new() -> Self {
        wait_until_settled(&sample_base());
        let bench = Bench::with_profile(PROFILE);
        symlink(fs::canonicalize(sample_base()).unwrap(), bench.path("base.img.xz")).unwrap();
        Transcript { bench, text: String::new() }
    }

    /// A transcript that starts with built images, which are not part of it.
    pub fn with_images() -> Self {
        let transcript = Self::new();
        transcript.bench.built(&[]);
        transcript
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.bench.path(name)
    }

    /// Adds a heading.
    pub fn title(&mut self, title: &str) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text += &format!("## {title}\n");
    }

    /// Runs `nodecard` with these arguments.
    pub fn run(&mut self, arguments: &[&str]) {
        self.answer(arguments, "");
    }

    /// Runs `nodecard` with these arguments and an answer to its question.
    pub fn answer(&mut self, arguments: &[&str], answer: &str) {
        let mut child = self.bench.nodecard(arguments).stdin(Stdio::piped()).spawn().unwrap();
        // It may have ended without asking.
        let _ = child.stdin.take().unwrap().write_all(answer.as_bytes());
        let output = child.wait_with_output().unwrap();
        let command: Vec<String> =
            arguments.iter().map(|word| plain_text::shell_word(word)).collect();
        self.text += &format!("$ nodecard {}\n", command.join(" "));
        for bytes in [output.stdout, output.stderr] {
            let text = String::from_utf8(bytes).expect("UTF-8");
            assert!(!text.contains("panicked"), "{text}");
            self.text += &text;
            if !text.is_empty() && !text.ends_with('\n') {
                self.text.push('\n');
            }
        }
        let code = output.status.code().expect("an exit code");
        if code != 0 {
            self.text += &format!("exit code {code}\n");
        }
    }

    /// Runs `nodecard` with these arguments, and keeps the first lines of what it prints.
    pub fn run_in_part(&mut self, arguments: &[&str], lines: usize) {
        let start = self.text.len();
        self.run(arguments);
        let text = self.text.split_off(start);
        // The command is a line too.
        for line in text.lines().take(lines + 1) {
            self.text += &format!("{line}\n");
        }
        let more = text.lines().count().saturating_sub(lines + 1);
        assert!(more > 0, "{text}");
        self.text += "...\n";
    }

    /// Adds a case: a title and a command.
    pub fn case(&mut self, title: &str, arguments: &[&str]) {
        self.title(title);
        self.run(arguments);
    }

    /// Adds a case: `nodecard check` with a profile in which `from` became `to`.
    pub fn profile(&mut self, title: &str, from: &str, to: &str) {
        assert!(PROFILE.contains(from), "{from}");
        fs::write(self.path("wrong.yaml"), PROFILE.replacen(from, to, 1)).unwrap();
        self.case(title, &["check", "wrong.yaml"]);
    }

    /// Compares everything with a file in tests/snapshots.
    #[track_caller]
    pub fn assert(self, name: &str) {
        let directory = fs::canonicalize(self.path("")).unwrap();
        let text = self.text.replace(directory.to_str().unwrap(), "[DIR]");
        let text = with_progress_sorted(&text);
        let text: String = text.lines().map(|line| redacted(line) + "\n").collect();
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../tests/snapshots")
            .join(format!("{name}.txt"));
        let expected = Data::read_from(&path, None).raw();
        Assert::new().action_env(DEFAULT_ACTION_ENV).eq(Data::text(text).raw(), expected);
    }
}

/// Waits until a file was changed more than two seconds ago. Before, nodecard does not trust
/// what it remembers about the file, and decodes it once more.
fn wait_until_settled(file: &Path) {
    let changed = UNIX_EPOCH + Duration::from_secs(fs::metadata(file).unwrap().ctime() as u64);
    while SystemTime::now().duration_since(changed).is_ok_and(|age| age < Duration::from_secs(4)) {
        sleep(Duration::from_millis(100));
    }
}

/// Sorts the lines of the progress of cards, which are written at the same time.
fn with_progress_sorted(text: &str) -> String {
    let is_progress = |line: &&str| line.contains(" on ") && line.contains(".card: ");
    let mut progress: Vec<&str> = text.lines().filter(is_progress).collect();
    progress.sort_by_key(|line| line.split(": ").next());
    let mut progress = progress.into_iter();
    let line = |line| if is_progress(&line) { progress.next().unwrap_or(line) } else { line };
    text.lines().map(line).map(|line| format!("{line}\n")).collect()
}

/// Replaces what differs from run to run in a line.
fn redacted(line: &str) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    let mut text = String::new();
    // Speeds have different widths, and so have their columns.
    let mut has_speed = line.contains("  read back  ");
    for (position, word) in words.iter().enumerate() {
        if position > 0 {
            text.push(' ');
        }
        let is_hex = |c: char| c.is_ascii_hexdigit();
        // In JSON, words stand in quotes.
        let quotes = ['"', '\'', ','];
        let (before, word) = word.split_at(word.len() - word.trim_start_matches(quotes).len());
        let after = &word[word.trim_end_matches(quotes).len()..];
        let word = &word[..word.len() - after.len()];
        text += before;
        let bare = word.trim_start_matches(['+', '-']);
        let number = word.parse::<f64>().is_ok();
        let follows = |before: &[&str]| words[..position].ends_with(before);
        if number && follows(&["damaged", "near", "byte"]) {
            text += "[BYTE]";
        } else if number && words.get(position + 1) == Some(&"MiB/s") {
            has_speed = true;
            text += "[SPEED]";
        } else if bare.starts_with("AAAA") && bare.len() > 40 {
            text += "[KEY]";
        } else if word.starts_with("$6$") {
            text += "[HASH]";
        } else if word.starts_with("SHA256:") {
            text += "[FINGERPRINT]";
        } else if bare.len() >= 32 && bare.chars().all(is_hex) {
            let sign = &word[..word.len() - bare.len()];
            text += &format!("{sign}[HEX{}]", bare.len());
        } else {
            text += word;
        }
        text += after;
    }
    if has_speed { text.split_whitespace().collect::<Vec<_>>().join(" ") } else { text }
}
