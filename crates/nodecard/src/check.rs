//! Looking at what a profile names, without making anything.

use block_io::ReadAt as _;
use card_image::{BaseError, BaseImage, BuildNote, CardBuilder, ErrorKind, ImageFile, SumCheck};

use cluster_profile::{CardSize, Role};

use crate::{Error, Project};

/// What [`Project::check`] came to.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct CheckReport {
    /// What keeps cards from being made.
    pub problems: Vec<Error>,
    /// What the user should know about the base image or the profile, if the cards can be made.
    pub notes: Vec<BuildNote>,
    /// What was not looked at, and why.
    pub not_checked: Vec<String>,
}

impl Project {
    /// Looks at what the profile names: whether the base image is there and can be read, has
    /// its checksums and fits the cards; and, if it does not have to be decoded, whether the
    /// card of every node can be made. Makes no keys and no files.
    ///
    /// # Errors
    /// [`Error::Interrupted`]; everything else is in the report.
    pub fn check(&self) -> Result<CheckReport, Error> {
        let mut report = CheckReport::default();
        if let Err(error) = self.look(&mut report) {
            if error.kind() == ErrorKind::Interrupted {
                return Err(error);
            }
            report.problems.push(error);
        }
        report.notes.extend(self.roles_without_swarm());
        Ok(report)
    }

    /// Returns a note about managers if they manage nothing.
    fn roles_without_swarm(&self) -> Option<BuildNote> {
        let managers = self.cluster.nodes.iter().filter(|node| node.role == Role::Manager);
        let nodes: Vec<String> = managers.map(|node| node.name.clone()).collect();
        let is_noted = self.cluster.swarm.is_none() && !nodes.is_empty();
        is_noted.then_some(BuildNote::RolesWithoutSwarm { nodes })
    }

    fn look(&self, report: &mut CheckReport) -> Result<(), Error> {
        let image = |error: BaseError| Error::from(card_image::Error::from(error));
        let path = self.base();
        if self.lacks_download() {
            report.not_checked.push("the base image, which has not been downloaded yet".to_owned());
            return Ok(());
        }
        let file = ImageFile::open(path).map_err(image)?;
        let card = self.cluster.card.map(CardSize::bytes);
        let base = file.stated_size(&self.context.cancel).map_err(image)?;
        let options = || self.context.base_options();
        let ready = BaseImage::open_if_ready(path, options()).map_err(image)?;
        if card.is_none() {
            report.not_checked.push(
                "whether the base image fits the cards: the profile has no `card`".to_owned(),
            );
        }
        let Some(ready) = ready else {
            if base.zip(card).is_some_and(|(base, card)| base > card) {
                report.not_checked.push(
                    "whether the contents of the base image fit the cards: it is larger than they \
                     are, and must be decoded first"
                        .to_owned(),
                );
            }
            let mut options = options();
            options.sha256 =
                if self.chosen_base().is_none() { self.cluster.base.sha256 } else { None };
            match file.check_sums(options).map_err(image)? {
                SumCheck::Right => {}
                SumCheck::NoneKnown => report
                    .not_checked
                    .push("the contents of the base image, which has no known checksum".to_owned()),
                SumCheck::OfImageOnly => report.not_checked.push(
                    "the checksum of the base image, which applies to the decoded image".to_owned(),
                ),
            }
            report.not_checked.push(
                "users, network and filesystems of the base image, which must be decoded first"
                    .to_owned(),
            );
            return Ok(());
        };
        let keys = self.preview_keys()?;
        let (progress, cancel) = (&*self.context.progress, &self.context.cancel);
        let builder = CardBuilder::open(self.inputs(&keys), progress, cancel)?;
        let nodes: Vec<_> = self.cluster.nodes.iter().collect();
        // Everything but the size can be looked at on a card as large as the base.
        let card = card.unwrap_or(ready.storage().size());
        report.notes = builder.cards(card, &nodes, cancel)?.notes;
        Ok(())
    }
}
