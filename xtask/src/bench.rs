//! `cargo xtask bench`

use std::{
    collections::BTreeMap, error::Error, fs, path::Path, process::Command, time::SystemTime,
};

use serde::Deserialize;

use crate::shell::{self, Outcome, cargo, exit, packages, root, step, table};

#[derive(clap::Args)]
pub struct Arguments {
    /// Only this crate, or those with this in their names, or that match this pattern with * and ?
    #[arg(short, long, value_name = "GLOB")]
    package: Option<String>,
    /// Only the scripts, which compare commands with other servers
    #[arg(long)]
    scripts: bool,
}

/// `crates/benches/<crate>/ratios.toml`: what is compared with what, and what is to be reached.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Declarations {
    #[serde(default)]
    ratio: Vec<Ratio>,
    #[serde(default)]
    time: Vec<Time>,
    #[serde(default)]
    script: Vec<Script>,
}

/// A Python script that compares a command with other servers, and prints a table. Its arguments are release builds: of the
/// command, and of the program of `benches` that puts it under load, if there is one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Script {
    file: String,
    command: String,
    #[serde(default)]
    features: String,
    load: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ratio {
    of: String,
    /// If there is none, `of` is a benchmark that measures a ratio itself.
    to: Option<String>,
    at_most: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Time {
    of: String,
    at_most_ns: f64,
}

#[derive(Deserialize)]
struct Benchmark {
    full_id: String,
}

#[derive(Deserialize)]
struct Estimates {
    median: Estimate,
}

#[derive(Deserialize)]
struct Estimate {
    point_estimate: f64,
}

pub fn run(arguments: &Arguments) -> Outcome {
    for package in packages(arguments.package.as_deref())? {
        let folder = root().join("crates/benches").join(&package.name);
        let declarations = folder.join("ratios.toml");
        if !declarations.is_file() {
            continue;
        }
        let declarations: Declarations = toml::from_str(&fs::read_to_string(declarations)?)?;
        if !scripts(&package.name, &folder, &declarations.script)? {
            return Ok(exit(false));
        }
        if arguments.scripts || (declarations.ratio.is_empty() && declarations.time.is_empty()) {
            continue;
        }
        let start = SystemTime::now();
        if !step(&mut cargo(&[
            "bench",
            "-p",
            "benches",
            "--features",
            &package.name,
            "--benches",
        ]))? {
            return Ok(exit(false));
        }
        let mut medians = BTreeMap::new();
        collect(&root().join("target/criterion"), start, &mut medians)?;
        print(&package.name, &medians, &declarations)?;
    }
    if let Ok(processor) = fs::read_to_string("/proc/cpuinfo") {
        let model = processor
            .lines()
            .find_map(|line| line.strip_prefix("model name"));
        let cores = std::thread::available_parallelism()?;
        let model = model.unwrap_or_default();
        shell::print(&format!("measured on {cores} cores{model}\n"))?;
    }
    Ok(exit(true))
}

/// Builds the commands and runs the scripts until one fails.
fn scripts(package: &str, folder: &Path, scripts: &[Script]) -> Result<bool, Box<dyn Error>> {
    for script in scripts {
        let mut run = Command::new("python3");
        run.arg(folder.join(&script.file));
        let mut programs = vec![(package, &*script.features, &script.command)];
        programs.extend(script.load.iter().map(|load| ("benches", package, load)));
        for (package, features, program) in programs {
            let flags = ["build", "--release", "-p", package, "--features", features];
            if !step(cargo(&flags).args(["--bin", program]))? {
                return Ok(false);
            }
            let target = conformance::built(&root());
            run.arg(target.with_file_name("release").join(program));
        }
        if !step(&mut run)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The medians, in nanoseconds, of what ran since `start`.
fn collect(
    directory: &Path,
    start: SystemTime,
    medians: &mut BTreeMap<String, f64>,
) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let estimates = path.join("estimates.json");
        if path.ends_with("new") && estimates.is_file() {
            if fs::metadata(&estimates)?.modified()? >= start {
                let benchmark: Benchmark =
                    serde_json::from_str(&fs::read_to_string(path.join("benchmark.json"))?)?;
                let estimates: Estimates = serde_json::from_str(&fs::read_to_string(estimates)?)?;
                medians.insert(benchmark.full_id, estimates.median.point_estimate);
            }
        } else if path.is_dir() {
            collect(&path, start, medians)?;
        }
    }
    Ok(())
}

fn print(
    package: &str,
    medians: &BTreeMap<String, f64>,
    declarations: &Declarations,
) -> Result<(), Box<dyn Error>> {
    let median = |id: &str| {
        medians
            .get(id)
            .copied()
            .ok_or_else(|| format!("the benchmark {id} did not run"))
    };
    let mut times = table(&[package, "median ns"]);
    let is_ratio = |id: &String| {
        let mut ratios = declarations.ratio.iter();
        ratios.any(|ratio| ratio.to.is_none() && ratio.of == *id)
    };
    for (id, median) in medians.iter().filter(|(id, _)| !is_ratio(id)) {
        times.add_row([id, &format!("{median:.1}")]);
    }
    shell::print(&format!("{times}\n"))?;
    let mut targets = table(&["figure", "measured", "at most", "reached"]);
    let reached = |measured: f64, at_most: f64| if measured <= at_most { "yes" } else { "NO" };
    for Ratio { of, to, at_most } in &declarations.ratio {
        let (what, measured) = match to {
            Some(to) => (format!("{of} / {to}"), median(of)? / median(to)?),
            None => (of.clone(), median(of)?),
        };
        targets.add_row([
            what,
            format!("{measured:.3}"),
            at_most.map_or(String::new(), |at_most| format!("{at_most}")),
            at_most.map_or(String::new(), |at_most| reached(measured, at_most).into()),
        ]);
    }
    for Time { of, at_most_ns } in &declarations.time {
        let measured = median(of)?;
        targets.add_row([
            of.clone(),
            format!("{measured:.1} ns"),
            format!("{at_most_ns} ns"),
            reached(measured, *at_most_ns).into(),
        ]);
    }
    shell::print(&format!("{targets}\n"))?;
    Ok(())
}
