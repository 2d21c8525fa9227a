//! Where things lie inside `reports/`. Pure: names in, paths out; no name can leave its folder.

use std::path::{Path, PathBuf};

use crate::ids::{Digest, RunId, SuiteName};

/// The folder of every suite's runs.
pub fn runs_dir(reports: &Path) -> PathBuf {
    reports.join("runs")
}

/// The folder of the runs of one suite.
pub fn suite_dir(reports: &Path, suite: &SuiteName) -> PathBuf {
    runs_dir(reports).join(folder(suite.as_str()))
}

/// The file of a run.
pub fn run_file(reports: &Path, suite: &SuiteName, run: &RunId) -> PathBuf {
    suite_dir(reports, suite).join(format!("{}.sqlite", folder(run.as_str())))
}

/// The file in which verdicts of judges are kept for reuse.
pub fn verdict_file(reports: &Path) -> PathBuf {
    runs_dir(reports).join("verdicts.sqlite")
}

/// The file that says what a suite gives when it is well.
pub fn baseline_file(reports: &Path, suite: &SuiteName) -> PathBuf {
    reports.join("baselines").join(format!("{}.json", folder(suite.as_str())))
}

/// The folder of a run's reports: beside the run file, under its name.
pub fn report_dir(run_file: &Path) -> PathBuf {
    run_file.with_extension("")
}

/// What the newest canary said of a judge with this fingerprint.
pub fn canary_file(reports: &Path, judge: &str) -> PathBuf {
    reports.join("judge").join(format!("{}.json", folder(judge)))
}

/// What a later look at a run found, `what` it is about: among its reports.
pub fn finding_file(run_file: &Path, what: &str) -> PathBuf {
    report_dir(run_file).join(format!("{what}.json"))
}

/// The run file with the trials of a later look at a run: among its reports, where no list of runs finds it.
pub fn trials_file(run_file: &Path, what: &str, run: &RunId) -> PathBuf {
    report_dir(run_file).join(format!("{what}-{}.sqlite", folder(run.as_str())))
}

/// The tape of a suite in a folder of tapes: `what` is on it.
pub fn tape_file(tapes: &Path, suite: &SuiteName, what: &str) -> PathBuf {
    tapes.join(format!("{}.{what}.ndjson", folder(suite.as_str())))
}

/// The file whose lock says that a process works on the run. It exists only while one does, or after a crash.
pub fn lock_file(run_file: &Path) -> PathBuf {
    beside(run_file, ".lock")
}

/// Everything that can lie beside a run file and belongs to it.
pub fn companions(run_file: &Path) -> Vec<PathBuf> {
    ["-wal", "-shm", "-journal", ".lock"].map(|suffix| beside(run_file, suffix)).to_vec()
}

fn beside(run_file: &Path, suffix: &str) -> PathBuf {
    let mut name = run_file.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// A name as one path component: itself when it is harmless, else its harmless characters and a digest.
fn folder(name: &str) -> String {
    let harmless = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if !name.is_empty() && name.len() <= 100 && !name.starts_with('.') && name.chars().all(harmless) {
        return name.to_owned();
    }
    let kept: String = name.chars().map(|c| if harmless(c) { c } else { '-' }).take(60).collect();
    let digest = Digest::of(name.as_bytes()).to_string();
    format!("{}-{}", kept.trim_start_matches('.'), &digest[..8])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_and_its_reports_share_a_name() {
        let run = run_file(Path::new("reports"), &"bookshop".into(), &"0197".into());
        assert_eq!(run, Path::new("reports/runs/bookshop/0197.sqlite"));
        assert_eq!(report_dir(&run), Path::new("reports/runs/bookshop/0197"));
        assert_eq!(finding_file(&run, "triage"), Path::new("reports/runs/bookshop/0197/triage.json"));
        let trials = trials_file(&run, "triage", &"../01".into());
        assert_eq!(trials.parent(), Some(report_dir(&run).as_path()));
        assert_eq!(lock_file(&run), Path::new("reports/runs/bookshop/0197.sqlite.lock"));
    }

    #[test]
    fn no_name_leaves_its_folder() {
        for name in ["../../etc", "/etc/passwd", "..", ".", "", "a/b", "a\\b", "a\0b", "ä"] {
            let path = suite_dir(Path::new("reports"), &name.into());
            assert_eq!(path.parent(), Some(Path::new("reports/runs")), "{name}");
            let last = path.file_name().map(|last| last.to_string_lossy().into_owned()).unwrap_or_default();
            assert!(last.len() > 3 && !last.contains(['/', '\\', '\0']), "{name} -> {last}");
        }
        assert_ne!(folder("a/b"), folder("a\\b"), "different names stay different");
    }
}
