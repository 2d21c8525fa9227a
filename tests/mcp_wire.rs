//! The embedded client against real sockets and real processes: what it observes, what it records, how it fails.
//!
//! Which test holds which hostile server:
//!
//! | what the server does | test |
//! |---|---|
//! | malformed JSON, pages, empty bodies | `faults::opening_faults_say_what_to_do` |
//! | ids that are wrong, or of another type | `faults::foreign_answers_and_floods_do_not_disturb_a_call`, `stdio::answers_pair_by_id_whatever_their_order` |
//! | answers twice, late, or after a cancellation | `floods::answers_that_come_twice_late_or_for_others_disturb_nobody`, `floods::answers_to_cancelled_calls_are_named_over_stdio` |
//! | a hundred megabytes, as JSON, events or text, with and without a length | `floods::bodies_of_a_hundred_megabytes_are_cut_off` |
//! | streams without end: comments, events, ids | `floods::endless_streams_end_at_the_deadline` |
//! | a byte at a time, half an answer, silence | `floods::slow_answers_end_at_the_deadline_and_are_kept_as_far_as_they_came` |
//! | half-closed and broken connections | `floods::connections_that_break_are_kept_up_to_there` |
//! | bytes that are no UTF-8 | `floods::bytes_that_are_no_text_are_kept_as_they_are` |
//! | JSON nested 10,000 deep | `floods::answers_nested_too_deep_are_faults_on_every_transport` |
//! | 100,000 tools, in one list, over pages, under the same names | `floods::a_hundred_thousand_tools`, `floods::the_same_name_a_hundred_thousand_times_is_said_in_bounds` |
//! | pages without end, large pages | `faults::pages_without_end_stop_at_a_thousand`, `faults::large_answers_and_lists_are_cut_off` |
//! | 50,000 headers, one of two megabytes | `floods::a_flood_of_headers_is_refused` |
//! | floods on stdout and stderr, a line without end | `floods::a_flood_on_stdout_is_read_away_and_bounded_in_the_record`, `stdio::stderr_floods_are_drained`, `stdio::a_line_without_end_is_cut_off_and_the_session_goes_on` |
//! | stdin that nobody reads | `floods::a_server_that_never_reads_holds_nobody_beyond_the_deadline` |
//! | streams that end after every event, event ids no header can hold | `renewal::streams_that_end_after_each_event_are_not_followed_for_ever`, `renewal::ids_that_no_header_can_hold_end_resumption` |
//! | a place for messages at another origin, or none | `http_sse::streams_that_are_none_say_what_to_do` |

#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests may panic and take the time")]

#[path = "mcp_wire/era.rs"]
mod era;
#[path = "mcp_wire/clients.rs"]
mod clients;
#[path = "mcp_wire/faults.rs"]
mod faults;
#[path = "mcp_wire/floods.rs"]
mod floods;
#[path = "mcp_wire/habits.rs"]
mod habits;
#[path = "mcp_wire/http.rs"]
mod http;
#[path = "mcp_wire/long.rs"]
mod long;
#[path = "mcp_wire/modern.rs"]
mod modern;
#[path = "mcp_wire/played.rs"]
mod played;
#[path = "mcp_wire/rmcp_twin.rs"]
mod rmcp_twin;
#[path = "mcp_wire/rounds.rs"]
mod rounds;
#[path = "mcp_wire/http_sse.rs"]
mod http_sse;
#[path = "mcp_wire/renewal.rs"]
mod renewal;
#[path = "mcp_wire/revival.rs"]
mod revival;
#[path = "mcp_wire/second_client.rs"]
mod second_client;
#[path = "mcp_wire/stdio.rs"]
mod stdio;
#[path = "support/shell.rs"]
mod shell;
#[path = "mcp_wire/stage.rs"]
mod stage;
#[path = "mcp_wire/tls.rs"]
mod tls;
