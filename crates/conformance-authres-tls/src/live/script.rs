//! A script of another reader: it takes JSON on its standard input, and answers with JSON.

use std::{path::Path, process::Stdio};

use conformance::outcome::{Checked, Failure};
use serde::{Serialize, de::DeserializeOwned};
use tokio::{io::AsyncWriteExt, process::Command};

/// Gives a script its input, and returns its answer.
pub(super) async fn answer<T: DeserializeOwned>(
    interpreter: &Path,
    script: &Path,
    input: &impl Serialize,
) -> Checked<T> {
    let mut child = Command::new(interpreter)
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    // All of it is read before anything is printed.
    let mut stdin = child.stdin.take().ok_or_else(|| Failure::new("no input"))?;
    stdin.write_all(&serde_json::to_vec(input)?).await?;
    drop(stdin);
    let output = child.wait_with_output().await?;
    if !output.status.success() {
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(Failure::new(error));
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}
