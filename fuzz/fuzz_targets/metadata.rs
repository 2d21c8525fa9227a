//! Metadata of resources and authorization servers: no document breaks what decides over it, and none is believed for
//! another issuer or origin.
#![no_main]

use libfuzzer_sys::fuzz_target;
use url::Url;

#[allow(dead_code)]
#[path = "../../src/display.rs"]
mod display;
#[allow(dead_code)]
#[path = "../../src/auth/client/metadata.rs"]
mod metadata;

use metadata::{ResourceMetadata, ServerMetadata};

fuzz_target!(|bytes: &[u8]| {
    let target = Url::parse("https://mcp.example/a/b?c=d").expect("a URL");
    if let Ok(resource) = serde_json::from_slice::<ResourceMetadata>(bytes) {
        if resource.speaks_for(&target) {
            let named = Url::parse(&resource.resource).expect("it was compared as a URL");
            assert_eq!(named.origin(), target.origin());
        }
        let servers = resource.authorization_servers.clone().unwrap_or_default();
        assert_eq!(resource.issuer(|_| false), servers.first().map(String::as_str));
        assert_eq!(resource.issuer(|_| true), servers.first().map(String::as_str));
    }
    if let Ok(server) = serde_json::from_slice::<ServerMetadata>(bytes) {
        assert_eq!(server.mismatch(&server.issuer), None);
        let _ = (server.has_pkce(), server.auth_methods(), server.lists("offline_access"));
        if let Some(why) = server.mismatch("https://auth.example") {
            assert_ne!(server.issuer, "https://auth.example");
            assert!(!why.chars().any(char::is_control), "{why:?}");
        }
    }
});
