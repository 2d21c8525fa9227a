//! Arguments of `login` and `logout`.

use clap::Args;

/// Arguments of `login`.
#[derive(Debug, Args)]
pub(in crate::cli) struct LoginArgs {
    /// The MCP endpoint, as suites write it.
    #[arg(required_unless_present = "list")]
    pub url: Option<url::Url>,
    /// Show what is stored, without secrets.
    #[arg(long, conflicts_with = "url")]
    pub list: bool,
    /// A name for this login, where several people sign in at one target.
    #[arg(long = "as", value_name = "NAME")]
    pub account: Option<String>,
    /// Ask for exactly this scope instead of what the target wants. Repeatable.
    #[arg(long = "scope", value_name = "SCOPE")]
    pub scopes: Vec<String>,
    /// A client id obtained from the authorization server beforehand.
    #[arg(long, value_name = "ID")]
    pub client_id: Option<String>,
    /// The environment variable that holds the secret of that client.
    #[arg(long, value_name = "VARIABLE", requires = "client_id")]
    pub client_secret_env: Option<String>,
    /// The https URL of a client id metadata document.
    #[arg(long, value_name = "URL", conflicts_with = "client_id")]
    pub client_document: Option<url::Url>,
    /// The loopback port to come back to; a free one by default.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub port: u16,
    /// Open the page in the default browser, besides printing its address.
    #[arg(long, conflicts_with = "auto_consent")]
    pub browser: bool,
    /// Follow the redirects of a test authorization server on this machine that consents without asking.
    #[arg(long)]
    pub auto_consent: bool,
}

/// Arguments of `logout`.
#[derive(Debug, Args)]
pub(in crate::cli) struct LogoutArgs {
    /// The MCP endpoint.
    pub url: url::Url,
    /// The name of the login.
    #[arg(long = "as", value_name = "NAME")]
    pub account: Option<String>,
}
