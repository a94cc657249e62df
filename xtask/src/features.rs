//! `cargo xtask features`

use crate::shell::{Outcome, cargo, exit, packages, print, step, table};

#[derive(clap::Args)]
pub struct Arguments {
    /// Only this crate, or those with this in their names, or that match this pattern with * and ?
    #[arg(short, long, value_name = "GLOB")]
    package: Option<String>,
}

pub fn run(arguments: &Arguments) -> Outcome {
    let mut table = table(&["crate", "sets of features", "do not build"]);
    let mut all = true;
    for package in packages(arguments.package.as_deref())? {
        let mut sets = vec![
            ("none".to_owned(), vec!["--no-default-features"]),
            ("default".to_owned(), vec![]),
            ("all".to_owned(), vec!["--all-features"]),
        ];
        for feature in &package.features {
            sets.push((
                feature.clone(),
                vec!["--no-default-features", "--features", feature],
            ));
        }
        let (count, mut failed) = (sets.len(), Vec::new());
        for (label, flags) in sets {
            // Warnings are errors of these crates alone: as flags of the compiler, they would be other dependencies.
            let mut command = cargo(&["clippy", "--quiet", "-p", &package.name]);
            let builds = step(command.args(flags).args(["--", "-D", "warnings"]))?;
            all &= builds;
            if !builds {
                failed.push(label);
            }
        }
        let failed = match failed.as_slice() {
            [] => "none".to_owned(),
            failed => failed.join(", "),
        };
        table.add_row([package.name, count.to_string(), failed]);
    }
    print(&format!("{table}\n"))?;
    Ok(exit(all))
}
