//! Formats as a whole: which one a file is of, what is refused, and that no text makes a reader panic.

use proptest::prelude::*;

use super::*;

fn nobody(_: &Source, _: &str) -> Option<Source> {
    None
}

fn source(file: &str, text: &str) -> Source {
    Source::new(file, text.as_bytes()).unwrap()
}

#[test]
fn names_of_formats_are_unlike_and_known() {
    let mut names: Vec<&str> = FORMATS.iter().map(|format| format.name).collect();
    assert!(names.iter().all(|name| format(name).is_some()));
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), FORMATS.len());
    assert!(format("excel").is_none());
}

#[test]
fn a_file_of_no_format_is_refused_with_the_list() {
    let error = detect(&[source("x.yaml", "a: 1")]).unwrap_err();
    assert_eq!(error.code, "import.unknown-format");
    assert!(error.hints.join(" ").contains("promptfoo"));
    assert_eq!(detect(&[source("x.yaml", "a: [")]).unwrap_err().code, "import.unreadable");
    assert_eq!(detect(&[]).unwrap_err().code, "import.nothing");
}

#[test]
fn files_of_two_formats_are_refused() {
    let csv = source("a.csv", "question,answer\nq,a\n");
    let xml = source("b.xml", "<evaluation><qa_pair></qa_pair></evaluation>");
    assert_eq!(detect(&[csv, xml]).unwrap_err().code, "import.mixed");
}

#[test]
fn bytes_and_sizes_are_bounded() {
    let error = Source::new("x.csv", &[b'a', b'\n', 0xff]).unwrap_err();
    assert_eq!((error.code, error.at.map(|at| at.line)), ("import.unreadable", Some(2)));
    assert_eq!(Source::new("x.csv", &vec![b'a'; MAX_BYTES + 1]).unwrap_err().code, "import.too-large");
}

#[test]
fn entities_of_xml_are_refused() {
    let bomb = "<!DOCTYPE a [<!ENTITY b \"x\"><!ENTITY c \"&b;&b;\">]><evaluation><qa_pair><question>&c;</question></qa_pair></evaluation>";
    let error = read(&mcp_builder::FORMAT, &[source("x.xml", bomb)], &nobody).unwrap_err();
    assert!(error.message.contains("entities"), "{}", error.message);
    let unknown = "<evaluation><qa_pair><question>&c;</question></qa_pair></evaluation>";
    assert!(read(&mcp_builder::FORMAT, &[source("x.xml", unknown)], &nobody).is_err());
    let known = "<evaluation><qa_pair><question>1 &lt; 2 &#x41;?</question><answer>yes, it is</answer></qa_pair></evaluation>";
    let draft = read(&mcp_builder::FORMAT, &[source("x.xml", known)], &nobody).unwrap();
    assert_eq!(draft.cases[0].turns, ["1 < 2 A?"]);
}

/// A suite of every draft, whatever it holds, is either nothing or YAML.
fn survives(format: &'static Format, text: &str) {
    let sources = [source("x", text)];
    let _ = (format.detect)(&sources[0]);
    let Ok(draft) = read(format, &sources, &nobody) else { return };
    let Some(text) = suite(format.name, &sources, &draft, &Wanted { name: "x".into(), ..Wanted::default() })
    else {
        return;
    };
    let read = crate::suite::yaml::from_text::<serde_json::Value>(&"x.yaml".into(), &text);
    assert!(read.is_ok(), "{:?}\n{text}", read.err());
}

/// Texts that are nearly of a format: pieces of all of them, in any order.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("tests:\n"),
        Just("- vars: {a: [1, 2]}\n"),
        Just("  assert: [{type: contains, value: '{{a}}'}]\n"),
        Just("prompts: ['{{a}} {{']\n"),
        Just("providers: [{id: mcp, config: {server: {command: x}}}]\n"),
        Just("{\"input\": [{\"role\": \"user\", \"content\": \"x\"}], \"ideal\": \"y\"}\n"),
        Just("{\"messages\": [{\"role\": \"assistant\"}]}\n"),
        Just("<evaluation>"),
        Just("<qa_pair><question>a"),
        Just("</question>"),
        Just("<answer>&amp;</answer></qa_pair>"),
        Just("</evaluation>"),
        Just("question,answer,__expected\n"),
        Just("q,\"a\n"),
        Just("x,y,contains: z\n"),
        Just(
            "kind: Eval\nconfig: {taskSets: [{path: '*', assertions: {callOrder: [{}], toolsUsed: [{}]}}]}\n"
        ),
        Just("kind: Task\nspec: {prompt: {inline: x}, verify: [{http: {}}, {script: {}}, 1]}\n"),
        Just(
            "schemaVersion: '1'\nmode: x\ncases: [{steps: [{kind: assert, assertion: {type: toolCalledWith}}]}]\n"
        ),
        Just("{\"type\":\"user\",\"sessionId\":\"s\",\"message\":{\"content\":\"hello 7\"}}\n"),
        Just(
            "{\"type\":\"assistant\",\"sessionId\":\"s\",\"message\":{\"content\":[{\"type\":\"tool_use\",\"name\":\"mcp__a__b\",\"input\":{\"x\":7}}]}}\n"
        ),
        Just("\u{0}"),
        Just("\u{202e}"),
        Just("  "),
        Just("${{"),
        Just("}}"),
        Just("\n"),
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn nothing_panics_on_any_text(text in prop_oneof![pieces(), "\\PC{0,80}", "[\\x00-\\x7f]{0,120}"]) {
        for format in FORMATS {
            survives(format, &text);
        }
    }
}
