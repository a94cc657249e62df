//! The page of states.

use std::fs;

use crate::world::World;

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
    assert!(!page.contains("<script"));
    // A renewal shows after the time of the warning.
    world.replace(&world.issue(90));
    let output = world.run(&arguments);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let page = fs::read_to_string(html.join("index.html")).unwrap();
    assert!(page.contains("<title>advice: mail over TLS</title>"));
}
