//! YAML as a tree of nodes, before anything is taken for a number or a boolean: that differs
//! between readers.

use std::{collections::BTreeMap, rc::Rc};

use granit_parser::{Event, Parser, ScalarStyle, Span, Tag};

use super::{Place, SyntaxError};

/// Nodes of a text, those of aliases counted each time.
const MAX_NODES: usize = 250_000;
/// Collections within collections.
const MAX_DEPTH: usize = 256;

/// A node of a document.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) content: Content,
    /// The full name of its tag, if it has one: `tag:yaml.org,2002:str` or `!local`.
    pub(crate) tag: Option<String>,
    pub(crate) place: Place,
}

/// What a node is.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    /// A scalar. One that is left out is plain and empty.
    Scalar { text: String, is_plain: bool },
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in its order.
    Map(Vec<(Node, Node)>),
}

/// The options that make the parser agree with libyaml and PyYAML.
pub(crate) fn options() -> granit_parser::Options {
    granit_parser::options! {
        bom_inside_document_as_content: true,
        block_scalar_eof_without_line_feed: true,
    }
}

/// A collection that is not complete yet.
struct Open {
    node: Node,
    anchor: usize,
    /// The key that waits for its value.
    key: Option<Node>,
    nodes: usize,
    depth: usize,
}

/// A node that aliases refer to.
struct Anchored {
    node: Rc<Node>,
    nodes: usize,
    depth: usize,
}

/// Returns the documents of a text, the aliases in them replaced by what they refer to.
///
/// # Errors
/// [`SyntaxError`] if the text is not YAML, or nested too deeply, or too large once its aliases are
/// replaced.
pub(crate) fn documents(text: &str) -> Result<Vec<Node>, SyntaxError> {
    let mut anchors: BTreeMap<usize, Anchored> = BTreeMap::new();
    let mut open: Vec<Open> = Vec::new();
    let mut done: Vec<Node> = Vec::new();
    let mut total = 0;
    for next in Parser::new_from_str_with_options(text, options()) {
        let (event, span) = next.map_err(|error| SyntaxError::of_parser(text, &error))?;
        let fail = |message: &str| Err(SyntaxError::new(message, Place::of_span(text, &span)));
        let (node, anchor, nodes, depth) = match event {
            Event::Scalar(value, style, anchor, tag) => {
                let is_plain = style == ScalarStyle::Plain;
                // The parser writes `~` where a value is left out.
                let is_missing = is_plain && span.is_empty();
                let value = if is_missing { String::new() } else { value.into_owned() };
                let content = Content::Scalar { text: value, is_plain };
                (node(text, content, tag.as_deref(), &span), anchor, 1, 0)
            }
            Event::Alias(id) => {
                let Some(known) = anchors.get(&id) else {
                    return fail("an alias of a value that it is a part of");
                };
                (Node::clone(&known.node), 0, known.nodes, known.depth)
            }
            Event::SequenceStart(_, anchor, tag) => {
                let node = node(text, Content::List(Vec::new()), tag.as_deref(), &span);
                open.push(Open { node, anchor, key: None, nodes: 1, depth: 1 });
                continue;
            }
            Event::MappingStart(_, anchor, tag) => {
                let node = node(text, Content::Map(Vec::new()), tag.as_deref(), &span);
                open.push(Open { node, anchor, key: None, nodes: 1, depth: 1 });
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(closed) = open.pop() else { continue };
                (closed.node, closed.anchor, closed.nodes, closed.depth)
            }
            _ => continue,
        };
        total += nodes;
        if total > MAX_NODES {
            return fail("too large once its aliases are expanded");
        }
        if open.len() + depth > MAX_DEPTH {
            return fail("nested too deeply");
        }
        if anchor != 0 {
            anchors.insert(anchor, Anchored { node: Rc::new(node.clone()), nodes, depth });
            total += nodes;
        }
        let Some(parent) = open.last_mut() else {
            done.push(node);
            continue;
        };
        parent.nodes += nodes;
        parent.depth = parent.depth.max(depth + 1);
        match &mut parent.node.content {
            Content::List(items) => items.push(node),
            Content::Map(entries) => match parent.key.take() {
                Some(key) => entries.push((key, node)),
                None => parent.key = Some(node),
            },
            Content::Scalar { .. } => {}
        }
    }
    Ok(done)
}

fn node(text: &str, content: Content, tag: Option<&Tag>, span: &Span) -> Node {
    let tag = tag.map(|tag| {
        let (handle, suffix) = tag.parts();
        format!("{handle}{suffix}")
    });
    Node { content, tag, place: Place::of_span(text, span) }
}
