//! `nodecard plan`.

use std::io::{Write as _, stdout};

use card_audit::{Card, PlanOptions};
use card_image::{BaseOptions, CardBuilder};
use cluster_profile::Cluster;

use crate::{
    args::PlanArgs,
    build::chosen_nodes,
    failure::Failure,
    progress::Shown,
    setup::{cancel_on_interrupt, source_date_epoch, sources},
    verify::{json, open_keys},
};

pub fn run(args: &PlanArgs) -> Result<(), Failure> {
    let cluster = Cluster::load(&args.profile)?;
    let nodes = chosen_nodes(&cluster, &args.nodes)?;
    let keys = open_keys(&cluster)?;
    let root = args.root.or(cluster.root);
    let (progress, cancel) = (Shown::default(), cancel_on_interrupt());
    let plan = match &args.against {
        Some(target) => {
            let [node] = nodes.as_slice() else {
                return Err(Failure::Usage(
                    "--against is one node's card: say which, by --node".into(),
                ));
            };
            let time = source_date_epoch()?;
            let options = PlanOptions { cluster: &cluster, keys: &keys, node, time };
            let opening =
                BaseOptions { cache_dir: None, sha256: None, progress: &progress, cancel: &cancel };
            card_audit::plan_against(&options, &Card::open(target, root, opening)?)?
        }
        None => {
            let sources = sources(&cluster, &keys, args.base.as_deref(), args.root)?;
            let prepared = CardBuilder::open(sources, &progress, &cancel)?;
            let size = args.card.unwrap_or(cluster.card).bytes();
            let base = sources.base.display().to_string();
            card_audit::plan(&prepared, size, &nodes, &base, &cancel)?
        }
    };
    let mut out = stdout().lock();
    match args.json {
        true => writeln!(out, "{}", json(&plan)?)?,
        false => write!(out, "{plan}")?,
    }
    Ok(())
}
