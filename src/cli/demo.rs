//! `demo-server`: the bookshop.

use clap::{Args, ValueEnum};

use super::Context;
use super::failure::{Failure, Outcome};
use crate::demo::{self, DemoOptions};
use crate::gate::Exit;

/// Arguments of `demo-server`.
#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// How clients speak to it.
    #[arg(long, value_enum, default_value_t = DemoTransport::Stdio)]
    pub transport: DemoTransport,
    /// The loopback port; PORT in the environment when absent, else a free one.
    #[arg(long, value_name = "N")]
    pub port: Option<u16>,
    /// Break exactly one thing; `list` names the flaws.
    #[arg(long, value_name = "NAME")]
    pub flaw: Option<String>,
    /// Serve over HTTP without any authorization.
    #[arg(long)]
    pub open: bool,
}

/// How clients speak to the demo server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum DemoTransport {
    /// Standard streams.
    Stdio,
    /// Streamable HTTP on loopback.
    Http,
}

/// Serves the bookshop until it is stopped.
pub(super) async fn serve(args: &DemoArgs, context: &Context) -> Outcome {
    if args.flaw.as_deref() == Some("list") {
        for flaw in demo::Flaw::ALL {
            context.printer.data_line(&format!("{:24} {}", flaw.name(), flaw.about()))?;
        }
        return Ok(Exit::Pass);
    }
    let flaw = args.flaw.as_deref().map(flaw).transpose()?;
    let port = match (args.port, (context.env)("PORT")) {
        (Some(port), _) => Some(port),
        (None, Some(text)) => Some(text.parse().map_err(|_| {
            Failure::usage("demo.port", format!("PORT is `{text}`, which is no port number"))
        })?),
        (None, None) => None,
    };
    let transport = match args.transport {
        DemoTransport::Stdio => demo::Transport::Stdio,
        DemoTransport::Http => demo::Transport::Http,
    };
    let (issuer, audience) = ((context.env)("BOOKSHOP_ISSUER"), (context.env)("BOOKSHOP_AUDIENCE"));
    let options = DemoOptions { transport, port, issuer, audience, flaw, open: args.open };
    let printer = context.printer;
    let ready = move |address| printer.talk(&format!("bookshop listening on http://{address}/mcp"));
    match demo::serve(options, ready).await {
        Ok(()) => Ok(Exit::Pass),
        Err(error) => {
            let failure = Failure::new(Exit::Usage, error.code(), error.to_string());
            Err(Failure { hint: error.hint().map(str::to_owned), ..failure })
        }
    }
}

/// The flaw of this name.
pub(super) fn flaw(name: &str) -> Outcome<demo::Flaw> {
    demo::Flaw::named(name).ok_or_else(|| {
        let known: Vec<&str> = demo::Flaw::ALL.iter().map(|flaw| flaw.name()).collect();
        Failure::usage("demo.unknown-flaw", format!("the demo server has no flaw `{name}`"))
            .hint(crate::diag::suggest::hint(name, known))
    })
}
