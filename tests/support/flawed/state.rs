//! What belongs to one user and must not reach another: handles, objects, tasks, subscriptions.

use super::Row;
use super::basics::Resource;
use super::tools::Tool;

/// What the stateful tools and methods keep.
#[derive(Debug, Default)]
pub(crate) struct State {}

/// Switches of the checks on isolation.
pub(crate) const SWITCHES: &[(&str, &str)] = &[];

/// Stateful methods.
pub(crate) const ROWS: &[Row] = &[];

/// Stateful tools.
pub(crate) const TOOLS: &[Tool] = &[];

/// Resources of one user.
pub(crate) const RESOURCES: &[Resource] = &[];
