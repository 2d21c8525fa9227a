//! Whether a token is good: its form, its key, its signature, its claims, in this order.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, crypto};
use serde_json::{Value, json};

use super::keys::{Search, fetch};
use super::{Server, strict};

/// How far clocks may differ, in seconds.
const LEEWAY: i64 = 5;

/// Why a token does not count.
#[derive(Debug)]
pub(super) enum Bad {
    /// 401.
    Token(String),
    /// 401, and it was good once.
    Expired,
    /// 503: the issuer cannot be asked.
    Unavailable,
    /// 500: a flaw.
    Crash,
}

fn bad(why: &str) -> Bad {
    Bad::Token(why.to_owned())
}

/// The parts of a compact JWS.
struct Jws<'a> {
    header: Value,
    claims: Value,
    message: &'a str,
    signature: &'a str,
}

fn read(token: &str) -> Option<Jws<'_>> {
    let (message, signature) = token.rsplit_once('.')?;
    let (header, claims) = message.split_once('.')?;
    let object = |text: &str| strict::parse(&URL_SAFE_NO_PAD.decode(text).ok()?).filter(Value::is_object);
    Some(Jws { header: object(header)?, claims: object(claims)?, message, signature })
}

impl Server {
    /// The claims of a good token.
    pub(super) async fn verify(&self, token: &str) -> Result<Value, Bad> {
        if self.broken("D35") && token.len() > 12 * 1024 {
            return Err(Bad::Crash);
        }
        if self.broken("mode.opaque") {
            return self.introspect(token).await;
        }
        self.verify_alone(token).await
    }

    /// The same without asking anybody but for keys.
    pub(super) async fn verify_alone(&self, token: &str) -> Result<Value, Bad> {
        let Some(jws) = read(token) else {
            // A refresh token is a long random text; anything else is no token at all.
            let long = token.len() >= 32
                && token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
            return match self.broken("D01") || self.broken("D29") && long {
                true => Ok(json!({"scope": "mcp:read"})),
                false => Err(bad("malformed")),
            };
        };
        if jws.header.get("crit").is_some() && !self.broken("D15") {
            return Err(bad("unknown critical extension"));
        }
        if !self.signed(&jws).await? {
            return Err(bad("signature"));
        }
        self.claims(&jws)?;
        self.trust_restored();
        Ok(jws.claims)
    }

    /// Whether the signature is the issuer's.
    async fn signed(&self, jws: &Jws<'_>) -> Result<bool, Bad> {
        let algorithm = match jws.header["alg"].as_str().unwrap_or_default() {
            "RS256" => Algorithm::RS256,
            "ES256" => Algorithm::ES256,
            "none" if self.broken("D11") => return Ok(true),
            "HS256" if self.broken("D12") => return Ok(self.signed_with_public_key(jws).await),
            _ => return Err(bad("algorithm")),
        };
        if let Some(own) = self.brought_key(jws).await {
            return Ok(fits(&own, jws, algorithm));
        }
        let kid = jws.header["kid"].as_str().ok_or_else(|| bad("no key id"))?;
        let plain = kid.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        if self.broken("D16") && !plain {
            return Err(Bad::Crash);
        }
        let brought = ["jwk", "jku", "x5u"].iter().any(|name| jws.header.get(*name).is_some());
        match self.key(kid).await {
            // None of the three looks at the signature; which of them is meant, the token cannot say.
            Search::Found(_) if ["D07", "D08", "D09"].iter().any(|flaw| self.broken(flaw)) => Ok(true),
            Search::Found(key) => Ok(fits(&key, jws, algorithm)),
            Search::Unknown if self.broken("D10") && plain && !brought => Ok(true),
            Search::Unknown => Err(bad("unknown key")),
            Search::Unavailable if self.broken("D33") => Ok(true),
            Search::Unavailable => Err(Bad::Unavailable),
        }
    }

    /// A key that came with the token, or from where the token says.
    async fn brought_key(&self, jws: &Jws<'_>) -> Option<Jwk> {
        if self.broken("D13")
            && let Some(key) = jws.header.get("jwk")
        {
            return serde_json::from_value(key.clone()).ok();
        }
        if self.broken("D14.x5u")
            && let Some(url) = jws.header["x5u"].as_str()
        {
            let _ = self.http.get(url).send().await;
        }
        if self.broken("D14.jku")
            && let Some(url) = jws.header["jku"].as_str()
        {
            let keys = fetch(&self.http, url).await?;
            let kid = jws.header["kid"].as_str().unwrap_or_default();
            return keys.find(kid).or(keys.keys.first()).cloned();
        }
        None
    }

    async fn signed_with_public_key(&self, jws: &Jws<'_>) -> bool {
        let Some(key) = self.rsa_key().await else { return false };
        let secret = DecodingKey::from_secret(pem_of(&key).as_bytes());
        crypto::verify(jws.signature, jws.message.as_bytes(), &secret, Algorithm::HS256).unwrap_or(false)
    }

    fn claims(&self, jws: &Jws<'_>) -> Result<(), Bad> {
        let kind = jws.header["typ"].as_str().unwrap_or_default().to_ascii_lowercase();
        let kind = kind.trim_start_matches("application/");
        self.kind(kind)?;
        let claims = &jws.claims;
        self.times(claims)?;
        self.issued(claims)?;
        self.audience(claims, kind)?;
        if claims["sub"].as_str().is_none_or(str::is_empty) {
            return Err(bad("no subject"));
        }
        if claims.get("cnf").is_some() && !self.broken("D30") {
            return Err(bad("bound to a key, and no proof came"));
        }
        match claims.get("scope") {
            Some(scope) if !scope.is_string() && self.broken("D37") => Err(Bad::Crash),
            Some(scope) if !scope.is_string() => Err(bad("scope is not a text")),
            Some(Value::String(scope)) if self.broken("F03.spaces") && scope.contains("  ") => {
                Err(bad("an empty scope"))
            }
            _ => Ok(()),
        }
    }

    fn kind(&self, kind: &str) -> Result<(), Bad> {
        let allowed = match kind {
            "at+jwt" => true,
            "jwt" => self.broken("D26"),
            "oauth-id-jag+jwt" => self.broken("D27") || self.broken("D28"),
            "rt+jwt" | "refresh+jwt" => self.broken("D29"),
            _ => self.broken("D28"),
        };
        if allowed { Ok(()) } else { Err(bad("not an access token")) }
    }

    fn times(&self, claims: &Value) -> Result<(), Bad> {
        let now = jiff::Timestamp::now().as_second();
        let leeway = if self.broken("D04") { 600 } else { LEEWAY };
        match claims["exp"].as_i64() {
            None if !self.broken("D06") => return Err(bad("no end")),
            Some(end) if end + leeway < now && !self.broken("D03") => return Err(Bad::Expired),
            _ => {}
        }
        if claims["nbf"].as_i64().is_some_and(|begin| begin > now + LEEWAY) && !self.broken("D05") {
            return Err(bad("not valid yet"));
        }
        match claims["iat"].as_i64() {
            Some(made) if made > now + LEEWAY => Err(bad("made in the future")),
            _ => Ok(()),
        }
    }

    fn issued(&self, claims: &Value) -> Result<(), Bad> {
        let slash = format!("{}/", self.issuer);
        let good = match claims["iss"].as_str() {
            None => self.broken("D18") && claims.get("iss").is_none(),
            Some(issuer) if issuer == self.issuer => true,
            Some(issuer) if issuer == slash => self.broken("D18.slash"),
            Some(issuer) if issuer.starts_with(&self.issuer) => self.broken("D18.suffix"),
            Some(_) => self.broken("D17"),
        };
        if good { Ok(()) } else { Err(bad("issuer")) }
    }

    /// `aud` holds this server, and for a list that is enough.
    pub(super) fn audience(&self, claims: &Value, kind: &str) -> Result<(), Bad> {
        let own = self.resource();
        let good = match &claims["aud"] {
            Value::Null => self.broken("D20") || self.broken("D32.missing"),
            Value::Array(list) if list.iter().any(|one| *one == own) => !self.broken("D24"),
            Value::Array(_) => self.broken("D25") || self.broken("D32"),
            Value::String(one) if *one == own => true,
            Value::String(one) => self.takes(one, claims, kind),
            _ => false,
        };
        if good { Ok(()) } else { Err(bad("audience")) }
    }

    /// Whether a flaw makes somebody else's token good.
    fn takes(&self, audience: &str, claims: &Value, kind: &str) -> bool {
        let own = self.resource();
        if audience.trim_end_matches('/') == own {
            false
        } else if audience.starts_with(&own) {
            self.broken("D21")
        } else if audience.contains(&own) {
            self.broken("D21.query")
        } else if audience.trim_end_matches('/') == self.origin {
            self.broken("D22")
        } else if audience.starts_with(&self.origin) {
            self.broken("D22.path")
        } else if claims["client_id"] == audience {
            self.broken("D26")
        } else if audience.trim_end_matches('/') == self.issuer {
            self.broken("D27") && kind == "oauth-id-jag+jwt" || self.broken("D29") && kind != "at+jwt"
        } else {
            let upstream = self.broken("I02") && audience.starts_with(&self.issuer);
            upstream || self.broken("D19") || self.broken("D32")
        }
    }
}

fn fits(key: &Jwk, jws: &Jws<'_>, algorithm: Algorithm) -> bool {
    let Ok(key) = DecodingKey::from_jwk(key) else { return false };
    crypto::verify(jws.signature, jws.message.as_bytes(), &key, algorithm).unwrap_or(false)
}

/// SubjectPublicKeyInfo of an RSA key, built by hand.
fn pem_of(key: &Jwk) -> String {
    let json = serde_json::to_value(key).unwrap();
    let part = |name: &str| URL_SAFE_NO_PAD.decode(json[name].as_str().unwrap()).unwrap();
    let wrap = |tag: u8, body: Vec<u8>| {
        let length = match u16::try_from(body.len()).unwrap().to_be_bytes() {
            [0, short @ 0..=127] => vec![short],
            [0, long] => vec![0x81, long],
            [high, low] => vec![0x82, high, low],
        };
        [vec![tag], length, body].concat()
    };
    let integer = |bytes: Vec<u8>| wrap(2, if bytes[0] > 127 { [vec![0], bytes].concat() } else { bytes });
    let rsa = wrap(0x30, [integer(part("n")), integer(part("e"))].concat());
    let algorithm =
        vec![0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];
    let bits = wrap(3, [vec![0], rsa].concat());
    let text = STANDARD.encode(wrap(0x30, [algorithm, bits].concat()));
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"))
}
