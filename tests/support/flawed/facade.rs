//! The metadata of the authorization server under this server's own origin, so that it can be broken while the issuer
//! itself stays clean. Its issuer is the facade; tokens still come from the issuer behind it, as from a server that
//! moved its front door.

use serde_json::{Value, json};

use super::Server;

impl Server {
    /// The issuer that the resource metadata names.
    pub(super) fn facade_issuer(&self) -> String {
        format!("{}/as", self.origin)
    }

    /// The issuer's own metadata.
    pub(super) async fn issuer_metadata(&self) -> Option<Value> {
        let place = format!("{}/.well-known/oauth-authorization-server", self.issuer);
        self.http.get(place).send().await.ok()?.json().await.ok()
    }

    /// A copy of it, with the flaw; `None` where there is none.
    pub(super) async fn facade(&self) -> Option<Value> {
        if self.broken("C01") || !self.broken("mode.facade") {
            return None;
        }
        let mut document = self.issuer_metadata().await?;
        let own = self.facade_issuer();
        document["issuer"] = json!(own);
        document["client_id_metadata_document_supported"] = json!(true);
        document["registration_endpoint"] = json!(format!("{own}/register"));
        for (flaw, name, value) in [
            ("C02", "issuer", json!(format!("{own}/other"))),
            ("C03", "token_endpoint", json!("http://as.example/token")),
            ("C04", "code_challenge_methods_supported", json!(["plain"])),
            ("C05", "authorization_response_iss_parameter_supported", json!(false)),
            ("C06", "client_id_metadata_document_supported", json!(false)),
            ("C07", "client_id_metadata_document_supported", json!(false)),
            ("C08", "grant_types_supported", json!(["authorization_code", "password"])),
        ] {
            if self.broken(flaw) {
                document[name] = value;
            }
        }
        if self.broken("C07") {
            document.as_object_mut()?.remove("registration_endpoint");
        }
        Some(document)
    }
}
