// A company's own OpenID Connect provider, the npm package oidc-provider, as its readme starts it.
// Told by one JSON argument: port, client (an object of its configuration), accounts (claims by
// login), signing (an algorithm). Whoever signs in types a login of the accounts, and any password.
import { generateKeyPairSync } from "node:crypto";
import Provider from "oidc-provider";

const { port, client, accounts, signing } = JSON.parse(process.argv[2]);
const keys = { RS256: ["rsa", { modulusLength: 2048 }], ES256: ["ec", { namedCurve: "P-256" }] };
const { privateKey } = generateKeyPairSync(...keys[signing]);
const jwk = { ...privateKey.export({ format: "jwk" }), alg: signing, use: "sig", kid: "company-1" };

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{ ...client, id_token_signed_response_alg: signing }],
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name", "groups"] },
  conformIdTokenClaims: false,
  cookies: { keys: ["for a test"] },
  jwks: { keys: [jwk] },
  findAccount: (_context, login) =>
    accounts[login] && { accountId: login, claims: () => ({ sub: login, ...accounts[login] }) },
});
provider.listen(port, "127.0.0.1", () => console.log("ready"));
