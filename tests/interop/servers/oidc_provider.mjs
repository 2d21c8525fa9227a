// A certified authorization server, set up as its documentation says: JWT access tokens for one resource (RFC 8707),
// two machines, a program that is registered, others that register themselves, refresh tokens that rotate,
// introspection and revocation. Its own pages for development sign anybody in under any name.

import { createPublicKey, generateKeyPairSync } from "node:crypto";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(`${process.env.NOTES_MODULES}/`);
const { Provider, errors } = await import(pathToFileURL(require.resolve("oidc-provider")));

const port = Number(process.env.PORT);
const resource = process.env.NOTES_RESOURCE;
const scope = "notes:read notes:write";
const machine = { grant_types: ["client_credentials"], redirect_uris: [], response_types: [], scope };
const key = createPublicKey(process.env.NOTES_MACHINE_KEY).export({ format: "jwk" });

const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [
    { ...machine, client_id: "machine", client_secret: process.env.NOTES_MACHINE_SECRET },
    {
      ...machine,
      client_id: "signer",
      token_endpoint_auth_method: "private_key_jwt",
      token_endpoint_auth_signing_alg: "ES256",
      jwks: { keys: [{ ...key, alg: "ES256", use: "sig" }] },
    },
    {
      client_id: "desk",
      application_type: "native",
      token_endpoint_auth_method: "none",
      grant_types: ["authorization_code", "refresh_token"],
      redirect_uris: ["http://127.0.0.1/callback"],
      scope: `${scope} offline_access`,
    },
  ],
  clientAuthMethods: ["none", "client_secret_basic", "client_secret_post", "private_key_jwt"],
  cookies: { keys: [process.env.NOTES_MACHINE_SECRET] },
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: true },
    introspection: { enabled: true },
    registration: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo(_, indicator) {
        if (indicator !== resource) throw new errors.InvalidTarget();
        return { scope, audience: resource, accessTokenFormat: "jwt", jwt: { sign: { alg: "RS256" } } };
      },
    },
    revocation: { enabled: true },
  },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  jwks: { keys: [{ ...privateKey.export({ format: "jwk" }), alg: "RS256", use: "sig" }] },
  pkce: { required: () => true },
  responseTypes: ["code"],
  rotateRefreshToken: true,
  scopes: ["openid", "offline_access", ...scope.split(" ")],
});
provider.listen(port, "127.0.0.1");
