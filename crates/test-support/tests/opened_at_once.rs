//! Tasks that begin at the same time.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use test_support::opened_at_once;
use tokio::sync::Barrier;

#[tokio::test]
async fn runs_all_tasks_together_and_keeps_their_order() {
    let together = Arc::new(Barrier::new(8));
    let begun = Arc::new(AtomicUsize::new(0));
    let numbers = opened_at_once(8, |number| {
        let (together, begun) = (together.clone(), begun.clone());
        async move {
            begun.fetch_add(1, Ordering::Relaxed);
            // Waits forever if a task does not begin before another has ended.
            together.wait().await;
            number
        }
    });
    assert_eq!(numbers.await, [0, 1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(begun.load(Ordering::Relaxed), 8);
}
