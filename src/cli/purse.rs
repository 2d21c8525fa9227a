//! Logins in a file that only its owner can read: `rehearsal/credentials.json` in the folder for configuration.
//!
//! It is replaced as a whole, so that no reader ever sees half of it, and changed under a lock, so that two runs do not
//! lose each other's rotated tokens. A file that others may read is refused rather than mended: its secrets are known.

#![expect(clippy::disallowed_methods, reason = "owns the file of logins")]

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::auth::client::{Client, ClientAuth, Held, ProofKey, Tokens, Wallet};
use crate::drive::stage::Env;
use crate::transcript::{Fault, Secrets, Side};

/// The file of logins.
pub(super) struct Purse {
    path: Option<PathBuf>,
    busy: Mutex<()>,
}

/// What the file holds.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Contents {
    version: u32,
    #[serde(default)]
    clients: BTreeMap<String, StoredClient>,
    #[serde(default)]
    logins: Vec<StoredLogin>,
}

#[derive(Serialize, Deserialize)]
struct StoredClient {
    id: String,
    secret: Option<String>,
    auth: Option<String>,
    redirect: Option<String>,
    expires: Option<i64>,
}

/// A login as the file holds it.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredLogin {
    /// The URL of the target.
    pub(super) target: String,
    /// The name of the login.
    pub(super) account: Option<String>,
    /// The issuer of its tokens.
    pub(super) issuer: String,
    resource: Option<String>,
    /// Whose refresh token it is; files of earlier versions have one client for each issuer.
    #[serde(default)]
    client: Option<StoredClient>,
    access: String,
    refresh: Option<String>,
    /// When the access token ends, in seconds since 1970.
    pub(super) expires: Option<i64>,
    /// Its scopes.
    pub(super) scopes: Vec<String>,
    key: Option<String>,
}

impl StoredClient {
    fn of(client: &Client) -> Self {
        Self {
            id: client.id.clone(),
            secret: plain(client.secret.as_ref()),
            auth: client.auth.map(|auth| auth.name().to_owned()),
            redirect: client.redirect.clone(),
            expires: client.expires,
        }
    }

    fn client(self) -> Client {
        Client {
            id: self.id,
            secret: self.secret.map(SecretString::from),
            key: None,
            auth: self.auth.as_deref().and_then(ClientAuth::named),
            redirect: self.redirect,
            expires: self.expires,
        }
    }
}

impl StoredLogin {
    /// Whether it can be renewed without a person.
    pub(super) fn is_renewable(&self) -> bool {
        self.refresh.is_some()
    }

    fn is(&self, target: &str, account: Option<&str>) -> bool {
        self.target == target && self.account.as_deref() == account
    }
}

impl Purse {
    /// The file below `$XDG_CONFIG_HOME` or `~/.config` (XDG base directories: a relative path there is ignored).
    pub(super) fn new(env: &Env) -> Self {
        let absolute = |name: &str| env(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let folder =
            absolute("XDG_CONFIG_HOME").or_else(|| absolute("HOME").map(|home| home.join(".config")));
        Self { path: folder.map(|folder| folder.join("rehearsal/credentials.json")), busy: Mutex::default() }
    }

    /// Everything in it; nothing if there is no file.
    pub(super) fn read(&self) -> Result<Contents, Fault> {
        let path = self.path()?;
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Contents::default()),
            Err(error) => return Err(broken(path, &format!("cannot be read: {error}"))),
        };
        let mode = file.metadata().map_or(0, |data| data.mode());
        if mode & 0o077 != 0 {
            let why = format!(
                "may be read by others (mode {:o}); take its logins as known, sign out where you can, and remove it",
                mode & 0o777
            );
            return Err(broken(path, &why));
        }
        serde_json::from_reader(file).map_err(|_| broken(path, "is not a file of logins; remove it"))
    }

    /// Removes a login; `false` if there was none.
    pub(super) fn remove(&self, target: &str, account: Option<&str>) -> Result<bool, Fault> {
        let mut found = false;
        self.change(|contents| {
            found = contents.logins.iter().any(|login| login.is(target, account));
            contents.logins.retain(|login| !login.is(target, account));
        })?;
        Ok(found)
    }

    /// Where it is.
    pub(super) fn path(&self) -> Result<&Path, Fault> {
        self.path.as_deref().ok_or_else(|| {
            let text = "there is no folder for logins: neither `XDG_CONFIG_HOME` nor `HOME` names one";
            Fault::new(Side::Harness, "store.credentials", text)
        })
    }

    fn change(&self, change: impl FnOnce(&mut Contents)) -> Result<(), Fault> {
        let path = self.path()?;
        let _one = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        let failed = |error: std::io::Error| broken(path, &format!("cannot be written: {error}"));
        let folder = path.parent().unwrap_or(path);
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
        let mut private = OpenOptions::new();
        private.write(true).create(true).truncate(true).mode(0o600);
        // Held until this function ends; other processes wait for it, and only for as long as a file takes to write.
        let lock = private.open(path.with_extension("lock")).map_err(failed)?;
        lock.lock().map_err(failed)?;
        let mut contents = self.read()?;
        change(&mut contents);
        contents.version = 1;
        let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
        let text = serde_json::to_vec_pretty(&contents).map_err(|error| failed(error.into()))?;
        // A leftover of the same name could belong to somebody else or be open to others.
        let _ = fs::remove_file(&temporary);
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary).map_err(failed)?;
        file.write_all(&text).and_then(|()| file.sync_all()).map_err(failed)?;
        fs::rename(&temporary, path).map_err(failed)
    }
}

impl Contents {
    /// The logins, in the order in which they were made.
    pub(super) fn logins(&self) -> &[StoredLogin] {
        &self.logins
    }
}

fn broken(path: &Path, why: &str) -> Fault {
    Fault::new(Side::Harness, "store.credentials", format!("the file of logins `{}` {why}", path.display()))
}

fn plain(secret: Option<&SecretString>) -> Option<String> {
    secret.map(|secret| secret.expose_secret().to_owned())
}

impl Wallet for Purse {
    fn client(&self, issuer: &str) -> Option<Client> {
        self.read().ok()?.clients.remove(issuer).map(StoredClient::client)
    }

    fn keep_client(&self, issuer: &str, client: &Client) -> Result<(), Fault> {
        let stored = StoredClient::of(client);
        self.change(|contents| drop(contents.clients.insert(issuer.to_owned(), stored)))
    }

    fn drop_client(&self, issuer: &str) -> Result<(), Fault> {
        self.change(|contents| drop(contents.clients.remove(issuer)))
    }

    fn held(&self, target: &str, account: Option<&str>) -> Option<Held> {
        let stored = self.read().ok()?.logins.into_iter().find(|login| login.is(target, account))?;
        // The key is registered again by whoever reads it.
        let key = stored.key.map(|text| ProofKey::from_text(&text, &Secrets::default())).transpose().ok()?;
        Some(Held {
            target: stored.target,
            account: stored.account,
            issuer: stored.issuer,
            resource: stored.resource,
            client: stored.client.map(StoredClient::client),
            tokens: Tokens {
                access: SecretString::from(stored.access),
                refresh: stored.refresh.map(SecretString::from),
                expires: stored.expires,
                scopes: stored.scopes,
                key,
            },
        })
    }

    fn keep(&self, held: &Held) -> Result<(), Fault> {
        let tokens = &held.tokens;
        let stored = StoredLogin {
            target: held.target.clone(),
            account: held.account.clone(),
            issuer: held.issuer.clone(),
            resource: held.resource.clone(),
            client: held.client.as_ref().map(StoredClient::of),
            access: tokens.access.expose_secret().to_owned(),
            refresh: plain(tokens.refresh.as_ref()),
            expires: tokens.expires,
            scopes: tokens.scopes.clone(),
            key: tokens.key.as_ref().map(|key| key.text().expose_secret().to_owned()),
        };
        self.change(|contents| {
            contents.logins.retain(|login| !login.is(&stored.target, stored.account.as_deref()));
            contents.logins.push(stored);
        })
    }

    fn drop_held(&self, target: &str, account: Option<&str>) -> Result<(), Fault> {
        self.remove(target, account).map(drop)
    }
}
