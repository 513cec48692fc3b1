//! Reasons not to make a card: the first, or all of them.

use super::RenderError;

/// A reason not to make cards.
#[derive(Debug)]
pub struct CardObstacle {
    /// The reason.
    pub reason: RenderError,
    /// The nodes whose cards it concerns; empty if those of all.
    pub nodes: Vec<String>,
}

/// What becomes of reasons while a card is rendered.
#[derive(Debug, Default)]
pub(super) enum Refused {
    /// The first ends the rendering.
    #[default]
    First,
    /// They are kept, and rendering goes on without what they are about.
    All(Vec<RenderError>),
}

impl Refused {
    /// Returns whether all reasons are wanted.
    pub fn wants_all(&self) -> bool {
        matches!(self, Refused::All(_))
    }

    /// Goes on without what cannot be rendered, if all reasons are wanted and a reason is not
    /// that nothing can be read.
    ///
    /// # Errors
    /// The reason, otherwise.
    pub fn go_on<T: Default>(&mut self, result: Result<T, RenderError>) -> Result<T, RenderError> {
        match (result, self) {
            (Err(error), Refused::All(all)) if !error.ends_everything() => {
                all.push(error);
                Ok(T::default())
            }
            (result, _) => result,
        }
    }

    /// Goes on after a reason ([`go_on`](Self::go_on)).
    ///
    /// # Errors
    /// The reason, if only the first is wanted.
    pub fn add(&mut self, reason: RenderError) -> Result<(), RenderError> {
        self.go_on(Err(reason))
    }

    /// Returns the first of two reasons. If all are wanted, the other one is kept.
    ///
    /// # Errors
    /// None: [`add`](Self::add) has none where all reasons are wanted.
    pub fn first(
        &mut self,
        one: Option<RenderError>,
        other: Option<RenderError>,
    ) -> Result<Option<RenderError>, RenderError> {
        match (one, other) {
            (Some(one), Some(other)) => {
                if self.wants_all() {
                    self.add(other)?;
                }
                Ok(Some(one))
            }
            (one, other) => Ok(one.or(other)),
        }
    }

    /// Returns the reasons that were kept.
    pub fn into_all(self) -> Vec<RenderError> {
        match self {
            Refused::First => Vec::new(),
            Refused::All(all) => all,
        }
    }
}

impl RenderError {
    fn ends_everything(&self) -> bool {
        matches!(self, RenderError::System(_) | RenderError::Keys(_) | RenderError::NoLinux { .. })
    }
}

/// Reasons about several nodes, each once.
#[derive(Debug, Default)]
pub(super) struct Obstacles(Vec<CardObstacle>);

impl Obstacles {
    /// Adds a reason about one node, or about all of them.
    pub fn add(&mut self, reason: RenderError, node: Option<&str>) {
        let text = |reason: &RenderError| (reason.to_string(), reason.fix());
        let said = text(&reason);
        let node = node.map(str::to_owned);
        match (self.0.iter_mut().find(|known| text(&known.reason) == said), node) {
            (Some(known), Some(node)) => {
                if !known.nodes.is_empty() && !known.nodes.contains(&node) {
                    known.nodes.push(node);
                }
            }
            (Some(_), None) => {}
            (None, node) => self.0.push(CardObstacle { reason, nodes: node.into_iter().collect() }),
        }
    }

    /// Returns the reasons, without the nodes of those that are about as many as `all`.
    pub fn into_list(mut self, all: usize) -> Vec<CardObstacle> {
        for one in &mut self.0 {
            if one.nodes.len() == all && all > 1 {
                one.nodes.clear();
            }
        }
        self.0
    }
}
