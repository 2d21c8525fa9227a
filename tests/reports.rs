//! Every report format from golden, hostile and random runs.

#[path = "support/golden.rs"]
mod golden;

use rehearsal::gate::decide;
use rehearsal::report::{FORMATS, Style, View, terminal};
use rehearsal::store::record::RunRecord;

fn with_view<T>(run: &RunRecord, next: &[&str], use_it: impl FnOnce(&View<'_>) -> T) -> T {
    let decision = decide(run);
    let next = next.iter().map(|command| (*command).to_owned()).collect();
    let run_file = "reports/runs/bookshop/0193a1b2.sqlite".to_owned();
    use_it(&View { run, decision: &decision, run_file, next })
}

#[test]
fn look() {
    let run = golden::golden();
    with_view(&run, &["rehearsal show 0193a1b2 late-order", "rehearsal resume 0193a1b2"], |view| {
        for (style, width) in [(Style::Plain, 100), (Style::Plain, 60), (Style::Ascii, 80)] {
            println!("{}\n=========", terminal::render(view, style, width));
        }
        for format in FORMATS {
            println!("{}\n=========", String::from_utf8((format.render)(view).unwrap()).unwrap());
        }
    });
}
