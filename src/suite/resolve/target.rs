//! The `target` block to a [`TargetSpec`]: exactly one source, a transport that fits it, variables that are declared.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::servers::{self, Server};
use super::{Context, File, Layer, first};
use crate::diag::{Diagnostic, Located, Origin, suggest};
use crate::mcp::Isolation;
use crate::mcp::revision::{Choice, MODERN, REVISIONS};
use crate::net::Tls;
use crate::suite::entries::Entries;
use crate::suite::wire::{Target, TlsFiles};
use crate::suite::yaml::At;
use crate::suite::{TargetSource, TargetSpec, Template, Transport, vars};

pub(super) fn resolve(
    context: &mut Context<'_>,
    layers: &[Layer],
    (servers, tls): (Option<File>, Tls),
    declared: &[Located<String>],
) -> Option<TargetSpec> {
    let Some((file, target)) = first(layers, |document| document.target.as_ref()) else {
        let file = layers.first().map(|layer| layer.file.clone())?;
        let at = Origin { file, line: 1, column: 1 };
        context.push(
            Diagnostic::error("suite.missing-key", at, "key `target` is missing").hint(
                "say which server is tested: `target: {url: https://…/mcp}` or `target: {command: […]}`",
            ),
        );
        return None;
    };
    let at = target.origin(file);
    let mut block = Block { context, file, declared };
    let server = block.server(&target.value, servers)?;
    let source = block.source(&target.value, &server, &at)?;
    let transport = block.transport(&target.value, &source, server.is_sse);
    let isolation = block.isolation(&target.value, &source, transport);
    let proxy = block.reach(&target.value, &source, transport);
    let protocol = block.protocol(target.value.protocol.as_ref(), transport);
    let given = |pairs: &[(String, String)]| -> BTreeMap<String, Template> {
        pairs.iter().map(|(name, value)| (name.clone(), Template(value.clone()))).collect()
    };
    let (mut env, mut headers) = (given(&server.env), given(&server.headers));
    for template in env.values().chain(headers.values()) {
        block.variables(template, &at);
    }
    block.templates(&target.value.env, &mut env);
    block.templates(&target.value.headers, &mut headers);
    Some(TargetSpec {
        origin: at,
        source,
        transport,
        protocol,
        isolation,
        env,
        headers,
        tls,
        proxy,
        ready: target.value.ready.as_ref().map(|ready| ready.timeout),
        cwd: target.value.cwd.as_ref().map(|cwd| cwd.value.clone()).or(server.cwd),
        path: block.path(target.value.path.as_ref(), transport),
    })
}

struct Block<'c, 'a> {
    context: &'c mut Context<'a>,
    file: &'c Arc<str>,
    declared: &'c [Located<String>],
}

impl Block<'_, '_> {
    fn error(&mut self, code: &'static str, at: Origin, message: &str, hint: &str) {
        self.context.push(Diagnostic::error(code, at, message).hint(hint));
    }

    /// What the file named by `server` says; nothing when the block names none.
    fn server(&mut self, target: &Target, servers: Option<File>) -> Option<Server> {
        let Some(reference) = &target.server else { return Some(Server::default()) };
        // A file that could not be read was reported by the reader.
        let (path, text) = servers?;
        match servers::find(&path, &text, &reference.value.name.clone().locate(self.file)) {
            Ok(server) => Some(server),
            Err(diagnostic) => {
                self.context.push(diagnostic);
                None
            }
        }
    }

    fn source(&mut self, target: &Target, server: &Server, at: &Origin) -> Option<TargetSource> {
        let given = [target.command.is_some(), target.url.is_some(), target.server.is_some()];
        if given.iter().filter(|given| **given).count() != 1 {
            self.error(
                "suite.target",
                at.clone(),
                "the target needs exactly one of `command`, `url` and `server`",
                "keep the one that says how the server is started or found",
            );
            return None;
        }
        if let Some(command) = &target.command {
            if command.value.is_empty() {
                let hint = "write the program and its arguments: `command: [node, server.js]`";
                self.error("suite.target", command.origin(self.file), "the command is empty", hint);
                return None;
            }
            let command = command.value.iter().map(|word| self.template(word)).collect();
            return Some(TargetSource::Command(command));
        }
        if let Some(url) = &target.url {
            let template = self.template(url);
            self.address(&template, &url.origin(self.file));
            return Some(TargetSource::Url(template));
        }
        let source = match &server.url {
            Some(url) => TargetSource::Url(Template(url.clone())),
            None => TargetSource::Command(server.command.iter().cloned().map(Template).collect()),
        };
        match &source {
            TargetSource::Url(url) => {
                self.variables(url, at);
                self.address(url, at);
            }
            TargetSource::Command(words) => words.iter().for_each(|word| self.variables(word, at)),
        }
        Some(source)
    }

    fn address(&mut self, url: &Template, at: &Origin) {
        // With variables in it the address is known only when the run starts.
        if !url.0.contains("${") && !url::Url::parse(&url.0).is_ok_and(|url| url.scheme().starts_with("http"))
        {
            self.error(
                "suite.target",
                at.clone(),
                &format!("`{}` is not an http or https address", url.0),
                "write the whole address of the MCP endpoint: `https://example.com/mcp`",
            );
        }
    }

    fn transport(&mut self, target: &Target, source: &TargetSource, is_sse: bool) -> Transport {
        let usual = match source {
            _ if is_sse => Transport::Sse,
            TargetSource::Command(_) => Transport::Stdio,
            TargetSource::Url(_) => Transport::Http,
        };
        let Some(transport) = &target.transport else { return usual };
        let at = transport.origin(self.file);
        if let (Transport::Stdio, TargetSource::Url(_)) = (transport.value, source) {
            let hint = "a url is spoken to over http; for stdio give a `command`";
            self.error("suite.target", at, "a url cannot be spoken to over stdio", hint);
        }
        transport.value
    }

    /// Certificates and proxies are for HTTP, and certificates for servers that are somewhere already.
    fn reach(&mut self, target: &Target, source: &TargetSource, transport: Transport) -> Option<Template> {
        if let Some(tls) = &target.tls {
            let TlsFiles { cert, key, .. } = &tls.value;
            if let (Some(alone), None) | (None, Some(alone)) = (cert, key) {
                let hint = "a client certificate needs both: `tls: {cert: FILE, key: FILE}`";
                let at = alone.origin(self.file);
                self.error("suite.target", at, "`cert` and `key` belong together", hint);
            }
            if !matches!(source, TargetSource::Url(_)) {
                let hint = "leave `tls` out; a started server is spoken to on loopback, without TLS";
                let at = tls.origin(self.file);
                self.error("suite.target", at, "`tls` is for a server at a `url`", hint);
            }
        }
        let proxy = target.proxy.as_ref()?;
        let at = proxy.origin(self.file);
        let template = self.template(proxy);
        if transport == Transport::Stdio {
            let hint = "leave `proxy` out; over stdio there is nothing to send through one";
            self.error("suite.target", at, "`proxy` is for servers over HTTP", hint);
        } else if !template.0.contains("${")
            && !url::Url::parse(&template.0).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
        {
            let hint = "write the proxy's address: `http://proxy.example:3128`";
            self.error("suite.target", at, "the proxy is not an http or https address", hint);
        }
        Some(template)
    }

    fn isolation(&mut self, target: &Target, source: &TargetSource, transport: Transport) -> Isolation {
        let usual = if transport == Transport::Stdio { Isolation::Trial } else { Isolation::Run };
        let Some(isolation) = &target.isolation else { return usual };
        if isolation.value == Isolation::Trial && transport != Transport::Stdio {
            let at = isolation.origin(self.file);
            match source {
                TargetSource::Url(_) => {
                    let hint = "leave `isolation` out; a running server is shared by all trials";
                    self.error(
                        "suite.target",
                        at,
                        "a server at a url cannot be started for each trial",
                        hint,
                    );
                }
                TargetSource::Command(_) => {
                    let hint = "use `isolation: run`, or `transport: stdio`";
                    self.context.not_yet(at, "a fresh process per trial over http", hint);
                }
            }
        }
        isolation.value
    }

    fn protocol(&mut self, protocol: Option<&At<String>>, transport: Transport) -> Choice {
        let Some(protocol) = protocol else { return Choice::Auto };
        let (name, at) = (protocol.value.as_str(), protocol.origin(self.file));
        if transport == Transport::Sse && name == MODERN.name {
            let hint = "use `transport: http`, or leave `protocol` out";
            let message = format!("`{name}` is not spoken over the transport `sse`");
            self.error("suite.target", at.clone(), &message, hint);
        }
        Choice::named(name).unwrap_or_else(|| {
            let known = std::iter::once("auto").chain(REVISIONS.iter().map(|revision| revision.name));
            let hint = suggest::hint(name, known);
            self.error("suite.unknown-name", at, &format!("unknown protocol revision `{name}`"), &hint);
            Choice::Auto
        })
    }

    fn path(&mut self, path: Option<&At<String>>, transport: Transport) -> String {
        let usual = if transport == Transport::Sse { "/sse" } else { "/mcp" };
        let Some(path) = path else { return usual.to_owned() };
        if !path.value.starts_with('/') {
            let message = format!("the path `{}` does not start with `/`", path.value);
            self.error("suite.target", path.origin(self.file), &message, "write it like `/mcp`");
        }
        path.value.clone()
    }

    fn templates(&mut self, entries: &Entries<At<String>>, into: &mut BTreeMap<String, Template>) {
        for (name, value) in &entries.0 {
            let template = self.template(value);
            into.insert(name.value.clone(), template);
        }
    }

    fn template(&mut self, text: &At<String>) -> Template {
        let template = Template(text.value.clone());
        self.variables(&template, &text.origin(self.file));
        template
    }

    fn variables(&mut self, template: &Template, at: &Origin) {
        match vars::names(template) {
            Ok(names) => {
                for name in names {
                    let declared = self.declared.iter().map(|declared| declared.value.as_str());
                    let known = declared.chain(vars::BUILT_IN.iter().copied());
                    if known.clone().all(|known| known != name) {
                        let message = format!("variable `{name}` is not declared");
                        self.context.push(
                            Diagnostic::error("suite.undeclared-variable", at.clone(), message)
                                .hint(suggest::hint(name, known))
                                .hint(format!(
                                    "to read it from the environment, declare it: `env: [{name}]`"
                                )),
                        );
                    }
                }
            }
            Err(error) => {
                let hint = "write `${NAME}`; for the characters themselves write `$${`";
                self.error("suite.invalid-value", at.clone(), &error.to_string(), hint);
            }
        }
    }
}
