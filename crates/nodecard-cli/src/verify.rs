//! `nodecard verify`.

use std::{
    fs,
    io::{Write as _, stdout},
    path::Path,
    process::ExitCode,
};

use card_audit::{AuditError, Card, VerifyOptions, VerifyReport};
use card_image::{BaseError, BaseImage, BaseOptions};
use cluster_keys::{ClusterKeys, KeyError};
use cluster_profile::Cluster;

use crate::{
    args::VerifyArgs,
    build::chosen_nodes,
    failure::{Failure, exit_code, tell},
    progress::Shown,
    setup::cancel_on_interrupt,
};

pub fn run(args: &VerifyArgs) -> Result<ExitCode, Failure> {
    let cluster = Cluster::load(&args.profile)?;
    let node = match &args.node {
        Some(name) => chosen_nodes(&cluster, std::slice::from_ref(name))?.first().copied(),
        None => None,
    };
    if node.is_some() && args.targets.len() > 1 {
        return Err(Failure::Usage("--node is for one card, but several were given".into()));
    }
    refuse_twice(args)?;
    let keys = open_keys(&cluster)?;
    let root = args.root.or(cluster.root);
    let (progress, cancel) = (Shown::default(), cancel_on_interrupt());
    let options =
        BaseOptions { cache_dir: None, sha256: None, progress: &progress, cancel: &cancel };
    let base = base(args.base.as_deref(), &cluster, root, options)?;
    let cards = args
        .targets
        .iter()
        .map(|path| (path.display().to_string(), Card::open(path, root, options)));
    let verify = VerifyOptions {
        cluster: &cluster,
        keys: &keys,
        base: match &base {
            Ok(card) => card_audit::BaseReference::Card(card),
            Err(reason) => card_audit::BaseReference::Absent(reason),
        },
        node,
    };
    let report = card_audit::verify(&verify, cards.collect());
    let mut out = stdout().lock();
    match args.json {
        true => writeln!(out, "{}", json(&report)?)?,
        false => write!(out, "{report}")?,
    }
    Ok(code(&report))
}

/// One card is not two.
fn refuse_twice(args: &VerifyArgs) -> Result<(), Failure> {
    let mut seen = Vec::new();
    for target in &args.targets {
        let Ok(path) = fs::canonicalize(target) else { continue };
        if seen.contains(&path) {
            let target = target.display();
            return Err(Failure::Usage(format!("{target} was given twice: give each card once")));
        }
        seen.push(path);
    }
    Ok(())
}

/// The cluster's keys; none are made.
pub fn open_keys(cluster: &Cluster) -> Result<ClusterKeys, Failure> {
    let names: Vec<String> = cluster.nodes.iter().map(|node| node.name.clone()).collect();
    ClusterKeys::open(&cluster.keys, &names).map_err(|error| match error {
        KeyError::Missing { .. } => Failure::NoKeys(error),
        other => Failure::Keys(other),
    })
}

/// The base to compare with: the one that is given, or the profile's, if looking at it
/// takes no work; else why it does.
pub fn base(
    given: Option<&Path>,
    cluster: &Cluster,
    root: Option<u32>,
    options: BaseOptions,
) -> Result<Result<Card, String>, Failure> {
    Ok(match given {
        Some(path) => Ok(open_base(path, root, options)?),
        None => ready_base(cluster, root, options),
    })
}

fn open_base(path: &Path, root: Option<u32>, options: BaseOptions) -> Result<Card, Failure> {
    let base = BaseImage::open(path, options).map_err(card_image::Error::from)?;
    Ok(Card::from_storage(path.display().to_string(), base.storage(), root)?)
}

fn ready_base(cluster: &Cluster, root: Option<u32>, options: BaseOptions) -> Result<Card, String> {
    let path = &cluster.base.path;
    let base = match BaseImage::open_if_ready(path, options) {
        Ok(Some(base)) => base,
        Ok(None) => {
            return Err("as the base would have to be decoded first; --base FILE does".into());
        }
        Err(BaseError::NotFound { .. }) => {
            return Err(format!("as the base {} is not there", path.display()));
        }
        Err(error) => return Err(format!("as the base cannot be opened: {error}")),
    };
    Card::from_storage(path.display().to_string(), base.storage(), root)
        .map_err(|error| format!("as the base cannot be read: {error}"))
}

/// A report for programs.
pub fn json(report: &impl serde::Serialize) -> Result<String, Failure> {
    serde_json::to_string_pretty(report).map_err(|error| Failure::Output(error.into()))
}

/// 0 for all as expected, 1 for differences; a card that was refused counts more, and
/// its reason goes to stderr too.
fn code(report: &VerifyReport) -> ExitCode {
    let worst = report.errors().map(|error: &AuditError| {
        tell(format_args!("nodecard: {error}"));
        exit_code(error.kind())
    });
    match worst.max() {
        Some(code) => ExitCode::from(code),
        None if report.is_right() => ExitCode::SUCCESS,
        None => ExitCode::from(1),
    }
}
