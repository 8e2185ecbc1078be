// A relying party that knows nothing but an issuer and its own credentials: the npm package
// openid-client. Prints the address to sign in at, reads the one that the browser came back to,
// and prints what it got on the way through code, PKCE, userinfo, refresh and log-out.
import { createInterface } from "node:readline/promises";
import * as oidc from "openid-client";

const { issuer, clientId, secret, redirect, after } = JSON.parse(process.argv[2]);
const say = (told) => console.log(JSON.stringify(told));

const config = await oidc.discovery(new URL(issuer), clientId, secret, undefined, {
  execute: [oidc.allowInsecureRequests], // http, on loopback
});
const verifier = oidc.randomPKCECodeVerifier();
const expected = { expectedState: oidc.randomState(), expectedNonce: oidc.randomNonce() };
const begin = oidc.buildAuthorizationUrl(config, {
  redirect_uri: redirect,
  scope: "openid email profile descope.claims",
  code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
  code_challenge_method: "S256",
  state: expected.expectedState,
  nonce: expected.expectedNonce,
});
say({ begin: begin.href });

const input = createInterface({ input: process.stdin });
const back = new URL(await input.question(""));
input.close();
const checks = { ...expected, pkceCodeVerifier: verifier, idTokenExpected: true };
const tokens = await oidc.authorizationCodeGrant(config, back, checks);
const claims = tokens.claims();
const userinfo = await oidc.fetchUserInfo(config, tokens.access_token, claims.sub);
const refreshed = await oidc.refreshTokenGrant(config, tokens.refresh_token);
const leave = { id_token_hint: refreshed.id_token, post_logout_redirect_uri: after };
say({ claims, userinfo, refreshed: refreshed.claims(), leave: oidc.buildEndSessionUrl(config, leave).href });
