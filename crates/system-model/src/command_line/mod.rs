//! The kernel command line, wherever a boot loader takes it from.
//!
//! Sources: Raspberry Pi's config.txt documentation (`os_prefix`, `cmdline`); U-Boot's
//! doc/README.pxe for extlinux.conf; Armbian's config/bootscripts for armbianEnv.txt; Hardkernel's
//! boot.ini; BeagleBoard's uEnv.txt; the kernel's lib/cmdline.c for quoting.

mod config_txt;
mod edit;
mod formats;

use std::ops::Range;

pub use edit::edit;

use crate::{SystemError, SystemFiles};

/// Boot configuration that is larger is not one.
const MAX_SIZE: u64 = 1 << 20;

/// How a file holds a command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommandLineFormat {
    /// The first line of `cmdline.txt`.
    Plain,
    /// `setenv NAME "…"` of U-Boot's boot.ini.
    BootIni {
        /// The variable.
        variable: String,
    },
    /// `append …` of extlinux.conf.
    Extlinux {
        /// The label it belongs to.
        label: String,
    },
    /// `NAME=…` of armbianEnv.txt, orangepiEnv.txt, dietpiEnv.txt, uEnv.txt or config.ini.
    Environment {
        /// The variable.
        variable: String,
    },
    /// `setenv NAME "…"` of boot.cmd, the source of boot.scr: editing it changes nothing.
    BootScript {
        /// The variable.
        variable: String,
    },
}

/// One argument of a command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argument {
    /// The argument as written.
    pub text: String,
    /// What stands before the first `=`.
    pub key: String,
    /// What stands behind it, quotes removed.
    pub value: Option<String>,
    /// The argument's bytes in the file.
    pub span: Range<usize>,
}

/// A command line in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandLine {
    /// The file.
    pub path: String,
    /// The line, counted from 1.
    pub line: usize,
    /// How the file holds it.
    pub format: CommandLineFormat,
    /// The arguments, without variables that a boot script fills in.
    pub arguments: Vec<Argument>,
    /// Whether the boot loader uses it; a stub or the label of another kernel does not count.
    pub counts: bool,
    /// The bytes in the file that hold the arguments.
    pub span: Range<usize>,
}

impl CommandLine {
    /// Returns the last argument with this key.
    pub fn last(&self, key: &str) -> Option<&Argument> {
        self.arguments.iter().rfind(|argument| argument.key == key)
    }
}

/// All command lines of an image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CommandLines {
    lines: Vec<CommandLine>,
}

impl CommandLines {
    /// Reads the command lines of all boot loaders that the image has files of.
    ///
    /// # Errors
    /// [`SystemError`] if a file cannot be read.
    pub fn read(files: &dyn SystemFiles) -> Result<Self, SystemError> {
        let partitions: Vec<String> =
            files.boot_partitions().into_iter().map(|partition| partition.prefix).collect();
        let mut directories = partitions.clone();
        for fixed in ["/boot/firmware", "/boot", "/media/boot", "/boot/efi"] {
            if !directories.iter().any(|directory| directory == fixed) {
                directories.push(fixed.to_owned());
            }
        }
        let mut lines = Vec::new();
        let mut plain_counts = false;
        for directory in &directories {
            let on_partition = partitions.iter().any(|prefix| prefix == directory);
            plain_counts |= plain(files, directory, on_partition || !plain_counts, &mut lines)?;
            let mut extlinux = false;
            for name in ["extlinux/extlinux.conf", "extlinux.conf"] {
                if let Some((path, bytes)) = small(files, directory, name)? {
                    let found = formats::extlinux(&path, &bytes);
                    extlinux |= found.iter().any(|line| line.counts);
                    lines.extend(found);
                }
            }
            if let Some((path, bytes)) = small(files, directory, "boot.ini")? {
                lines.extend(formats::set_environment(&path, &bytes, false));
            }
            let mut script = false;
            let source = small(files, directory, "boot.cmd")?;
            let taken = source.and_then(|(_, bytes)| formats::taken_over(&bytes));
            for name in formats::ENVIRONMENT_FILES {
                if let Some((path, bytes)) = small(files, directory, name)? {
                    let mut found = formats::environment(&path, &bytes);
                    script |= !found.is_empty() && name != "config.ini";
                    for line in &mut found {
                        // extlinux.conf comes first in U-Boot's distro boot.
                        line.counts &= !extlinux || name == "uEnv.txt";
                        // A variable that the boot script does not use is none of the kernel's.
                        if let (Some(taken), CommandLineFormat::Environment { variable }) =
                            (taken.as_ref().filter(|_| name != "config.ini"), &line.format)
                        {
                            line.counts &= taken.contains(variable);
                        }
                    }
                    lines.extend(found);
                }
            }
            if script
                && !extlinux
                && let Some((path, bytes)) = small(files, directory, "boot.cmd")?
            {
                lines.extend(formats::set_environment(&path, &bytes, true));
            }
        }
        Ok(CommandLines { lines })
    }

    /// Returns every command line, in the order in which they were found.
    pub fn lines(&self) -> &[CommandLine] {
        &self.lines
    }

    /// Returns the command lines that a boot loader uses.
    pub fn counting(&self) -> impl Iterator<Item = &CommandLine> {
        self.lines.iter().filter(|line| line.counts)
    }

    /// Returns whether any command line is known that counts.
    pub fn is_known(&self) -> bool {
        self.counting().next().is_some()
    }

    /// Returns the arguments that the kernel gets, as far as files of the image hold them.
    pub fn arguments(&self) -> impl Iterator<Item = &Argument> {
        self.counting().flat_map(|line| &line.arguments)
    }

    /// Returns the last argument with this key that counts.
    pub fn last(&self, key: &str) -> Option<&Argument> {
        self.arguments().filter(|argument| argument.key == key).last()
    }

    /// Returns the last argument with this key that counts, and its command line.
    pub fn find(&self, key: &str) -> Option<(&CommandLine, &Argument)> {
        let both = self.counting().flat_map(|line| line.arguments.iter().map(move |a| (line, a)));
        both.filter(|(_, argument)| argument.key == key).last()
    }
}

/// Reads the cmdline.txt files of a directory: the one that config.txt chooses counts, or those,
/// if that depends on the board.
/// Returns whether one counts.
fn plain(
    files: &dyn SystemFiles,
    directory: &str,
    may_count: bool,
    lines: &mut Vec<CommandLine>,
) -> Result<bool, SystemError> {
    let mut chosen = Vec::new();
    for (prefix, name) in config_txt::choices(files, directory)? {
        let mut one = format!("{prefix}{name}");
        if small(files, directory, &one)?.is_none() {
            // The firmware ignores a prefix that leads to no kernel.
            for fallback in [name.clone(), format!("current/{name}")] {
                if small(files, directory, &fallback)?.is_some() {
                    one = fallback;
                    break;
                }
            }
        }
        if !chosen.contains(&one) {
            chosen.push(one);
        }
    }
    let mut names = chosen.clone();
    for other in ["cmdline.txt", "current/cmdline.txt", "new/cmdline.txt", "old/cmdline.txt"] {
        if !names.iter().any(|name| name == other) {
            names.push(other.to_owned());
        }
    }
    let mut counts = false;
    for name in names {
        if let Some((path, bytes)) = small(files, directory, &name)? {
            let mut line = formats::plain(&path, &bytes);
            line.counts = may_count && chosen.contains(&name) && !line.arguments.is_empty();
            // A stub on the root filesystem says that the file is elsewhere.
            line.counts &= !String::from_utf8_lossy(&bytes).contains("DO NOT EDIT");
            counts |= line.counts;
            lines.push(line);
        }
    }
    Ok(counts)
}

/// Reads a file of a boot directory if it is there and of a plausible size.
fn small(
    files: &dyn SystemFiles,
    directory: &str,
    name: &str,
) -> Result<Option<(String, Vec<u8>)>, SystemError> {
    let path = format!("{directory}/{name}");
    match files.metadata(&path)? {
        Some(meta) if meta.size <= MAX_SIZE => Ok(files.read(&path)?.map(|bytes| (path, bytes))),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests;
