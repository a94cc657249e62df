//! The page of states.

use std::fs;

use crate::world::World;

/// Returns the time from which the page is out of date, in hours after it was made.
fn hours_up_to_date(world: &World, more: &[&str]) -> u64 {
    let (state, html) = (world.path("states.db"), world.path("html"));
    let mut arguments = vec!["--state", state.to_str().unwrap()];
    arguments.extend(["--html", html.to_str().unwrap()]);
    arguments.extend(more);
    let output = world.run(&arguments);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let page = fs::read_to_string(html.join("index.html")).unwrap();
    let (_, rest) = page.split_once("Date.now() >= ").unwrap();
    let (until, _) = rest.split_once(" * 1000").unwrap();
    let until: u64 = until.parse().unwrap();
    // A run takes seconds.
    (until - world.now) / 3_600
}

#[test]
fn says_from_when_on_the_page_is_out_of_date() {
    let world = World::with_days_left(60);
    assert_eq!(hours_up_to_date(&world, &[]), 26);
    assert_eq!(hours_up_to_date(&world, &["--html-valid", "2h"]), 2);
}

#[test]
fn writes_a_page_with_the_state_of_each_server_over_time() {
    let world = World::with_days_left(20);
    let (state, html) = (world.path("states.db"), world.path("html"));
    let arguments = [
        "--state",
        state.to_str().unwrap(),
        "--html",
        html.to_str().unwrap(),
    ];
    let output = world.run(&arguments);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let page = fs::read_to_string(html.join("index.html")).unwrap();
    assert!(page.contains("<title>warning: mail over TLS</title>"));
    let rows: Vec<_> = page
        .lines()
        .filter(|line| line.starts_with("<div class=\"name\">"))
        .collect();
    let state = "<span class=\"state warning\">warning</span></div>";
    let row = |name: &str| format!("<div class=\"name\">{name} {state}");
    assert_eq!(rows, [row("all checks"), row(&world.server())]);
    assert_eq!(page.matches("<rect class=\"warning\" x=\"997\"").count(), 2);
    assert!(page.contains("with 22 % of its lifetime of 90 days left: renew it, and check why that did not happen before."));
    // The page needs no other file, and its script has no text of servers.
    assert_eq!(page.matches("<script>").count(), 1);
    for other in ["src=", "href=", "url(", "@import", "http:"] {
        let url = page.replace("fill: url(#hatched)", "");
        assert!(!url.contains(other), "{other}");
    }
    // A renewal shows after the time of the warning.
    world.replace(&world.issue(90));
    let output = world.run(&arguments);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let page = fs::read_to_string(html.join("index.html")).unwrap();
    assert!(page.contains("<title>advice: mail over TLS</title>"));
}
