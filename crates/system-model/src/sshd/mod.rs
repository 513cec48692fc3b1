//! Who gets in over ssh: the servers of an image, their configuration as they read it, the
//! keys they accept, and what keeps a user out.
//!
//! Sources: sshd_config(5), sshd(8); OpenSSH's servconf.c, match.c, addrmatch.c, auth.c,
//! misc.c; dropbear's svr-auth*.c; Debian's patch `user-group-modes.patch`.

mod admission;
mod algorithms;
mod authorized_keys;
mod command;
mod conditions;
mod config;
mod dropbear;
mod hindrance;
mod host;
mod hosts_access;
mod image_keys;
mod key_files;
mod key_search;
mod keywords;
mod login;
mod patterns;
mod permissions;
mod private_key;
mod reader;
mod settings;
mod start;
mod values;
mod words;

pub use admission::{Admission, HOST_KEY, admission, usable_shell};
pub use algorithms::{ED25519, assemble as assemble_algorithms};
pub use authorized_keys::{AuthorizedKey, parse as parse_authorized_keys};
pub use command::SshdCommand;
pub use config::{
    ConfigProblem, ConfigProblemKind, SSHD_CONFIG, SshdConfig, asks_for_local_address,
};
pub use dropbear::{
    DEFAULTS as DROPBEAR_DEFAULTS, DropbearConfig, HOST_KEYS as DROPBEAR_HOST_KEYS,
    dropbear_admission, dropbear_knows_ed25519,
};
pub use hindrance::{Hindrance, HindranceKind, Repair};
pub use host::SshHost;
pub use hosts_access::{Client, refused_clients};
pub use image_keys::{ImageKey, ImageKeys, OpenedLine};
pub use key_files::DEFAULT_KEY_FILES;
pub use login::Login;
pub use private_key::{begins_with_private_key, is_private_key};
pub use settings::Setting;
pub use start::{NOT_TO_BE_RUN, ServerStart, SshServer, ssh_servers};
