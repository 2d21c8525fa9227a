//! Servers over standard streams that are shell scripts.

/// A script that replies to a client as `arms` say: arms of a `case` over `$line`, in which `answer RESULT` and `refuse
/// ERROR` reply to the request `$id`.
pub(crate) fn serving(arms: &str) -> String {
    const HEAD: &str = r#"answer() { printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$id" "$1"; }
refuse() { printf '{"jsonrpc":"2.0","id":%s,"error":%s}\n' "$id" "$1"; }
while read -r line; do
  id=${line#*\"id\":}; id=${id%%,*}; id=${id%%\}*}
  case "$line" in
"#;
    format!("{HEAD}{arms}\n  esac\ndone\n")
}
