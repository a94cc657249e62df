//! Texts that count and texts that do not: rules over Rust and Markdown, and the kept counts.

use std::{error::Error, fs, path::Path};

use prose::{Arguments, COUNTS, Counts, Findings, Source, Words};

/// The findings as `line text rule "found"`.
fn found(findings: &Findings) -> Vec<String> {
    let found = findings.findings.iter().map(|finding| {
        let shown = finding.to_string();
        shown.split(" → ").next().unwrap_or_default().to_owned()
    });
    found.collect()
}

fn rust(text: &str) -> Result<(usize, Vec<String>), Box<dyn Error>> {
    let findings = Words::built_in()?.check_rust(&Source::parse(text, true));
    Ok((findings.lines, found(&findings)))
}

fn markdown(text: &str) -> Result<(usize, Vec<String>), Box<dyn Error>> {
    let findings = Words::built_in()?.check_markdown(text);
    Ok((findings.lines, found(&findings)))
}

#[test]
fn counts_openers_of_docs_paragraphs_items_and_lines() -> Result<(), Box<dyn Error>> {
    let text = "\
//! Reads a thing.
//!
//! What follows is kept. Done.
//! It is a line. Itself is not, What-ever is not.

/// Returns it.
///
/// # What it costs
///
/// - Why: because.
/// | What | rows |
///
/// ```
/// What();
/// ```
// What a comment says.
//// What a ruler says.
fn f() {}
";
    assert_eq!(
        rust(text)?,
        (
            6,
            vec![
                "3: doc opener \"What\"".to_owned(),
                "4: doc line \"It\"".to_owned(),
            ]
        )
    );
    assert_eq!(
        markdown("# Why\n\nWhat is read.\n\n1. Whether it is.\n\n[It]: target\n")?,
        (
            2,
            vec![
                "3: doc opener \"What\"".to_owned(),
                "5: doc opener \"Whether\"".to_owned()
            ]
        )
    );
    Ok(())
}

#[test]
fn finds_words_across_lines_and_honors_exceptions() -> Result<(), Box<dyn Error>> {
    assert_eq!(
        markdown(
            "A field is let\nthrough. Behind a proxy, `stands`, and due\nto TLS: `a\nstands` stands, has not.\n"
        )?,
        (
            4,
            vec![
                "1: doc word \"let through\"".to_owned(),
                "4: doc word \"has not $\"".to_owned(),
                "4: doc word \"stands\"".to_owned(),
            ]
        )
    );
    // The longest phrase counts, once.
    assert_eq!(
        markdown("The rest is not looked at.")?,
        (1, vec!["1: doc word \"looked at\"".to_owned()])
    );
    Ok(())
}

#[test]
fn finds_messages_and_help_but_no_text_of_tests() -> Result<(), Box<dyn Error>> {
    let text = r##"
/// Whether to listen.
#[derive(clap::Parser)]
#[command(about = "what stands there")]
struct Arguments {
    /// Where to listen
    port: u16,
}

/// What it is.
#[expect(reason = "nobody reads this")]
fn f<'a>(c: char) -> &'a str {
    let _ = ('"', '\'', b'"', "stands", r#"it "stands" here"#);
    write!(f, "{stands}: with a \"blank\"\
        too many")
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_rest() { f("nobody reads this"); }
    #[tokio::test]
    async fn keeps_the_rest() { fn helper() {} }
}
"##;
    assert_eq!(
        rust(text)?,
        (
            3,
            vec![
                "2: message opener \"Whether\"".to_owned(),
                "4: message opener \"What\"".to_owned(),
                "4: message word \"stands\"".to_owned(),
                "6: message opener \"Where\"".to_owned(),
                "10: doc opener \"What\"".to_owned(),
                "13: message word \"stands\"".to_owned(),
                "14: message word \"blank\"".to_owned(),
                "21: test name \"the_rest\"".to_owned(),
            ]
        )
    );
    Ok(())
}

/// Writes a repository of one crate with a doc.
fn repository(root: &Path, doc: &str) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(root.join("crates/one/src"))?;
    fs::create_dir_all(root.join("xtask"))?;
    fs::write(root.join("crates/one/src/lib.rs"), doc)?;
    fs::write(root.join("xtask/README.md"), "")?;
    fs::create_dir_all(root.join("docs"))?;
    fs::write(root.join("README.md"), "Text.\n")?;
    Ok(())
}

#[test]
fn fails_when_a_count_rises_and_lowers_it_on_request() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let root = directory.path();
    let update = Arguments {
        update: true,
        ..Arguments::default()
    };
    let check = Arguments::default();
    let kept = || -> Result<_, Box<dyn Error>> {
        let kept: std::collections::BTreeMap<String, Counts> =
            toml::from_str(&fs::read_to_string(root.join(COUNTS))?)?;
        Ok(kept.get("one").map(|counts| counts.openers))
    };
    repository(root, "//! What.\n//! Why.\n")?;
    assert!(prose::run(root, &update)?);
    assert_eq!(kept()?, Some(2));
    repository(root, "//! What.\n")?;
    assert!(prose::run(root, &check)?);
    assert_eq!(kept()?, Some(2));
    assert!(prose::run(root, &update)?);
    assert_eq!(kept()?, Some(1));
    repository(root, "//! What.\n//! Why.\n")?;
    assert!(!prose::run(root, &check)?);
    assert!(!prose::run(root, &update)?);
    assert_eq!(kept()?, Some(1));
    Ok(())
}

#[test]
fn refuses_an_unknown_area() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    repository(directory.path(), "//! Reads.\n")?;
    let arguments = Arguments {
        list: Some("two".to_owned()),
        ..Arguments::default()
    };
    assert_eq!(
        prose::run(directory.path(), &arguments).map_err(|error| error.to_string()),
        Err("no area two; the areas are docs, one, xtask".to_owned())
    );
    Ok(())
}
