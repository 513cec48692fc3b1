//! `nodecard export`.

use std::process::ExitCode;

use clap::ValueEnum as _;
use nodecard::{ExportForm, Project};
use serde_json::json;

use crate::{
    args::{ExportArgs, ExportFormArg},
    error::CommandError,
    report, terminal,
};

pub fn run(args: &ExportArgs) -> Result<ExitCode, CommandError> {
    if args.private && args.form != ExportFormArg::Json {
        return Err(CommandError::Usage {
            message: "--private works only with the json format".to_owned(),
            fix: "leave out --private; ssh-config and ansible refer to the key files by path"
                .into(),
        });
    }
    let form = match args.form {
        ExportFormArg::SshConfig => ExportForm::SshConfig,
        ExportFormArg::KnownHosts => ExportForm::KnownHosts,
        ExportFormArg::Hosts => ExportForm::Hosts,
        ExportFormArg::Ansible => ExportForm::Ansible,
        ExportFormArg::Pssh => ExportForm::Pssh,
        ExportFormArg::Json => ExportForm::Json { private_keys: args.private },
    };
    let project = Project::open(&args.profile)?;
    let text = project.export(form, args.user.as_deref())?;
    if args.json.json && args.form != ExportFormArg::Json {
        let form = args.form.to_possible_value().map(|value| value.get_name().to_owned());
        report::print_json(&json!({ "form": form, "text": text }))?;
    } else {
        terminal::print(format_args!("{text}"))?;
    }
    Ok(ExitCode::SUCCESS)
}
