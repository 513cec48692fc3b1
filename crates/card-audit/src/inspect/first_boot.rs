//! What the system of an image does when it boots, and what building a card changes of that.

use card_image::{FsError, FsResult, RootFs};
use cluster_profile::SystemError;
use plain_text::printable;
use serde::Serialize;
use system_model::{BootModel, CloudInit, Effect, ReadOptions, Threat, unsuitable};

/// What the system on a card or in a base image does when it boots.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FirstBootReport {
    /// The family of images, such as `Raspberry Pi OS`, if it was recognized.
    pub family: Option<String>,
    /// The release: `trixie`, `24.04`; empty if it is not known.
    pub release: String,
    /// The files that the family was recognized by.
    pub evidence: Vec<String>,
    /// Why no card can be made from it.
    pub refused: Option<String>,
    /// The programs that change a card when it boots.
    pub programs: Vec<BootProgram>,
    /// The users that cloud-init makes at the first boot.
    #[serde(skip)]
    pub new_users: Vec<String>,
}

/// A program that changes a card when it boots.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct BootProgram {
    /// Its name: a unit, an argument of the kernel, a file, or `cloud-init`.
    pub name: String,
    /// What it does, as a phrase, or the line that says so.
    pub what: String,
    /// What of a card it changes.
    pub changes: Vec<String>,
    /// The file that says so.
    pub path: String,
    /// Whether building a card keeps it from running.
    pub disarmed: bool,
}

/// Reads what happens at the next boot of a card that has a machine id, as all finished cards do.
/// Returns `None` if the files make no sense.
pub(super) fn read(files: &RootFs) -> FsResult<Option<FirstBootReport>> {
    match report(files) {
        Ok(report) => Ok(Some(report)),
        Err(SystemError { reason, .. }) => match reason.downcast::<FsError>() {
            Ok(error) => Err(*error),
            Err(_) => Ok(None),
        },
    }
}

fn report(files: &RootFs) -> Result<FirstBootReport, SystemError> {
    let refused = unsuitable(files)?;
    let refused = refused.map(|one| format!("{} ({}): {}", one.name, one.evidence, one.reason));
    let model = BootModel::read_with(files, ReadOptions { first_boot: Some(false) })?;
    let mut programs: Vec<BootProgram> = Vec::new();
    for threat in model.threats(&Effect::ALL) {
        add(&mut programs, &threat);
    }
    let family = model.family();
    let changes = model.cloud_init().into_iter().flat_map(CloudInit::changes);
    let new_users = changes.filter_map(|change| change.new_user.as_ref());
    Ok(FirstBootReport {
        family: family.map(|one| one.family.to_string()),
        release: family.map_or_else(String::new, |one| printable(&one.release)),
        evidence: family.map_or_else(Vec::new, |one| one.evidence.clone()),
        refused,
        programs,
        new_users: new_users.cloned().collect(),
    })
}

/// Adds a change to the program that makes it. All of cloud-init counts as one program, since it
/// is turned off as a whole.
fn add(programs: &mut Vec<BootProgram>, threat: &Threat) {
    let (name, what) = match (threat.is_cloud_init, threat.effect) {
        (true, _) => ("cloud-init", "configures a new system".to_owned()),
        (false, _) if threat.known => (threat.program.as_str(), threat.text.clone()),
        // The line may hold a password.
        (false, Effect::Passwords | Effect::Users) => (threat.program.as_str(), String::new()),
        (false, _) => (threat.program.as_str(), printable(&threat.text)),
    };
    let change = threat.effect.to_string();
    if let Some(program) = programs.iter_mut().find(|one| one.name == name) {
        if !program.changes.contains(&change) {
            program.changes.push(change);
        }
        return;
    }
    programs.push(BootProgram {
        name: name.to_owned(),
        what,
        changes: vec![change],
        path: printable(&threat.location.path),
        disarmed: threat.known && !threat.disarm.is_empty(),
    });
}
