//! `cargo xtask features`

use comfy_table::{Table, presets::UTF8_HORIZONTAL_ONLY};

use crate::shell::{Outcome, cargo, exit, packages, step};

#[derive(clap::Args)]
pub struct Arguments {
    /// Only this crate
    #[arg(short, long, value_name = "CRATE")]
    package: Option<String>,
}

pub fn run(arguments: &Arguments) -> Outcome {
    let mut table = Table::new();
    table
        .load_preset(UTF8_HORIZONTAL_ONLY)
        .set_header(["crate", "features", "builds"]);
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
        for (label, flags) in sets {
            let mut command = cargo(&["check", "--quiet", "-p", &package.name]);
            let builds = step(command.args(flags).env("RUSTFLAGS", "-D warnings"))?;
            all &= builds;
            let verdict = if builds { "yes" } else { "NO" };
            table.add_row([package.name.as_str(), label.as_str(), verdict]);
        }
    }
    println!("{table}");
    Ok(exit(all))
}
