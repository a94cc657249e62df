//! `cargo xtask fuzz`

use std::{
    error::Error,
    fs,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use serde::Deserialize;

use crate::shell::{Outcome, exit, root, step, table};

#[derive(clap::Args)]
pub struct Arguments {
    /// The time that each target runs
    #[arg(long, value_name = "N", default_value_t = 60)]
    seconds: u32,
    /// Only these targets
    #[arg(long, value_name = "NAME")]
    target: Vec<String>,
}

#[derive(Deserialize)]
struct Manifest {
    bin: Vec<Bin>,
}

#[derive(Deserialize)]
struct Bin {
    name: String,
}

/// The last statistics of libFuzzer.
#[derive(Default)]
struct Statistics {
    executions: String,
    per_second: String,
    coverage: String,
    corpus: String,
    artifact: Option<String>,
}

pub fn run(arguments: &Arguments) -> Outcome {
    let needs = [
        (
            &["+nightly", "--version"][..],
            "a nightly toolchain: rustup toolchain install nightly",
        ),
        (
            &["+nightly", "fuzz", "--version"][..],
            "cargo-fuzz: cargo install cargo-fuzz --locked",
        ),
    ];
    for (probe, how) in needs {
        let found = Command::new("cargo")
            .args(probe)
            .output()
            .is_ok_and(|output| output.status.success());
        if !found {
            return Err(format!("missing {how}").into());
        }
    }
    let manifest = fs::read_to_string(root().join("fuzz/Cargo.toml"))?;
    let mut targets: Vec<String> = toml::from_str::<Manifest>(&manifest)?
        .bin
        .into_iter()
        .map(|bin| bin.name)
        .collect();
    if let Some(unknown) = arguments.target.iter().find(|name| !targets.contains(name)) {
        return Err(format!(
            "no fuzz target {unknown}; the targets are {}",
            targets.join(", ")
        )
        .into());
    }
    targets.retain(|name| arguments.target.is_empty() || arguments.target.contains(name));

    let mut table = table(&[
        "target",
        "executions",
        "per second",
        "coverage",
        "corpus",
        "findings",
    ]);
    let mut build = Command::new("cargo");
    build
        .current_dir(root())
        .args(["+nightly", "fuzz", "build"]);
    // cargo-fuzz builds one target, or all.
    if let [target] = targets.as_slice() {
        build.arg(target);
    }
    if !step(&mut build)? {
        return Ok(exit(false));
    }
    let mut clean = true;
    for target in &targets {
        let (succeeded, statistics) = fuzz(target, arguments.seconds)?;
        clean &= succeeded;
        let findings = match statistics.artifact {
            Some(artifact) => artifact,
            None if succeeded => "none".into(),
            None => "the target stopped".into(),
        };
        table.add_row([
            target,
            &statistics.executions,
            &statistics.per_second,
            &statistics.coverage,
            &statistics.corpus,
            &findings,
        ]);
    }
    println!("{table}");
    Ok(exit(clean))
}

/// Runs one target on its seeds and regressions; what it finds new goes to fuzz/corpus, which is
/// not committed.
fn fuzz(target: &str, seconds: u32) -> Result<(bool, Statistics), Box<dyn Error>> {
    let fuzz = root().join("fuzz");
    fs::create_dir_all(fuzz.join("corpus").join(target))?;
    let mut command = Command::new("cargo");
    command
        .current_dir(root())
        .args(["+nightly", "fuzz", "run", target]);
    for directory in ["corpus", "seeds", "regressions"] {
        let path = fuzz.join(directory).join(target);
        if path.is_dir() {
            command.arg(path);
        }
    }
    command
        .arg("--")
        .arg(format!("-max_total_time={seconds}"))
        .arg("-print_final_stats=1");
    let dictionary = fuzz.join("dictionaries").join(format!("{target}.dict"));
    if dictionary.is_file() {
        command.arg(format!("-dict={}", dictionary.display()));
    }
    eprintln!("» {target} for {seconds} s");
    let mut child = command
        .stdout(Stdio::inherit())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut statistics = Statistics::default();
    let mut last = Vec::new();
    for line in BufReader::new(child.stderr.take().ok_or("no standard error")?).lines() {
        let line = line?;
        read_line(&line, &mut statistics);
        last.push(line);
        if last.len() > 60 {
            last.remove(0);
        }
    }
    let succeeded = child.wait()?.success();
    if !succeeded {
        eprintln!("{}", last.join("\n"));
    }
    Ok((succeeded, statistics))
}

fn read_line(line: &str, statistics: &mut Statistics) {
    let words: Vec<_> = line.split_whitespace().collect();
    for pair in words.windows(2) {
        match *pair {
            ["cov:", value] => statistics.coverage = value.into(),
            ["corp:", value] => statistics.corpus = value.split('/').next().unwrap_or(value).into(),
            ["exec/s:", value] => statistics.per_second = value.into(),
            ["stat::number_of_executed_units:", value] => statistics.executions = value.into(),
            ["stat::average_exec_per_sec:", value] => statistics.per_second = value.into(),
            ["to", value] if line.contains("Test unit written") => {
                statistics.artifact = Some(value.into());
            }
            _ => {}
        }
    }
}
