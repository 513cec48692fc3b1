//! The arguments of dockerd that say where its data lie.
//!
//! Sources: moby's cmd/dockerd/config.go and options.go; spf13/pflag's flag.go (`parseArgs`).

/// What arguments say.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Arguments {
    /// `--data-root`, `--graph` and `-g`: each sets the same, and the last one counts.
    pub data_root: Option<String>,
    /// `--config-file`.
    pub config_file: Option<String>,
}

/// Options of one letter that take a value.
const WITH_VALUE: [char; 7] = ['G', 'H', 'b', 'g', 'l', 'p', 's'];

impl Arguments {
    /// Reads the arguments behind dockerd's name. Where a word is missing, so is what follows.
    pub fn read(words: &[String]) -> Self {
        let mut read = Arguments::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            if word == "--" {
                break;
            }
            if let Some(long) = word.strip_prefix("--") {
                let (name, value) = match long.split_once('=') {
                    Some((name, value)) => (name, Some(value.to_owned())),
                    None => (long, None),
                };
                let place = match name {
                    "data-root" | "graph" => &mut read.data_root,
                    "config-file" => &mut read.config_file,
                    _ => continue,
                };
                *place = value.or_else(|| words.next().cloned());
            } else if let Some(letters) = word.strip_prefix('-') {
                // `-D` may come before: `-Dg /data`.
                let Some((at, letter)) =
                    letters.char_indices().find(|(_, letter)| WITH_VALUE.contains(letter))
                else {
                    continue;
                };
                let value = letters.get(at + 1..).filter(|value| !value.is_empty());
                let value = match value {
                    Some(value) => Some(value.strip_prefix('=').unwrap_or(value).to_owned()),
                    None => words.next().cloned(),
                };
                if letter == 'g' {
                    read.data_root = value;
                }
            }
        }
        read
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_read_as_dockerd_reads_them() {
        let root = |line: &str| {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            Arguments::read(&words).data_root
        };
        for line in [
            "-g /a",
            "-g/a",
            "-g=/a",
            "-Dg /a",
            "--graph /a",
            "--graph=/a",
            "--data-root /a",
            "-g /b --data-root=/a",
            "--data-root=/b -H fd:// -g /a -- -g /c",
            "-H -g -g /a",
        ] {
            assert_eq!(root(line).as_deref(), Some("/a"), "{line}");
        }
        for line in ["-H -g", "--graphx=/a", "-g", "--label --data-rootx", "-- -g /a"] {
            assert_eq!(root(line), None, "{line}");
        }
    }
}
