//! What will run at the card's next boot and change it, and whether an ssh server starts.
//!
//! This looks at the card itself, whoever made it, and not at what building would render.

use std::collections::BTreeSet;

use cluster_profile::{
    CloudInitChoice, DefaultPassword, OverlayVerdict, RenderError, SystemError,
    cloud_default_password,
};
use plain_text::printable;
use system_model::{
    BootModel, Disarm, Effect, KnownProgram, Location, NotStarted, Systemd, Threat,
    sshd::{ServerStart, ssh_servers},
};

use super::Subject;
use crate::{ApplyCommand, Finding, FindingCode, FixAction, Severity};

/// What the card will do, and the ssh servers on it.
pub(super) struct Boot {
    model: BootModel,
    /// The units of later boots, if the next one is the first.
    later: Option<Systemd>,
    servers: Vec<ServerStart>,
    needs_server: bool,
    /// Whether the profile keeps cloud-init on, instead of turning it off.
    keeps_cloud_init: bool,
}

impl Boot {
    pub fn read(subject: &Subject<'_>) -> Result<Self, SystemError> {
        let model = BootModel::read(subject.system)?;
        let runs = |unit: &str| model.systemd().running(unit).is_some();
        let servers = ssh_servers(subject.system, &runs)?;
        let cluster = subject.cluster;
        let needs_server = !cluster.key_users().is_empty() || cluster.swarm.is_some();
        let later = match model.systemd().first_boot() {
            true => Some(Systemd::read_later_boots(subject.system)?),
            false => None,
        };
        let keeps_cloud_init = cluster.cloud_init != CloudInitChoice::Off;
        Ok(Boot { model, later, servers, needs_server, keeps_cloud_init })
    }

    /// Returns the units that start at boots after the first.
    pub fn later_boots(&self) -> &Systemd {
        self.later.as_ref().unwrap_or_else(|| self.model.systemd())
    }

    /// Returns the finding about an overlay over the root filesystem.
    pub fn overlay(&self, subject: &Subject<'_>) -> Result<Option<Finding>, SystemError> {
        let (cluster, system, later) = (subject.cluster, subject.system, self.later_boots());
        let Some(verdict) = OverlayVerdict::of(cluster, system, &self.model, later)? else {
            return Ok(None);
        };
        let severity = match verdict.loses {
            Some(_) => Severity::Error,
            None => Severity::Warning,
        };
        let fix = FixAction::Adapt { advice: Some(verdict.fix()) };
        let finding = Finding::new(severity, FindingCode::RootOverlay, verdict.to_string(), fix);
        Ok(Some(at(finding, &verdict.overlay.location)))
    }

    /// Adds the findings. They replace those of single files that disarm the same program.
    /// `seed` lists the files of cloud-init's seed that the profile writes, and `apply` is the
    /// command that corrects the card in place.
    pub fn judge(&self, findings: &mut Vec<Finding>, seed: &[&str], apply: Option<&ApplyCommand>) {
        let mut found = Vec::new();
        let (mut covered, mut passwords) = (BTreeSet::new(), Vec::new());
        for program in self.model.known_programs() {
            covered.extend(program.disarm.iter().flat_map(paths));
            found.push(known(program));
        }
        if let Some(cloud_init) = self.model.cloud_init().filter(|one| one.is_enabled()) {
            let origin = |at: &Location| self.origin(at, seed, findings);
            found.extend(cloud_init.changes().iter().filter_map(|change| {
                let what =
                    printable(&format!("cloud-init, module {}: {}", change.module, change.text));
                let code = FindingCode::CloudInit;
                let finding = match origin(&change.location) {
                    Origin::Profile => return None,
                    Origin::Image => Finding::warning(code, what, keep_from(&change.location)),
                    Origin::Card => Finding::error(code, what, FixAction::RewriteBeforeBoot),
                };
                Some(at(finding, &change.location))
            }));
            for given in cloud_init.passwords() {
                let Some(DefaultPassword::Word(word)) = cloud_default_password(&given) else {
                    continue;
                };
                let what = format!(
                    "cloud-init gives {} the default password `{word}` at the next boot",
                    given.user
                );
                let fix = FixAction::SetPassword { user: printable(&given.user) };
                let code = FindingCode::DefaultPassword;
                passwords.push(at(Finding::note(code, printable(&what), fix), &given.location));
            }
            for (location, why) in cloud_init.unreadable() {
                let what =
                    format!("cloud-init reads this file, which nodecard cannot check ({why})");
                let fix = match origin(location) {
                    Origin::Profile => continue,
                    Origin::Image => FixAction::CheckProgram { program: location.path.clone() },
                    Origin::Card => FixAction::RewriteBeforeBoot,
                };
                let finding = Finding::warning(FindingCode::CloudInit, printable(&what), fix);
                found.push(at(finding, location));
            }
        }
        let covers_cloud_init = found.iter().any(|one| one.code == FindingCode::CloudInit);
        findings.retain(|finding| match finding.code {
            // A seed that is not the profile's is why its user-data counts.
            FindingCode::CloudInit => self.keeps_cloud_init || !covers_cloud_init,
            FindingCode::FirstBoot => {
                finding.path.as_ref().is_none_or(|path| !covered.contains(path.as_str()))
            }
            FindingCode::SshServer => false,
            _ => true,
        });
        found.extend(self.server());
        for finding in &mut found {
            if matches!(finding.fix.action, FixAction::Rewrite | FixAction::RewriteBeforeBoot) {
                finding.fix.apply = apply.cloned();
            }
        }
        found.extend(unknown(&self.model.threats(&Effect::ALL)));
        findings.append(&mut found);
        findings.append(&mut passwords);
    }

    /// Returns where it comes from that cloud-init does something.
    fn origin(&self, at: &Location, seed: &[&str], findings: &[Finding]) -> Origin {
        let is_in_seed = |path: &str| seed.contains(&path);
        let differs = findings.iter().any(|finding| {
            finding.code == FindingCode::CloudInit
                && finding.path.as_deref().is_some_and(is_in_seed)
        });
        match (self.keeps_cloud_init && !differs, is_in_seed(&at.path)) {
            (false, _) => Origin::Card,
            (true, true) => Origin::Profile,
            (true, false) => Origin::Image,
        }
    }

    /// Returns a finding if logins need an ssh server and none starts.
    fn server(&self) -> Option<Finding> {
        const CODE: FindingCode = FindingCode::SshServer;
        if !self.needs_server || self.servers.iter().any(ServerStart::starts) {
            return None;
        }
        let Some(server) = self.servers.first() else {
            let what = "there is no ssh server, which logins by key need";
            return Some(Finding::error(CODE, what, FixAction::InstallSshServer));
        };
        if let Some(path) = &server.kept_by {
            let what = "this file keeps the ssh server from starting";
            return Some(Finding::error(CODE, what, FixAction::Rewrite).at(path));
        }
        // Without a unit, something else than systemd starts it, if anything does.
        let unit = self.servers.iter().find_map(|server| server.unit.as_ref())?;
        let why = self.later_boots().why_not_started(unit).unwrap_or(NotStarted::NotEnabled);
        let what = format!("nothing starts the ssh server at boot: {unit} {why}");
        // Building enables a unit, and removes a mask of /etc.
        let is_enabled = match &why {
            NotStarted::NotEnabled => true,
            NotStarted::Masked(path) => path.starts_with("/etc/"),
            _ => false,
        };
        if is_enabled {
            let finding = Finding::error(CODE, printable(&what), FixAction::Rewrite);
            return Some(finding.at(&server.program));
        }
        let fix = FixAction::Adapt { advice: Some(printable(&why.fix(unit))) };
        let finding = Finding::error(CODE, printable(&what), fix);
        Some(match why.location() {
            Some(location) => at(finding, &location),
            None => finding.at(&server.program),
        })
    }
}

/// Returns whether what this module finds on a card covers a reason to refuse it.
pub(super) fn reports(error: &RenderError) -> bool {
    match error {
        RenderError::NothingKept(_) => true,
        RenderError::NotStarted { what, .. } => *what == cluster_profile::SSH_SERVER,
        _ => false,
    }
}

/// Where it comes from that cloud-init does something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// The profile's user-data, so the owner wants it. Building has noted it.
    Profile,
    /// The image's own configuration, which counts as the profile keeps cloud-init on. Writing
    /// the card again changes nothing of that.
    Image,
    /// A card that is not as the profile says.
    Card,
}

/// Returns what keeps the image's own configuration of cloud-init from changing cards.
fn keep_from(at: &Location) -> FixAction {
    let advice = format!(
        "if a card should not have that, remove it from {} in the base image, or set it otherwise \
         in the profile's `user_data`",
        printable(&at.path)
    );
    FixAction::Adapt { advice: Some(advice) }
}

/// Returns the files that a step changes.
fn paths(step: &Disarm) -> Vec<&str> {
    match step {
        Disarm::DisableUnit { links, .. } => links.iter().map(String::as_str).collect(),
        Disarm::MaskUnit { path, .. }
        | Disarm::RemoveFile { path }
        | Disarm::RemoveSysvLink { path }
        | Disarm::RemoveArgument { path, .. }
        | Disarm::WriteFile { path, .. }
        | Disarm::SetVariable { path, .. } => vec![path],
        Disarm::EnableUnit { link, .. } => vec![link],
        _ => Vec::new(),
    }
}

fn at(finding: Finding, location: &Location) -> Finding {
    finding.at(&location.path).line((location.line > 0).then_some(location.line))
}

fn known(program: &KnownProgram) -> Finding {
    // A file that a program of the image only looks for runs nothing itself.
    let what = if program.name == program.evidence.path {
        format!("{} {}", program.name, program.what)
    } else {
        format!("the next boot runs {}, which {}", program.name, program.what)
    };
    let fix = if program.disarm.is_empty() {
        FixAction::CheckProgram { program: program.name.clone() }
    } else {
        FixAction::RewriteBeforeBoot
    };
    let finding = Finding::error(FindingCode::FirstBoot, printable(&what), fix);
    at(finding, &program.evidence)
}

/// Returns a finding for each line of a program that is not known by name.
fn unknown(threats: &[Threat]) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    for threat in threats.iter().filter(|threat| !threat.known) {
        let when = if threat.at_login { "when somebody logs in" } else { "at boot" };
        let (program, effect) = (&threat.program, threat.effect);
        let what = match threat.only_names {
            false => format!("{program} runs {when} and seems to change {effect}"),
            true => format!(
                "{program} runs {when}, names {effect} and writes files, so it may change that"
            ),
        };
        let fix = FixAction::CheckProgram { program: threat.program.clone() };
        let mut finding = Finding::warning(FindingCode::FirstBoot, printable(&what), fix);
        finding = at(finding, &threat.location);
        // Such a line may hold a password.
        if !matches!(threat.effect, Effect::Passwords | Effect::Users) {
            finding = finding.found(printable(&threat.text));
        }
        if !findings.contains(&finding) {
            findings.push(finding);
        }
    }
    findings
}
