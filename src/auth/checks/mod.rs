//! Auth checks: probe and examination apart, one file per check or tight family.

/// Every check's id, in the order of the table.
pub fn ids() -> Vec<&'static str> {
    vec![]
}
