//! What keeps the node's interface from its address, decided on the finished system: another name
//! that it gets at boot, and lines of interfaces files that stop ifup.

use system_model::{FileLine, network::Network};

use super::network_manager;
use crate::{
    NetworkBackEnd, Note, SystemError, SystemFiles,
    render::{RenderError, context::Context},
};

/// Notes what may be an obstacle, and returns what surely is one.
pub(super) fn find(
    to: &mut Context<'_>,
    edited: &dyn SystemFiles,
    network: &Network,
    chosen: NetworkBackEnd,
) -> Result<Option<RenderError>, RenderError> {
    let interface = to.interface.to_owned();
    let mut obstacle = None;
    for renaming in network.renamings(&interface) {
        let at = in_image(to, edited, &renaming.at)?;
        match renaming.new {
            Some(new) if renaming.certain => {
                let (interface, (file, line)) = (interface.clone(), at);
                obstacle = Some(RenderError::InterfaceRenamed { interface, new, file, line });
            }
            new => to.note(Note::MayBeRenamed { interface: interface.clone(), new, at }),
        }
    }
    if chosen == NetworkBackEnd::NetworkManager
        && let Some((is_managed, at)) = network_manager::obstacle(edited, &interface)?
    {
        let (file, line) = in_image(to, edited, &at)?;
        let interface = interface.clone();
        obstacle.get_or_insert(RenderError::LeftAlone { is_managed, interface, file, line });
    }
    if chosen != NetworkBackEnd::Ifupdown {
        return Ok(obstacle);
    }
    let fatal = network.interfaces.as_ref().and_then(|read| read.fatal_problem());
    for problem in network.interfaces_problems() {
        let (file, line) = in_image(to, edited, &problem.at)?;
        let what = problem.kind.words();
        if Some(problem) == fatal {
            let interface = interface.clone();
            obstacle.get_or_insert(RenderError::NotBroughtUp { interface, what, file, line });
        } else {
            to.note(Note::IfupReadsLess { what, at: (file, line) });
        }
    }
    Ok(obstacle)
}

/// Returns where a line of the finished system is in the image, where lines before it may be
/// others.
fn in_image(
    to: &Context<'_>,
    edited: &dyn SystemFiles,
    at: &FileLine,
) -> Result<(String, usize), SystemError> {
    let before = to.system.read_text(&at.path)?.unwrap_or_default();
    let after = edited.read_text(&at.path)?.unwrap_or_default();
    let index = at.line.saturating_sub(1);
    let text = after.lines().nth(index).unwrap_or_default();
    // Of lines that are the same, the last ones are the same.
    let behind = after.lines().skip(at.line).filter(|line| *line == text).count();
    let same = before.lines().enumerate().filter(|(_, line)| *line == text);
    let numbers: Vec<usize> = same.map(|(index, _)| index + 1).collect();
    let line = numbers.iter().rev().nth(behind).or(numbers.first());
    Ok((at.path.clone(), line.copied().unwrap_or(at.line)))
}
