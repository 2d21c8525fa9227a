//! Auth checks: probe and examination apart, one file per check or tight family.
