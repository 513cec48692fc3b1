//! The scripts of a swarm's nodes, run by the shell with a fake docker and a fake ssh: what
//! they do when the power fails, when a manager does not respond, and when something is
//! wrong. scripts/boot-cluster runs them on real systems.

#[path = "../common/mod.rs"]
mod common;
mod forming;
mod managers;
mod nodes;
mod trouble;
