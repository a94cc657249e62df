//! The progress of a run, for a person who waits.

/// One step of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// The vectors run now; the number of their cases.
    Cases(usize),
    /// A case ran.
    Case(&'a str),
    /// Cargo builds the tests; its line, e.g. `Compiling serde v1.0.0`.
    Building(&'a str),
    /// The executables of the tests run now; their number.
    Executables(usize),
    /// The tests of this crate, in this executable, run now.
    Tests {
        /// The crate.
        package: &'a str,
        /// The executable.
        executable: &'a str,
    },
    /// A test ended.
    Test(&'a str),
    /// The live scenarios run now; their number.
    Scenarios(usize),
    /// This live scenario runs now.
    Live(&'a str),
    /// The step before this one continues.
    Waiting,
}
