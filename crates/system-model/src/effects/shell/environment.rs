//! What a shell knows: the possible values of variables, its working directory, functions.

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use crate::effects::place::Place;

/// Values of one variable that are told apart.
const MAX_VALUES: usize = 32;
/// Variables that are kept.
const MAX_VARIABLES: usize = 1000;
/// Longer values are not kept.
const MAX_VALUE: usize = 1000;
/// Branches within branches whose variables are told apart.
const MAX_LAYERS: usize = 40;
/// All that variables may add to words, in bytes.
const MAX_EXPANDED: usize = 16 << 20;

/// The variable that holds the working directory.
const DIRECTORY: &str = "PWD";

type Layer = BTreeMap<String, Vec<String>>;

/// A function of a script.
#[derive(Debug, Clone)]
pub(super) struct Function {
    pub(super) text: Rc<str>,
    pub(super) place: Place,
}

/// The state of a shell, as far as its text decides it.
#[derive(Debug, Clone)]
pub(crate) struct Environment {
    /// The innermost last: those of a branch are joined with the others behind it.
    layers: Vec<Layer>,
    count: usize,
    exported: BTreeSet<String>,
    pub(super) positional: Option<Vec<String>>,
    pub(super) functions: BTreeMap<String, Function>,
    /// Bytes that variables may still add to words.
    budget: usize,
}

impl Environment {
    /// Returns the environment of a program that starts with these variables, in a directory.
    pub(crate) fn new(variables: &[(String, String)], directory: &str) -> Self {
        let mut environment = Environment {
            layers: vec![Layer::new()],
            count: 0,
            exported: BTreeSet::new(),
            positional: None,
            functions: BTreeMap::new(),
            budget: MAX_EXPANDED,
        };
        for (name, value) in variables {
            environment.set(name, vec![value.clone()]);
            environment.export(name);
        }
        environment.set(DIRECTORY, vec![directory.to_owned()]);
        environment
    }

    /// Returns the environment of a program that this shell starts.
    pub(crate) fn of_child(&self, arguments: &[String]) -> Self {
        let mut child = Environment::new(&[], "/");
        for name in self.exported.iter().map(String::as_str).chain([DIRECTORY]) {
            if let Some(values) = self.get(name) {
                child.set(name, values.clone());
                child.export(name);
            }
        }
        child.positional = Some(arguments.to_vec());
        child.budget = self.budget;
        child
    }

    pub(super) fn get(&self, name: &str) -> Option<&Vec<String>> {
        let found = self.layers.iter().rev().find_map(|layer| layer.get(name));
        found.filter(|values| !values.is_empty())
    }

    /// Gives a variable its possible values.
    pub(super) fn set(&mut self, name: &str, mut values: Vec<String>) {
        values.retain(|value| value.len() <= MAX_VALUE);
        values.truncate(MAX_VALUES);
        if self.count >= MAX_VARIABLES {
            return;
        }
        // Without values it has one that is not known.
        if let Some(layer) = self.layers.last_mut()
            && layer.insert(name.to_owned(), values).is_none()
        {
            self.count += 1;
        }
    }

    pub(super) fn unset(&mut self, name: &str) {
        self.set(name, Vec::new());
    }

    pub(super) fn export(&mut self, name: &str) {
        if self.exported.len() < MAX_VARIABLES {
            self.exported.insert(name.to_owned());
        }
    }

    /// Takes bytes of what variables may add; returns whether there are as many.
    pub(super) fn take(&mut self, bytes: usize) -> bool {
        let enough = bytes <= self.budget;
        self.budget = self.budget.saturating_sub(bytes);
        enough
    }

    /// Begins a branch. Returns whether its variables are told apart.
    pub(super) fn enter(&mut self) -> bool {
        let is_new = self.layers.len() < MAX_LAYERS;
        if is_new {
            self.layers.push(Layer::new());
        }
        is_new
    }

    /// Ends a branch, and returns what it has set.
    pub(super) fn leave(&mut self) -> BTreeMap<String, Vec<String>> {
        if self.layers.len() < 2 {
            return Layer::new();
        }
        let layer = self.layers.pop().unwrap_or_default();
        self.count = self.count.saturating_sub(layer.len());
        layer
    }

    /// Adds the values that a branch may have given.
    pub(super) fn join(&mut self, branch: BTreeMap<String, Vec<String>>) {
        for (name, values) in branch {
            let mut all = self.get(&name).cloned().unwrap_or_default();
            for value in values {
                if all.len() < MAX_VALUES && !all.contains(&value) {
                    all.push(value);
                }
            }
            self.set(&name, all);
        }
    }

    /// Returns whether the script itself has a function of this name.
    pub(crate) fn has_function(&self, name: &str) -> bool {
        self.functions.contains_key(name)
    }

    /// Returns the working directory, if it is known.
    pub(crate) fn directory(&self) -> Option<&str> {
        // Of several the last: that of the branch that was read last.
        self.get(DIRECTORY)?.last().map(String::as_str)
    }

    /// Changes the working directory.
    pub(super) fn change_directory(&mut self, to: &str) {
        let old = self.directory().map(str::to_owned);
        match to {
            "-" => match self.get("OLDPWD").cloned() {
                Some(values) => self.set(DIRECTORY, values),
                None => self.unset(DIRECTORY),
            },
            to if to.contains('$') => self.unset(DIRECTORY),
            to => match absolute(to, self.directory()) {
                Some(path) => self.set(DIRECTORY, vec![path]),
                None => self.unset(DIRECTORY),
            },
        }
        self.set("OLDPWD", old.into_iter().collect());
    }
}

/// Returns a path without `.`, `..` and empty names, below a directory if it is relative.
pub(crate) fn absolute(path: &str, directory: Option<&str>) -> Option<String> {
    let whole = match (path.starts_with('/'), directory) {
        (true, _) => path.to_owned(),
        (false, Some(directory)) => format!("{directory}/{path}"),
        (false, None) => return None,
    };
    let mut names: Vec<&str> = Vec::new();
    for name in whole.split('/') {
        match name {
            "" | "." => {}
            ".." => {
                names.pop();
            }
            name => names.push(name),
        }
    }
    Some(format!("/{}", names.join("/")))
}
