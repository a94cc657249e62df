//! The protocols of the workspace, for the project's tasks, and the examples of its README.

pub mod protocols;

/// The workspace's README: its examples are compiled.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
