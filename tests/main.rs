//! End-to-end tests of the command line, checked by the programs people use.
//!
//! A test fails if such a program is missing, and names its Debian package. `scripts/test`
//! installs all of them.

mod apply;
mod apply_loop;
mod build;
mod build_update;
mod check;
mod directories;
mod download;
mod export;
mod first_boot;
mod flash;
mod flash_image;
mod flash_loop;
mod flash_terminal;
mod flash_update;
mod formats;
mod hostile;
mod init;
mod inspect;
mod json;
mod keys;
mod layouts;
mod links;
mod manual;
mod outputs;
mod passwords;
mod plan;
mod refusals;
mod save;
mod save_bad_input;
mod save_contents;
mod save_loop;
mod snapshots;
mod status;
mod sudo;
mod support;
mod swarm;
mod udev;
mod verify;
mod version;
