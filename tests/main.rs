//! End-to-end tests of the command line, judged by the programs people use.
//!
//! A program that is missing fails the test and names its Debian package;
//! `scripts/test` installs them all.

mod apply;
mod apply_loop;
mod build;
mod flash;
mod flash_loop;
mod flash_terminal;
mod formats;
mod inspect;
mod layouts;
mod loops;
mod outputs;
mod passwords;
mod plan;
mod refusals;
mod support;
mod swarm;
mod verify;
