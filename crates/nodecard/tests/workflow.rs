//! The steps of the workflow, their order, and their errors.

use std::{error::Error as _, fs, path::Path};

use nodecard::{ApplyRequest, BuildRequest, Context, Error, ErrorKind, FlashRequest, Project};

const CARD: u64 = 64 << 20;

/// A temporary directory with the demo cluster and a cache of its own.
struct Demo(tempfile::TempDir);

impl Demo {
    fn new() -> Self {
        let temp = tempfile::tempdir().expect("a temporary directory");
        let profiles = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../profiles");
        for file in ["demo.yaml", "sample-base.img.xz"] {
            fs::copy(profiles.join(file), temp.path().join(file)).expect("a copy");
        }
        Demo(temp)
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    fn project(&self) -> Project {
        let mut context = Context::default();
        context.cache = Some(self.path("cache"));
        Project::open(self.path("demo.yaml")).expect("a profile").with_context(context)
    }

    /// A file of the size of a card, full of old data.
    fn used_card(&self, name: &str) -> std::path::PathBuf {
        let path = self.path(name);
        fs::write(&path, vec![0xb5; CARD as usize]).expect("a file");
        path
    }
}

#[test]
fn nodes_are_found_by_name_in_the_profiles_order() {
    let demo = Demo::new();
    let project = demo.project();
    assert_eq!(project.nodes::<&str>(&[]).unwrap().len(), 4);
    let nodes = project.nodes(&["xu4-node2", "xu4-master"]).unwrap();
    let names: Vec<&str> = nodes.iter().map(|node| node.name.as_str()).collect();
    assert_eq!(names, ["xu4-master", "xu4-node2"]);
    let error = project.node("xu5").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Profile);
    assert!(error.to_string().contains("there is no node xu5"), "{error}");
    assert!(error.fix().unwrap().contains("xu4-master"), "{error:?}");
}

#[test]
fn nothing_is_written_to_a_target_that_is_not_confirmed() {
    let demo = Demo::new();
    let (one, two) = (demo.used_card("one.card"), demo.used_card("two.card"));
    let project = demo.project();
    let targets = [("xu4-master", &one), ("xu4-node1", &two)];
    let session = project.flash(&targets, FlashRequest::default()).unwrap();
    assert_eq!(session.targets()[1].node(), "xu4-node1");
    assert_eq!(session.targets()[1].confirmation(), "two.card");
    let mut shown = Vec::new();
    let error = session
        .confirm(|target| {
            shown.push(target.node().to_owned());
            target.node() == "xu4-master"
        })
        .unwrap_err();
    assert_eq!(shown, ["xu4-master", "xu4-node1"]);
    assert!(matches!(&error, Error::NotConfirmed { path } if *path == two), "{error:?}");
    assert!(!error.may_have_written());
    for card in [&one, &two] {
        assert!(fs::read(card).unwrap() == vec![0xb5; CARD as usize], "{}", card.display());
    }
}

/// The file that was shown was replaced before it was confirmed.
#[test]
fn a_target_that_changed_after_it_was_shown_is_refused() {
    let demo = Demo::new();
    let card = demo.used_card("one.card");
    let project = demo.project();
    let session = project.flash(&[("xu4-master", &card)], FlashRequest::default()).unwrap();
    fs::rename(demo.used_card("other.card"), &card).unwrap();
    let error = session.confirm(|_| true).unwrap().write(&()).unwrap_err();
    assert!(matches!(&error, Error::Refused { targets } if targets.len() == 1), "{error:?}");
    assert_eq!(error.kind(), ErrorKind::Target);
    assert!(fs::read(&card).unwrap() == vec![0xb5; CARD as usize]);
}

#[test]
fn all_refusals_are_found_before_any_work() {
    let demo = Demo::new();
    let card = demo.used_card("one.card");
    fs::File::create(demo.path("empty.card")).unwrap();
    let project = demo.project();
    let targets = [
        ("xu4-master", card.clone()),
        ("xu4-node1", demo.path("missing.card")),
        ("xu4-node2", demo.path("empty.card")),
        ("xu4-node3", card),
    ];
    let Err(Error::Refused { targets }) = project.flash(&targets, FlashRequest::default()) else {
        panic!("no target was refused");
    };
    let nodes: Vec<_> = targets.iter().map(|target| target.node.as_deref().unwrap()).collect();
    assert_eq!(nodes, ["xu4-node1", "xu4-node2", "xu4-node3"]);
    assert!(targets.iter().all(|target| target.reasons().count() == 1));
    assert!(!demo.path("demo.keys").exists(), "no keys were made");
    assert!(!demo.path("cache").exists(), "the base image was not decoded");
    let none: [(&str, &Path); 0] = [];
    assert!(matches!(project.flash(&none, FlashRequest::default()), Err(Error::NoTargets)));
}

#[test]
fn only_building_and_flashing_make_keys() {
    let demo = Demo::new();
    let project = demo.project();
    let Err(error) = project.verify(&[demo.path("sample-base.img.xz")], None) else {
        panic!("verified without keys");
    };
    assert!(matches!(error, Error::NoKeys(_)), "{error:?}");
    assert!(error.source().is_some(), "{error:?}");
    assert!(!demo.path("demo.keys").exists());
    project.create_keys(None).unwrap();
    assert!(demo.path("demo.keys").exists());
    project.keys().unwrap();
}

#[test]
fn a_cancelled_build_leaves_nothing() {
    let demo = Demo::new();
    let context = Context::default();
    let cancel = context.cancel.clone();
    let project = demo.project().with_context(context);
    cancel.cancel();
    let error = project.build(&BuildRequest::new(demo.path("out"))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Interrupted);
    assert!(!demo.path("out/manifest.json").exists());
}

#[test]
fn a_card_is_corrected_after_its_changes_were_confirmed() {
    let demo = Demo::new();
    let project = demo.project();
    let mut request = BuildRequest::new(demo.path("out"));
    request.nodes = vec!["xu4-node1".into()];
    project.build(&request).unwrap();
    let card = demo.path("out/xu4-node1.img");
    let session = project.apply("xu4-node1", &card, ApplyRequest::default()).unwrap();
    assert!(session.is_nothing());

    let before = fs::read(&card).unwrap();
    let session = project.apply("xu4-node2", &card, ApplyRequest::default()).unwrap();
    assert!(!session.is_nothing());
    assert!(session.changes().to_string().contains("+xu4-node2"), "{}", session.changes());
    let error = session.confirm(|_| false).unwrap_err();
    assert!(matches!(error, Error::NotConfirmed { .. }), "{error:?}");
    assert!(fs::read(&card).unwrap() == before);

    let session = project.apply("xu4-node2", &card, ApplyRequest::default()).unwrap();
    let report = session.confirm(|_| true).unwrap().apply().unwrap();
    assert!(report.applied.committed.is_some() && !report.reinsert);
    assert!(project.verify(&[&card], Some("xu4-node2")).unwrap().report.matches_profile());
}
