//! rehearsal: the dress rehearsal an MCP server goes through before its users meet it.
//!
//! The modules below stand in the order in which data flows through them. Import order differs in one place only:
//! `score` has a lower rank than `suite`, because a module owns the YAML vocabulary of its own subject (`score` owns
//! checks and rubrics, `llm` models, `mcp` targets and client profiles, `auth` personas) and `suite` only knows the
//! shape of the document and its cross references.

// Foundation: words every stage uses.

// Names, content digests and the keys that identify a trial.
pub mod ids;
// Durations, shares and money as people write them in YAML.
pub mod units;
// The one function through which every untrusted byte passes before a person sees it.
pub mod display;
// The one HTTP layer: deadlines, size caps, errors without secrets.
pub mod net;
// Positions in files, and messages that point at them.
pub mod diag;

// The document: suites and instruments become a checked value.

// Reads suites and instruments, resolves names, reports every mistake with its line.
pub mod suite;
// Suites of other tools become suites of ours, with a report of every loss.
pub mod import;
// Expands a suite into cases in a fixed shuffled order.
pub mod plan;

// The outside world, one trait each.

// Language models: one trait, one file per provider dialect.
pub mod llm;
// The embedded MCP client: targets, sessions, transports.
pub mod mcp;
// Spoofed identities: the loopback issuer, tokens, personas, auth checks.
pub mod auth;

// The work and its one record.

// Drives cases against the target and leaves one transcript each; never decides pass or fail.
pub mod drive;
// Cases out of a tool list, each verified by execution before it is kept.
pub mod generate;
// The record of a trial, the only input of scoring.
pub mod transcript;

// Judgement: reads transcripts, never the world.

// The tools of a server as they are read: what they cost, what is wrong with them, how they changed.
pub mod surface;
// Checks and the judge: transcripts in, findings out.
pub mod score;
// Pure statistics: intervals, reliability.
pub mod stats;

// Keeping and showing.

// One SQLite file per run; a crash loses at most the trials in flight.
pub mod store;
// Run and policy in, verdict and exit code out.
pub mod gate;
// Run and decision in, bytes out: terminal, JSON, Markdown, JUnit.
pub mod report;

// The shell.

// The whole pipeline on one screen.
pub mod run;
// Run files in a browser: lists, comparisons, runs in progress.
pub mod view;
// The bookshop: a demonstration MCP server with roles and switchable flaws.
pub mod demo;
// The command line: the only place that prints.
pub mod cli;
