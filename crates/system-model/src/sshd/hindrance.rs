//! What keeps a user out, and what would let the user in.

use std::fmt;

use super::config::ConfigProblemKind;
use crate::{FileLine, accounts::ShellState};

/// How many names one line of text lists.
const MOST_NAMES: usize = 5;

/// Something that keeps a user from logging in by key, surely or perhaps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hindrance {
    /// What it is.
    pub kind: HindranceKind,
    /// The line of the configuration, of /etc/passwd or /etc/shadow that it comes from.
    pub at: Option<FileLine>,
    /// What would remove it.
    pub repair: Option<Repair>,
}

/// The kinds of hindrances. `Display` says what is there, not what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum HindranceKind {
    /// The image has no ssh server.
    NoServer,
    /// sshd's configuration is missing, and sshd does not start without it.
    NoConfig(String),
    /// sshd may refuse to start because of a line.
    Config(ConfigProblemKind),
    /// The user sshd, which sshd needs, is missing.
    NoPrivilegeSeparationUser,
    /// The user does not exist.
    UnknownUser,
    /// The account expired on a day (since 1970-01-01).
    AccountExpired(i32),
    /// The password has to be changed before anything else.
    PasswordExpired,
    /// The password is locked by `!`, and sshd does not ask PAM.
    Locked,
    /// The shell lets nobody in.
    Shell(String, ShellState),
    /// dropbear refuses shells that /etc/shells does not list.
    ShellNotListed(String),
    /// The user has no home that could hold keys.
    NoHome(String),
    /// The home directory is missing.
    HomeMissing(String),
    /// /etc/nologin keeps everyone but root out.
    NologinFile,
    /// `PubkeyAuthentication no`
    PubkeyAuthenticationOff,
    /// Root may not log in, or only with a forced command.
    PermitRootLogin(String),
    /// AllowUsers or AllowGroups is set, and does not name the user.
    NotAllowed(&'static str),
    /// DenyUsers or DenyGroups names the user.
    Denied(&'static str),
    /// `RefuseConnection yes`
    RefuseConnection,
    /// AuthenticationMethods wants more than a key.
    AuthenticationMethods(String),
    /// PubkeyAcceptedAlgorithms leaves out ssh-ed25519.
    KeyAlgorithm,
    /// HostKeyAlgorithms leaves out ssh-ed25519.
    HostKeyAlgorithm,
    /// HostKey lines name other keys than this one.
    HostKeyNotNamed(String),
    /// The host key can be read by others, so sshd does not load it.
    HostKeyMode(String),
    /// AuthorizedKeysFile does not lead to ~/.ssh/authorized_keys.
    KeyFilesElsewhere(Vec<String>),
    /// No key file has the key.
    KeyMissing,
    /// The key's line has an option that may keep it from letting in.
    KeyOption(String),
    /// RevokedKeys names a file that cannot be read, so that no key counts.
    RevokedKeysMissing(String),
    /// RevokedKeys names a file, whose contents are not looked at.
    RevokedKeys(String),
    /// A command is run instead of the user's.
    ForceCommand(String),
    /// The session is confined to a directory.
    ChrootDirectory(String),
    /// sshd does not listen on the node's address and this port.
    NotListening(u16),
    /// /etc/hosts.allow or /etc/hosts.deny refuses connections from these nodes; without any, from
    /// all others.
    TcpWrappers(Vec<String>),
    /// A Match line that only the running system can decide.
    UndecidedMatch,
    /// The user has no permission to pass a directory on the way to the keys.
    NotSearchable(String),
    /// The user has no permission to read the key file.
    NotReadable(String),
    /// Somebody else owns a file or directory on the way to the keys.
    WrongOwner {
        /// The path.
        path: String,
        /// The owner's number.
        uid: u32,
    },
    /// Others may write to a file or directory on the way to the keys.
    WritableByOthers {
        /// The path.
        path: String,
        /// The permission bits.
        mode: u16,
    },
    /// Something on the way to the keys is no directory, or no regular file.
    WrongKind(String),
    /// The path to the keys is a loop of symlinks.
    SymlinkLoop(String),
    /// Another filesystem is mounted over the keys.
    Hidden {
        /// The path of the keys.
        path: String,
        /// Where the filesystem is mounted.
        point: String,
    },
    /// An option of dropbear, such as `-w`.
    DropbearOption(String),
}

/// What would remove a hindrance. Nothing is changed by this crate.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Repair {
    /// A setting before all others of sshd's configuration: in a `Match User` block of its own
    /// for a user, global without one. Of two settings the first one counts, and blocks come
    /// before what is global.
    SshdSetting {
        /// The configuration that sshd reads.
        file: String,
        /// The keyword as sshd_config(5) writes it.
        keyword: &'static str,
        /// Its value.
        value: String,
        /// The user whom the block is for.
        for_user: Option<String>,
    },
    /// A line becomes a comment.
    CommentOut(FileLine),
    /// A file or directory gets this mode and these owners.
    Attributes {
        /// The path, symlinks resolved.
        path: String,
        /// The permission bits.
        mode: u16,
        /// The owner.
        uid: u32,
        /// The group.
        gid: u32,
    },
    /// A directory is created.
    Directory {
        /// The path.
        path: String,
        /// The permission bits.
        mode: u16,
        /// The owner.
        uid: u32,
        /// The group.
        gid: u32,
    },
    /// Something is removed.
    Remove(String),
    /// The user's password field in /etc/shadow (or /etc/passwd) becomes this.
    PasswordField {
        /// The user.
        user: String,
        /// The new field.
        field: String,
    },
    /// The user gets this shell.
    Shell {
        /// The user.
        user: String,
        /// The path of the shell.
        shell: String,
    },
    /// The date on which the account expires is removed from /etc/shadow.
    NoAccountExpiry {
        /// The user.
        user: String,
    },
    /// The password's age limit is removed from /etc/shadow, and the date of its last change
    /// becomes today's if it is 0.
    NoPasswordExpiry {
        /// The user.
        user: String,
    },
    /// A shell is added to /etc/shells.
    ListShell(String),
    /// A key is written to this file.
    KeyFile(String),
    /// Arguments are removed from `DROPBEAR_EXTRA_ARGS` or the unit.
    DropbearOption(String),
}

impl fmt::Display for HindranceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use HindranceKind as H;
        match self {
            H::NoServer => f.write_str("the image has no ssh server"),
            H::NoConfig(path) => write!(f, "{path} is missing"),
            H::Config(kind) => write!(f, "sshd refuses the line: {kind}"),
            H::NoPrivilegeSeparationUser => f.write_str("the user sshd is missing"),
            H::UnknownUser => f.write_str("the user does not exist"),
            H::AccountExpired(_) => f.write_str("the account has expired"),
            H::PasswordExpired => {
                f.write_str("the password has expired and must be changed at the first login")
            }
            H::Locked => f.write_str("the account is locked (`!`) and sshd does not use PAM"),
            H::Shell(shell, ShellState::Missing) => write!(f, "the shell {shell} is missing"),
            H::Shell(shell, ShellState::NotExecutable) => {
                write!(f, "the shell {shell} is not an executable file")
            }
            H::Shell(shell, _) => write!(f, "the shell {shell} ends every login"),
            H::ShellNotListed(shell) => write!(f, "/etc/shells does not list the shell {shell}"),
            H::NoHome(home) => write!(f, "the home directory `{home}` cannot contain keys"),
            H::HomeMissing(home) => write!(f, "the home directory {home} is missing"),
            H::NologinFile => f.write_str("/etc/nologin keeps everyone but root out"),
            H::PubkeyAuthenticationOff => f.write_str("logins by key are switched off"),
            H::PermitRootLogin(value) => write!(f, "`PermitRootLogin` is `{value}`"),
            H::NotAllowed(keyword) => write!(f, "{keyword} does not name the user"),
            H::Denied(keyword) => write!(f, "{keyword} names the user"),
            H::RefuseConnection => f.write_str("connections are refused"),
            H::AuthenticationMethods(value) => {
                write!(f, "`AuthenticationMethods {value}` requires more than a key")
            }
            H::KeyAlgorithm => f.write_str("PubkeyAcceptedAlgorithms leaves out ssh-ed25519"),
            H::HostKeyAlgorithm => f.write_str("HostKeyAlgorithms leaves out ssh-ed25519"),
            H::HostKeyNotNamed(key) => write!(f, "the HostKey lines leave out {key}"),
            H::HostKeyMode(key) => write!(f, "other users can read the host key {key}"),
            H::KeyFilesElsewhere(files) if files.is_empty() => {
                f.write_str("AuthorizedKeysFile names no file")
            }
            H::KeyFilesElsewhere(files) => {
                write!(f, "keys are read from {} only", files.join(", "))
            }
            H::KeyMissing => f.write_str("no authorized_keys file has the key"),
            H::KeyOption(option) => write!(f, "the key's line has the option {option}"),
            H::RevokedKeysMissing(file) => {
                write!(f, "the file of RevokedKeys, {file}, is missing, so no key is accepted")
            }
            H::RevokedKeys(file) => write!(f, "{file} lists keys that are not accepted"),
            H::ForceCommand(command) => write!(f, "every login runs `{command}`"),
            H::ChrootDirectory(path) => write!(f, "every login is confined to {path}"),
            H::NotListening(port) => {
                write!(f, "sshd does not listen on port {port} of the node's address")
            }
            H::TcpWrappers(nodes) if nodes.is_empty() => {
                f.write_str("TCP wrappers refuse connections from the other nodes")
            }
            H::TcpWrappers(nodes) => {
                let (named, more) = nodes.split_at(nodes.len().min(MOST_NAMES));
                write!(f, "TCP wrappers refuse connections from {}", named.join(", "))?;
                if more.is_empty() { Ok(()) } else { write!(f, " and {} more", more.len()) }
            }
            H::UndecidedMatch => f.write_str("a Match line depends on the running system"),
            H::NotSearchable(path) => write!(f, "the user has no permission to search {path}"),
            H::NotReadable(path) => write!(f, "the user has no permission to read {path}"),
            H::WrongOwner { path, uid } => write!(f, "{path} belongs to another user ({uid})"),
            H::WritableByOthers { path, mode } => {
                write!(f, "other users can write to {path} (mode {mode:04o})")
            }
            H::WrongKind(path) => write!(f, "{path} is not of the right kind"),
            H::SymlinkLoop(path) => write!(f, "{path} is a loop of symlinks"),
            H::Hidden { path, point } => {
                write!(f, "another filesystem is mounted on {point} at boot, which hides {path}")
            }
            H::DropbearOption(option) => write!(f, "dropbear runs with {option}"),
        }
    }
}

impl fmt::Display for ConfigProblemKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ConfigProblemKind::UnknownKeyword => "unknown keyword",
            ConfigProblemKind::MissingArgument => "missing argument",
            ConfigProblemKind::UnclosedQuote => "unclosed quotation mark",
            ConfigProblemKind::ExtraArgument => "too many arguments",
            ConfigProblemKind::BadValue => "bad value",
            ConfigProblemKind::UnsatisfiableMethods => "its methods are switched off",
            ConfigProblemKind::RepeatedAny => "`any` after other AuthenticationMethods",
            ConfigProblemKind::NotInMatch => "keyword not allowed in a Match block",
            ConfigProblemKind::BadMatch => "bad Match condition",
            ConfigProblemKind::IncludeTooDeep => "files include each other too deep",
            ConfigProblemKind::IncludeUnreadable => "an included file cannot be opened",
            ConfigProblemKind::TooLong => "too many lines",
        })
    }
}
