//! How a program is kept from changing a card.

/// One step that disarms a program. Nothing here carries it out.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Disarm {
    /// Remove the links that enable a unit.
    DisableUnit {
        /// The unit.
        unit: String,
        /// The links, all of them below /etc.
        links: Vec<String>,
    },
    /// Make `path` a link to /dev/null, as something else than links in /etc starts the unit.
    MaskUnit {
        /// The unit.
        unit: String,
        /// The link to make.
        path: String,
    },
    /// Make a link that enables a unit.
    EnableUnit {
        /// The unit.
        unit: String,
        /// The link to make.
        link: String,
        /// Where it leads.
        target: String,
    },
    /// Remove a file.
    RemoveFile {
        /// The file.
        path: String,
    },
    /// Remove a start link of a System V script.
    RemoveSysvLink {
        /// The link.
        path: String,
    },
    /// Remove an argument from a kernel command line, with
    /// [`edit_command_line`](crate::edit_command_line).
    RemoveArgument {
        /// The file.
        path: String,
        /// The argument as written.
        argument: String,
    },
    /// Write a file, root's, mode 0644.
    WriteFile {
        /// The file.
        path: String,
        /// Its contents.
        contents: String,
    },
    /// Give a variable a value in a file of shell variables; other lines stay.
    SetVariable {
        /// The file, made if it is not there.
        path: String,
        /// The variable.
        name: String,
        /// The value.
        value: String,
    },
}
