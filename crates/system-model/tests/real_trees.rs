//! Systems as distributions ship them are not reported, apart from their cloud-init.
//!
//! `SYSTEM_MODEL_TREES` names their root directories, separated by colons: a Debian made by
//! mmdebstrap, a mounted base image, …

mod host;

use std::path::Path;

use host::HostFiles;
use system_model::{BootModel, Effect, ReadOptions};

#[test]
fn stock_systems_are_not_reported() {
    let Ok(trees) = std::env::var("SYSTEM_MODEL_TREES") else {
        test_support::not_judged("no real system was read: SYSTEM_MODEL_TREES is not set");
        return;
    };
    for tree in trees.split(':') {
        assert!(Path::new(tree).join("etc").is_dir(), "{tree} holds no system");
        let files = HostFiles::new(Path::new(tree));
        for first_boot in [false, true] {
            let options = ReadOptions { first_boot: Some(first_boot) };
            let model = BootModel::read_with(&files, options).unwrap();
            let running = model.systemd().started().iter().filter(|unit| unit.runs());
            let scripts: usize = model.programs().iter().map(|one| one.scripts.len()).sum();
            println!(
                "{tree}, first boot {first_boot}: {:?}, {} units start, {} with commands, {scripts} \
                 scripts read, default {}",
                model.family(),
                running.count(),
                model.programs().len(),
                model.systemd().default_target(),
            );
            if std::env::var("SYSTEM_MODEL_LIST").is_ok() {
                for unit in model.systemd().started().iter().filter(|unit| unit.runs()) {
                    println!("  {}", unit.name);
                }
                for program in model.programs().iter().filter(|one| !one.scripts.is_empty()) {
                    println!("  {}: {:?}", program.name, program.scripts);
                }
            }
            let threats = model.threats(&Effect::ALL);
            for threat in &threats {
                println!("  {threat:?}");
            }
            let unknown = threats.iter().filter(|one| !one.program.starts_with("cloud-init"));
            assert_eq!(unknown.count(), 0, "{tree}");
        }
    }
}
