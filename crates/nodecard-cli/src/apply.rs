//! `nodecard apply`.

use std::{
    io::{Write as _, stdout},
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use block_io::{FileStorage, WriteAt};
use card_audit::{Applied, ApplyOptions, AuditError, VerifyOptions};
use card_flash::{
    Medium as _,
    device::{HostSystem, Limits, Target},
};
use card_image::{BaseImage, BaseOptions};
use cluster_profile::Cluster;

use crate::{
    args::ApplyArgs,
    build::chosen_nodes,
    failure::{Failure, tell},
    progress::Shown,
    setup::{ask, cancel_on_interrupt, source_date_epoch},
    verify::{base, open_keys},
};

pub fn run(args: &ApplyArgs) -> Result<(), Failure> {
    let cluster = Cluster::load(&args.profile)?;
    let (name, path) = &args.target;
    let nodes = chosen_nodes(&cluster, std::slice::from_ref(name))?;
    let Some(node) = nodes.first() else {
        return Err(Failure::Usage(format!("there is no node {name}")));
    };
    let (system, limits) = (HostSystem::this(), Limits::from(&args.limits));
    let base_path = args.base.as_deref().unwrap_or(&cluster.base.path);
    let target = Target::inspect(&system, path, base_path, &limits)
        .map_err(|error| refused(error.to_string()))?;
    let shown = path.display().to_string();
    let no_image = |source| AuditError::Image { target: shown.clone(), source: Box::new(source) };
    if target.device().is_none() && BaseImage::is_compressed(path).map_err(no_image)? {
        let message = format!("{shown}: it is a compressed image; decompress it first");
        return Err(refused(message));
    }
    let keys = open_keys(&cluster)?;
    let root = args.root.or(cluster.root);
    let (progress, cancel) = (Shown::default(), cancel_on_interrupt());
    let opening =
        BaseOptions { cache_dir: None, sha256: None, progress: &progress, cancel: &cancel };
    let base = base(args.base.as_deref(), &cluster, root, opening)?;
    let options = ApplyOptions {
        verify: VerifyOptions {
            cluster: &cluster,
            keys: &keys,
            base: match &base {
                Ok(card) => card_audit::BaseReference::Card(card),
                Err(reason) => card_audit::BaseReference::Absent(reason),
            },
            node: Some(node),
        },
        node,
        root,
        grow: args.grow,
        time: match source_date_epoch()? {
            Some(time) => time,
            None => SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs()),
        },
    };
    let storage = FileStorage::open(path)
        .map_err(|source| AuditError::Read { target: shown.clone(), source })?;
    let planned = card_audit::rehearse(&options, &shown, Arc::new(storage))?;
    if planned.is_nothing() {
        writeln!(stdout().lock(), "{shown}: nothing to change")?;
        return tell_left(&planned);
    }
    write!(stdout().lock(), "{}", planned.plan)?;
    if !args.yes {
        let wanted = target.name();
        let answer = ask(format_args!("Type {wanted} to change {shown} in place:"))?;
        if answer.is_none_or(|answer| answer != wanted) {
            return Err(refused(format!("{shown} was not agreed to")));
        }
    }
    let opened = target.open(&system, &limits).map_err(|error| refused(error.to_string()))?;
    let opened = opened
        .into_storage()
        .map_err(|error| refused(format!("{shown} cannot be opened through the cache: {error}")))?;
    let opened = Arc::new(opened);
    let card: Arc<dyn WriteAt> = opened.clone();
    let applied = card_audit::apply(&options, &shown, &card, &planned.plan)?;
    if applied.table && opened.opened().reread_table().is_err() {
        tell(format_args!("note: put the card in again before it is used here"));
    }
    let what = match applied.committed {
        Some(_) => "done",
        None => "done; only the partition table was changed",
    };
    writeln!(stdout().lock(), "{shown}: {what}")?;
    tell_left(&applied)
}

fn refused(message: String) -> Failure {
    Failure::Refused(vec![message, "nothing was written".to_owned()])
}

/// Tells what applying does not mend.
fn tell_left(applied: &Applied) -> Result<(), Failure> {
    let mut out = stdout().lock();
    for finding in &applied.left {
        let place = finding.place();
        let place = if place.is_empty() { place } else { format!("{place}: ") };
        writeln!(out, "left as it is: {place}{}\n    mend: {}", finding.what, finding.fix)?;
    }
    Ok(())
}
