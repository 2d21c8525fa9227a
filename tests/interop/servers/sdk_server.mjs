// The same notes behind the official TypeScript SDK, which leaves the verification of tokens and the book of sessions
// to the author: jose here, and sessions that belong to whoever began them. With NOTES_DEFAULTS it leaves unset what
// the SDK does not insist on, and keeps sessions as the SDK's examples do; with NOTES_THROWS its verifier throws what
// jose throws.

import { randomUUID } from "node:crypto";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(`${process.env.NOTES_MODULES}/`);
const sdk = (path) => require(`@modelcontextprotocol/sdk/${path}`);
const express = require("express");
const { z } = require("zod");
const { createRemoteJWKSet, jwtVerify } = await import(pathToFileURL(require.resolve("jose")));
const { InvalidTokenError } = sdk("server/auth/errors.js");
const { requireBearerAuth } = sdk("server/auth/middleware/bearerAuth.js");
const { getOAuthProtectedResourceMetadataUrl, mcpAuthMetadataRouter } = sdk("server/auth/router.js");
const { McpServer } = sdk("server/mcp.js");
const { StreamableHTTPServerTransport } = sdk("server/streamableHttp.js");

const issuer = process.env.NOTES_ISSUER;
const resource = new URL(process.env.NOTES_RESOURCE);
const keys = createRemoteJWKSet(new URL(`${issuer}/jwks`));
const notes = new Map([[1, "Buy bread on Friday."], [2, "The spare key is with Tove."]]);

const careful = !process.env.NOTES_DEFAULTS;
// Any other error than the SDK's becomes a 500. Its message goes into the challenge as it is, quotes and all.
const refusal = (error) => {
  if (process.env.NOTES_THROWS) return error;
  return new InvalidTokenError(careful ? "The token is not valid." : error.message);
};

const verifier = {
  async verifyAccessToken(token) {
    const wanted = { issuer, audience: resource.href, requiredClaims: ["exp"] };
    const { payload } = await jwtVerify(token, keys, wanted).catch((error) => {
      throw refusal(error);
    });
    const scopes = String(payload.scope ?? "").split(" ");
    const { sub, aud, client_id: client } = payload;
    return { token, clientId: String(client), scopes, expiresAt: payload.exp, resource, extra: { sub, aud } };
  },
};

function notesServer() {
  const server = new McpServer({ name: "notes", version: "1" });
  const text = (text) => ({ content: [{ type: "text", text }] });
  const reads = { readOnlyHint: true };
  server.registerTool("list_notes", { description: "List all notes.", annotations: reads }, () =>
    text([...notes].map(([id, note]) => `${id}: ${note}`).join("\n")));
  const note = { description: "Show one note by its id.", annotations: reads, inputSchema: { id: z.number().int() } };
  server.registerTool("get_note", note, ({ id }) => {
    if (!notes.has(id)) throw new Error(`There is no note ${id}.`);
    return text(notes.get(id));
  });
  const self = { description: "Say who is asking.", annotations: reads };
  server.registerTool("whoami", self, ({ authInfo: { clientId, extra: { sub, aud } } }) =>
    text(`${sub} with a token of ${clientId} for ${aud}`));
  const parrot = { description: "Repeat a text.", annotations: reads, inputSchema: { text: z.string() } };
  server.registerTool("repeat", parrot, ({ text: given }) => text(given));
  return server;
}

const oauthMetadata = await (await fetch(`${issuer}/.well-known/oauth-authorization-server`)).json();
const scopes = ["notes:read"];
const resourceMetadataUrl = getOAuthProtectedResourceMetadataUrl(resource);
const sessions = new Map();
const allowed = { allowedHosts: [resource.host], allowedOrigins: [resource.origin] };
const guarded = careful ? { enableDnsRebindingProtection: true, ...allowed } : {};
const app = express();
app.use(mcpAuthMetadataRouter({ oauthMetadata, resourceServerUrl: resource, scopesSupported: scopes }));
app.use(requireBearerAuth({ verifier, requiredScopes: scopes, resourceMetadataUrl, expectedResource: resource }));
app.use(express.json());
app.all("/mcp", async (request, response) => {
  const id = request.headers["mcp-session-id"];
  const owner = careful ? `${request.auth.clientId} ${request.auth.extra.sub}` : "anybody";
  const session = sessions.get(id);
  if (id && session?.owner !== owner) return response.status(404).end();
  let transport = session?.transport;
  if (!transport) {
    const onsessioninitialized = (id) => void sessions.set(id, { owner, transport });
    const own = { sessionIdGenerator: randomUUID, onsessioninitialized, ...guarded };
    transport = new StreamableHTTPServerTransport(own);
    await notesServer().connect(transport);
  }
  await transport.handleRequest(request, response, request.body);
});
app.listen(Number(process.env.PORT), "127.0.0.1");
