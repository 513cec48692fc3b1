//! `nodecard plan`.

use std::io::{Write as _, stdout};

use card_audit::{Card, PlanOptions};
use card_image::{Base, BaseOptions};
use cluster_profile::Cluster;

use crate::{
    args::PlanArgs,
    build::chosen_nodes,
    failure::Failure,
    progress::Shown,
    setup::{cancel_on_interrupt, source_date_epoch},
    verify::{json, open_keys},
};

pub fn run(args: &PlanArgs) -> Result<(), Failure> {
    let cluster = Cluster::load(&args.profile)?;
    let nodes = chosen_nodes(&cluster, &args.nodes)?;
    let keys = open_keys(&cluster)?;
    let options = PlanOptions {
        cluster: &cluster,
        keys: &keys,
        nodes,
        card_size: args.card.unwrap_or(cluster.card).bytes(),
        root: args.root.or(cluster.root),
        time: source_date_epoch()?,
    };
    let (progress, cancel) = (Shown::default(), cancel_on_interrupt());
    let opening =
        BaseOptions { cache_dir: None, sha256: None, progress: &progress, cancel: &cancel };
    let plan = match &args.against {
        Some(target) => {
            if options.nodes.len() > 1 {
                return Err(Failure::Usage(
                    "--against is one node's card: say which, by --node".into(),
                ));
            }
            card_audit::plan_against(&options, &Card::open(target, options.root, opening)?)?
        }
        None => {
            let path = args.base.as_deref().unwrap_or(&cluster.base.path);
            let sha256 = if args.base.is_none() { cluster.base.sha256 } else { None };
            let base = Base::open(path, BaseOptions { sha256, ..opening });
            let base = base.map_err(card_image::Error::from)?;
            card_audit::plan(&options, &base, &path.display().to_string())?
        }
    };
    let mut out = stdout().lock();
    match args.json {
        true => writeln!(out, "{}", json(&plan)?)?,
        false => write!(out, "{plan}")?,
    }
    Ok(())
}
