//! What the commands that make cards have in common.

use std::{
    fmt,
    io::{BufRead as _, Write as _, stderr, stdin},
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use card_image::{BuildInputs, Cancel};
use cluster_keys::ClusterKeys;
use cluster_profile::Cluster;

use crate::failure::{Failure, tell};

/// The cluster's keys, made on the first run.
pub fn keys(cluster: &Cluster) -> Result<ClusterKeys, Failure> {
    let names: Vec<String> = cluster.nodes.iter().map(|node| node.name.clone()).collect();
    Ok(ClusterKeys::open_or_create(&cluster.keys, &cluster.name, &names)?)
}

/// What cards are made from; `base` and `root` overrule the profile.
pub fn sources<'a>(
    cluster: &'a Cluster,
    keys: &'a ClusterKeys,
    base: Option<&'a Path>,
    root: Option<u32>,
) -> Result<BuildInputs<'a>, Failure> {
    Ok(BuildInputs {
        cluster,
        keys,
        base: base.unwrap_or(&cluster.base.path),
        // The profile's sum is that of the profile's base.
        base_sha256: if base.is_none() { cluster.base.sha256 } else { None },
        root: root.or(cluster.root),
        time: source_date_epoch()?,
        cache: None,
    })
}

/// The time that reproducible builds are told (reproducible-builds.org).
pub fn source_date_epoch() -> Result<Option<u64>, Failure> {
    let Some(value) = std::env::var_os("SOURCE_DATE_EPOCH") else { return Ok(None) };
    // Filesystems count seconds in 32 bits where their inodes are small.
    let time = value.to_str().and_then(|text| text.parse::<u32>().ok());
    match time {
        Some(time) => Ok(Some(time.into())),
        None => Err(Failure::Usage(format!(
            "SOURCE_DATE_EPOCH is {value:?}; it must be seconds since 1970, below 2^32"
        ))),
    }
}

/// Whether the user is being asked something: nothing is being written then, and
/// nobody looks for a request to stop.
static ASKING: AtomicBool = AtomicBool::new(false);

/// The user's answer to a question on stderr; `None` if there is nobody to
/// answer. It is read from standard input, be that a terminal or a pipe: a
/// script may answer, but has to know the answer.
pub fn ask(question: fmt::Arguments) -> Result<Option<String>, Failure> {
    let _ = write!(stderr().lock(), "{question} ");
    ASKING.store(true, Ordering::Relaxed);
    let mut answer = String::new();
    let read = stdin().lock().read_line(&mut answer);
    ASKING.store(false, Ordering::Relaxed);
    Ok((read? > 0).then(|| answer.trim().to_owned()))
}

/// Ctrl-C asks the work to stop and clean up, and so does a terminal that goes
/// away; a second time stops at once.
pub fn cancel_on_interrupt() -> Cancel {
    let cancel = Cancel::new();
    let asked = cancel.clone();
    let handler = move || {
        if asked.check().is_err() || ASKING.load(Ordering::Relaxed) {
            std::process::exit(130);
        }
        asked.cancel();
    };
    if let Err(error) = ctrlc::set_handler(handler) {
        tell(format_args!("nodecard: Ctrl-C will stop at once, without cleaning up: {error}"));
    }
    cancel
}

/// Bytes as people read them.
pub fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

/// Bytes as they are printed on cards and disks.
pub fn gigabytes(bytes: u64) -> String {
    match bytes {
        0..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}
