//! What each thing on a card means to the cluster, and so how it is compared.
//! docs/verify.md has the same as a table.

use cluster_profile::{
    AccountPart, BootPart, ClonedState, ExtraFileKind, FirstBootPart, KeyHalf, NetworkBackEnd,
    Purpose, SwarmPart,
};

use super::judgement::{ChangedBy, Comparison, Guard, Intruder, Key, Rule};
use crate::{FindingCode, Severity};

/// Returns the rule for a thing on a card.
///
/// There is no arm for the rest: a thing that rendering comes to write does not compile
/// until it has a rule here.
pub(super) fn rule(purpose: &Purpose) -> Rule {
    use ChangedBy::{Node, Owner};
    use Comparison as By;
    use FindingCode as Code;
    use Severity::{Error, Note, Warning};
    match purpose {
        Purpose::HostName => Rule::new(Code::HostName, Error, By::HostName),
        Purpose::Hosts => Rule::new(Code::Hosts, Error, By::Hosts).changed_by(Owner),
        Purpose::Address(back_end) => match back_end {
            NetworkBackEnd::Ifupdown => {
                Rule::new(Code::Address, Error, By::Interfaces).changed_by(Owner)
            }
            NetworkBackEnd::NetworkManager => {
                Rule::new(Code::Address, Error, By::Settings).guarded_by(Guard::NetworkManager)
            }
            NetworkBackEnd::Netplan | NetworkBackEnd::Networkd => {
                Rule::new(Code::Address, Error, By::Settings)
            }
        },
        Purpose::RivalSettings => Rule::new(Code::NetworkRival, Warning, By::Settings),
        Purpose::RivalFile => {
            Rule::new(Code::NetworkRival, Error, By::Absent(Intruder::NetworkFile))
        }
        Purpose::Resolver => Rule::new(Code::Resolver, Warning, By::Resolver).changed_by(Owner),
        Purpose::ResolvedSettings => Rule::new(Code::Resolver, Warning, By::Settings),
        Purpose::MachineId => Rule::new(Code::MachineId, Error, By::MachineId),
        Purpose::DbusMachineId => Rule::new(Code::MachineId, Warning, By::MachineIdLink),
        Purpose::HostKey(KeyHalf::Private) => {
            Rule::new(Code::HostKey, Error, By::PrivateKey(Key::Host)).guarded_by(Guard::PrivateKey)
        }
        Purpose::HostKey(KeyHalf::Public) => {
            Rule::new(Code::HostKey, Warning, By::PublicKey).guarded_by(Guard::Ssh)
        }
        // dropbear does not look at the mode.
        Purpose::DropbearHostKey => Rule::new(Code::HostKey, Error, By::DropbearKey),
        Purpose::SshdConfig => Rule::new(Code::SshdConfig, Error, By::Settings).changed_by(Owner),
        // It only loses mentions of key pairs, which have findings of their own.
        Purpose::SshConfig => {
            Rule::new(Code::ClonedUserKey, Warning, By::Elsewhere).changed_by(Owner)
        }
        Purpose::SystemKnownHosts => {
            Rule::new(Code::KnownHosts, Error, By::KnownHosts).changed_by(Owner)
        }
        Purpose::UserKnownHosts { user: _ } => {
            Rule::new(Code::StaleKnownHost, Warning, By::OwnKnownHosts)
                .changed_by(Owner)
                .guarded_by(Guard::Ssh)
        }
        Purpose::HomeDirectory { user: _ } => {
            Rule::new(Code::HomeDirectory, Error, By::Directory).guarded_by(Guard::Ssh)
        }
        Purpose::SshDirectory { user: _ } => {
            Rule::new(Code::SshDirectory, Error, By::Directory).guarded_by(Guard::Ssh)
        }
        Purpose::AuthorizedKeys { user: _ } => {
            Rule::new(Code::AuthorizedKeys, Error, By::AuthorizedKeys)
                .changed_by(Owner)
                .guarded_by(Guard::Ssh)
        }
        Purpose::ClusterKey { user: _, half: KeyHalf::Private } => {
            Rule::new(Code::ClusterKey, Error, By::PrivateKey(Key::Cluster))
                .guarded_by(Guard::PrivateKey)
        }
        Purpose::ClusterKey { user: _, half: KeyHalf::Public } => {
            Rule::new(Code::ClusterKey, Warning, By::PublicKey).guarded_by(Guard::Ssh)
        }
        Purpose::Passwords => Rule::new(Code::Password, Warning, By::Passwords).changed_by(Owner),
        Purpose::Account(part) => match part {
            AccountPart::Users | AccountPart::Groups => {
                Rule::new(Code::Account, Error, By::AccountLines).changed_by(Owner)
            }
            // /etc/group has the same members.
            AccountPart::GroupPasswords => {
                Rule::new(Code::Account, Warning, By::Elsewhere).changed_by(Owner)
            }
            AccountPart::Skeleton => {
                Rule::new(Code::Account, Note, By::Elsewhere).changed_by(Owner)
            }
            AccountPart::Sudo => Rule::new(Code::Account, Warning, By::Exact),
        },
        Purpose::Boot(part) => match part {
            // What is compared is the file on the card with the profile's changes.
            BootPart::CommandLine | BootPart::Config => {
                Rule::new(Code::BootSettings, Warning, By::Exact)
            }
        },
        Purpose::Login => Rule::new(Code::SshHindrance, Error, By::Login),
        Purpose::FirstBoot(part) => match part {
            FirstBootPart::Program => {
                Rule::new(Code::FirstBoot, Error, By::Absent(Intruder::FirstBootProgram))
            }
            FirstBootPart::Unit => Rule::new(Code::FirstBoot, Error, By::MaskedUnit),
            FirstBootPart::Settings => Rule::new(Code::FirstBoot, Warning, By::Settings),
            FirstBootPart::Wizard => {
                Rule::new(Code::FirstBoot, Error, By::Absent(Intruder::FirstBootProgram))
            }
            FirstBootPart::Mark | FirstBootPart::CommandLine => {
                Rule::new(Code::FirstBoot, Error, By::Exact)
            }
            FirstBootPart::UnitLink => Rule::new(Code::FirstBoot, Warning, By::EnabledUnit),
        },
        Purpose::CloudInit => Rule::new(Code::CloudInit, Error, By::Settings),
        Purpose::CloudSeed => Rule::new(Code::CloudInit, Error, By::Exact),
        Purpose::SshServer => Rule::new(Code::SshServer, Error, By::EnabledUnit),
        Purpose::ClockStamp => Rule::new(Code::Clock, Note, By::TimeStamp).changed_by(Node),
        Purpose::ClockDirectory => Rule::new(Code::Clock, Note, By::Directory).changed_by(Node),
        Purpose::Swarm(part) => match part {
            // Another release of nodecard has other programs.
            SwarmPart::Program | SwarmPart::Unit | SwarmPart::ArchiveList => {
                Rule::new(Code::Swarm, Warning, By::Exact)
            }
            // Services are created once.
            SwarmPart::Service | SwarmPart::Environment => {
                Rule::new(Code::Swarm, Warning, By::Exact)
            }
            SwarmPart::UnitLink => Rule::new(Code::Swarm, Warning, By::EnabledUnit),
            SwarmPart::Configuration => Rule::new(Code::Swarm, Error, By::Settings),
            SwarmPart::Key => Rule::new(Code::Swarm, Error, By::PrivateKey(Key::Swarm))
                .guarded_by(Guard::PrivateKey),
            SwarmPart::Directory => Rule::new(Code::Swarm, Error, By::Directory),
            SwarmPart::Archive => Rule::new(Code::SwarmImage, Warning, By::Archive),
            SwarmPart::Leftover => {
                Rule::new(Code::Swarm, Warning, By::Absent(Intruder::SwarmLeftover))
            }
        },
        Purpose::ExtraFile(kind) => {
            Rule::new(Code::ExtraFile, Warning, By::Exact).guarded_by(match kind {
                ExtraFileKind::Plain | ExtraFileKind::PasswordDatabase => Guard::Nobody,
                ExtraFileKind::HostKey | ExtraFileKind::Ssh => Guard::Ssh,
                ExtraFileKind::NetworkManager => Guard::NetworkManager,
            })
        }
        Purpose::Cloned(state) => match state {
            // A pair is reported once, by its private half.
            ClonedState::HostKey(KeyHalf::Public) => {
                Rule::new(Code::ClonedFile, Error, By::Elsewhere).changed_by(Node)
            }
            ClonedState::UserKey(KeyHalf::Public) => {
                Rule::new(Code::ClonedUserKey, Error, By::Elsewhere).changed_by(Owner)
            }
            ClonedState::UserKey(KeyHalf::Private) => {
                Rule::new(Code::ClonedUserKey, Error, By::NotFromBase(*state)).changed_by(Owner)
            }
            ClonedState::DockerIdentity
            | ClonedState::DockerSwarm
            | ClonedState::SwarmRecord
            | ClonedState::RandomSeed
            | ClonedState::Dhcp
            | ClonedState::NetworkManagerSecret
            | ClonedState::CredentialSecret
            | ClonedState::HostKey(KeyHalf::Private) => {
                Rule::new(Code::ClonedFile, Error, By::NotFromBase(*state)).changed_by(Node)
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// One purpose of each kind. A variant that is missing here fails the test below, and
    /// one that is new does not compile there.
    fn purposes() -> Vec<Purpose> {
        use KeyHalf::{Private, Public};
        let user = || "root".to_owned();
        let mut all = vec![Purpose::HostName, Purpose::Hosts];
        all.extend(
            [
                NetworkBackEnd::Ifupdown,
                NetworkBackEnd::Netplan,
                NetworkBackEnd::NetworkManager,
                NetworkBackEnd::Networkd,
            ]
            .map(Purpose::Address),
        );
        all.extend([
            Purpose::RivalSettings,
            Purpose::RivalFile,
            Purpose::Resolver,
            Purpose::ResolvedSettings,
            Purpose::MachineId,
            Purpose::DbusMachineId,
            Purpose::HostKey(Private),
            Purpose::HostKey(Public),
            Purpose::DropbearHostKey,
            Purpose::SshdConfig,
            Purpose::SshConfig,
            Purpose::SystemKnownHosts,
            Purpose::UserKnownHosts { user: user() },
            Purpose::HomeDirectory { user: user() },
            Purpose::SshDirectory { user: user() },
            Purpose::AuthorizedKeys { user: user() },
            Purpose::ClusterKey { user: user(), half: Private },
            Purpose::ClusterKey { user: user(), half: Public },
            Purpose::Passwords,
            Purpose::Login,
        ]);
        all.extend(
            [
                AccountPart::Users,
                AccountPart::Groups,
                AccountPart::GroupPasswords,
                AccountPart::Skeleton,
                AccountPart::Sudo,
            ]
            .map(Purpose::Account),
        );
        all.extend([BootPart::CommandLine, BootPart::Config].map(Purpose::Boot));
        all.extend(
            [
                FirstBootPart::Program,
                FirstBootPart::Unit,
                FirstBootPart::Settings,
                FirstBootPart::Wizard,
                FirstBootPart::Mark,
                FirstBootPart::CommandLine,
                FirstBootPart::UnitLink,
            ]
            .map(Purpose::FirstBoot),
        );
        all.extend([Purpose::CloudInit, Purpose::CloudSeed, Purpose::SshServer]);
        all.extend([Purpose::ClockStamp, Purpose::ClockDirectory]);
        all.extend(
            [
                SwarmPart::Program,
                SwarmPart::Unit,
                SwarmPart::UnitLink,
                SwarmPart::Configuration,
                SwarmPart::Key,
                SwarmPart::Directory,
                SwarmPart::Service,
                SwarmPart::Environment,
                SwarmPart::Archive,
                SwarmPart::ArchiveList,
                SwarmPart::Leftover,
            ]
            .map(Purpose::Swarm),
        );
        all.extend(
            [
                ExtraFileKind::Plain,
                ExtraFileKind::PasswordDatabase,
                ExtraFileKind::HostKey,
                ExtraFileKind::Ssh,
                ExtraFileKind::NetworkManager,
            ]
            .map(Purpose::ExtraFile),
        );
        all.extend(
            [
                ClonedState::DockerIdentity,
                ClonedState::DockerSwarm,
                ClonedState::SwarmRecord,
                ClonedState::RandomSeed,
                ClonedState::Dhcp,
                ClonedState::NetworkManagerSecret,
                ClonedState::CredentialSecret,
                ClonedState::HostKey(Private),
                ClonedState::HostKey(Public),
                ClonedState::UserKey(Private),
                ClonedState::UserKey(Public),
            ]
            .map(Purpose::Cloned),
        );
        all
    }

    /// The variants of [`Purpose`], by number.
    fn number(purpose: &Purpose) -> usize {
        match purpose {
            Purpose::HostName => 0,
            Purpose::Hosts => 1,
            Purpose::Address(_) => 2,
            Purpose::RivalSettings => 3,
            Purpose::RivalFile => 4,
            Purpose::Resolver => 5,
            Purpose::ResolvedSettings => 6,
            Purpose::MachineId => 7,
            Purpose::DbusMachineId => 8,
            Purpose::HostKey(_) => 9,
            Purpose::SshdConfig => 10,
            Purpose::SshConfig => 11,
            Purpose::SystemKnownHosts => 12,
            Purpose::UserKnownHosts { .. } => 13,
            Purpose::HomeDirectory { .. } => 14,
            Purpose::SshDirectory { .. } => 15,
            Purpose::AuthorizedKeys { .. } => 16,
            Purpose::ClusterKey { .. } => 17,
            Purpose::Passwords => 18,
            Purpose::FirstBoot(_) => 19,
            Purpose::CloudInit => 20,
            Purpose::ClockStamp => 21,
            Purpose::ClockDirectory => 22,
            Purpose::Swarm(_) => 23,
            Purpose::ExtraFile(_) => 24,
            Purpose::Cloned(_) => 25,
            Purpose::Account(_) => 26,
            Purpose::Boot(_) => 27,
            Purpose::CloudSeed => 28,
            Purpose::SshServer => 29,
            Purpose::Login => 30,
            Purpose::DropbearHostKey => 31,
        }
    }

    #[test]
    fn the_table_of_rules() {
        let all = purposes();
        let numbers: BTreeSet<usize> = all.iter().map(number).collect();
        assert_eq!(numbers, (0..32).collect(), "a purpose is missing");
        let name = |purpose: &Purpose| format!("{purpose:?}").replace("user: \"root\"", "user");
        let table: String = all
            .iter()
            .map(|purpose| {
                let Rule { code, severity, comparison, changed_by, guard } = rule(purpose);
                let secret = if purpose.is_secret() { "secret" } else { "" };
                let line = format!(
                    "{:44}{:17}{:9}{:36}{:8}{:15}{secret}",
                    name(purpose),
                    code.as_str(),
                    severity.name(),
                    format!("{comparison:?}"),
                    format!("{changed_by:?}"),
                    format!("{guard:?}"),
                );
                line.trim_end().to_owned() + "\n"
            })
            .collect();
        assert_eq!(table, include_str!("rules.txt"), "\n{table}");
    }
}
