import { createPublicKey, X509Certificate } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { request as httpsRequest, type RequestOptions } from "node:https";
import type { PeerCertificate } from "node:tls";
import { type Places, parseErrorCode, RhoneError } from "@rhone/common";
import type { z } from "zod";
import { keyHash, newRequest, publicKeyOf } from "../certificates.js";
import { type IdentityFiles, identityKey, readIdentity, writeCertificate } from "../identity-files.js";
import { type JoinToken, parseToken } from "../join-token.js";
import { AUTHORITY_ROLE, authorityHash, clusterOf, type MemberRole, uriOf, urisOf } from "../member-name.js";
import {
  clusterSchema,
  enrolledSchema,
  enrollSchema,
  failureSchema,
  LARGEST_ANSWER,
  PATHS,
  probedSchema,
  renewSchema,
  revokedSchema,
} from "./enrollment-messages.js";

const ANSWER_MS = 10_000;

/** A member that is or becomes one. */
export interface MemberPlace {
  /** host:port of the enrollment server. */
  readonly address: string;
  readonly role: MemberRole;
  readonly name: string;
  readonly files: IdentityFiles;
}

/**
 * Makes this machine a member: checks that the server's CA is the token's, then shows the token, and writes the
 * identity. Throws AUTHORITY_MISMATCH before anything secret is sent; UNREACHABLE; and the server's refusals:
 * TOKEN_UNKNOWN, TOKEN_EXPIRED, TOKEN_USED_UP, TOKEN_REVOKED, CERTIFICATE_REFUSED.
 */
export async function enroll(place: MemberPlace, tokenText: string): Promise<Places> {
  const token = parseToken(tokenText);
  const { role, name, files, address } = place;
  const ca = await fetchAuthority(address, token);
  const key = await identityKey(files);
  const uri = uriOf({ cluster: clusterOf(token.authority), role, name });
  const body = { token: token.id, secret: token.secret, role, name, request: await newRequest(key, uri) };
  const { certificate, places } = await ask(address, {
    path: PATHS.enroll,
    body: enrollSchema.parse(body),
    schema: enrolledSchema,
    tls: onlyAuthority(ca),
  });
  await keep(place, { ca, certificate });
  return places;
}

/** Gets a new certificate for the member's key, and writes it. Throws UNREACHABLE, CERTIFICATE_REFUSED, NOT_FOUND. */
export async function renew(place: MemberPlace): Promise<Places> {
  const { role, name, files, address } = place;
  const identity = await readIdentity(files);
  if (identity === null) throw new RhoneError("NOT_FOUND", `There is no identity in ${files.folder}.`);
  const { ca, key, certificate: cert } = identity;
  const uri = uriOf({ cluster: clusterOf(authorityHash(ca)), role, name });
  const { certificate, places } = await ask(address, {
    path: PATHS.renew,
    body: renewSchema.parse({ request: await newRequest(key, uri) }),
    schema: enrolledSchema,
    tls: { ...onlyAuthority(ca), cert, key },
  });
  await keep(place, { ca, certificate });
  return places;
}

/** The keys that the authority believes no longer. */
export interface Revoked {
  readonly keys: readonly string[];
  /** Why this member has to leave: its own is among them; null: it isn't. */
  readonly expelled: RhoneError | null;
}

/** Throws UNREACHABLE, NOT_FOUND, and CERTIFICATE_REFUSED for a certificate that is not valid. */
export async function fetchRevoked({ address, role, name, files }: MemberPlace): Promise<Revoked> {
  const identity = await readIdentity(files);
  if (identity === null) throw new RhoneError("NOT_FOUND", `There is no identity in ${files.folder}.`);
  const { ca, key, certificate: cert } = identity;
  const tls = { ...onlyAuthority(ca), cert, key };
  const { keys } = await ask(address, { path: PATHS.revoked, schema: revokedSchema, tls });
  if (!keys.includes(keyHash(publicKeyOf(key)))) return { keys, expelled: null };
  const again = "To join again it needs a new key (rhone leave --forget) and a new token";
  const problem = `The ${role} ${name} of this machine was expelled from the cluster at ${address}`;
  return { keys, expelled: new RhoneError("CERTIFICATE_REFUSED", `${problem}. ${again}.`) };
}

/**
 * Asks the machine that made the cluster to connect to this coordinator at host:port: null, or why it can't. Throws
 * UNREACHABLE when that machine itself does not answer, NOT_FOUND, CERTIFICATE_REFUSED.
 */
export async function askForProbe({ address: server, files }: MemberPlace, address: string): Promise<string | null> {
  const identity = await readIdentity(files);
  if (identity === null) throw new RhoneError("NOT_FOUND", `There is no identity in ${files.folder}.`);
  const { ca, key, certificate: cert } = identity;
  const tls = { ...onlyAuthority(ca), cert, key };
  return (await ask(server, { path: PATHS.probe, body: { address }, schema: probedSchema, tls })).problem;
}

/** The CA of the server, PEM, once it is known to be the token's. */
async function fetchAuthority(address: string, token: JoinToken): Promise<string> {
  // Nobody is trusted yet: the answer is public, and its hash is checked.
  const { ca } = await ask(address, { path: PATHS.cluster, schema: clusterSchema, tls: { rejectUnauthorized: false } });
  if (hashOf(ca) === token.authority) return ca;
  throw new RhoneError(
    "AUTHORITY_MISMATCH",
    `The server at ${address} is of another cluster than the token: its CA is ${hashOf(ca).slice(0, 16)}…, the ` +
      `token's ${token.authority.slice(0, 16)}…. Nothing secret was sent. Check the address, or that nobody is in ` +
      "between, and create a token on that server's machine: rhone token create",
  );
}

function hashOf(ca: string): string {
  try {
    return authorityHash(ca);
  } catch {
    return "unreadable";
  }
}

/** A server that proves to be the authority of this CA: another member of the cluster does not do. */
function onlyAuthority(ca: string): RequestOptions {
  const uri = uriOf({ cluster: clusterOf(authorityHash(ca)), role: AUTHORITY_ROLE, name: AUTHORITY_ROLE });
  const checkServerIdentity = (_: string, { raw }: PeerCertificate): Error | undefined => {
    const uris = urisOf(new X509Certificate(raw));
    return uris.length === 1 && uris[0] === uri ? undefined : new Error(`its certificate is not for ${uri}`);
  };
  return { ca, minVersion: "TLSv1.3", checkServerIdentity };
}

/** Writes a certificate that is for this member's key. Throws CERTIFICATE_REFUSED. */
async function keep(
  { role, name, files }: MemberPlace,
  issued: { readonly ca: string; readonly certificate: string },
): Promise<void> {
  const uri = uriOf({ cluster: clusterOf(authorityHash(issued.ca)), role, name });
  const certificate = parseCertificate(issued.certificate);
  const isOurs =
    certificate?.verify(new X509Certificate(issued.ca).publicKey) === true &&
    certificate.publicKey.equals(createPublicKey(await identityKey(files))) &&
    urisOf(certificate).join() === uri;
  if (!isOurs) throw new RhoneError("CERTIFICATE_REFUSED", `The server's certificate is not for ${uri} and its key.`);
  await writeCertificate(files, issued);
}

function parseCertificate(pem: string): X509Certificate | null {
  try {
    return new X509Certificate(pem);
  } catch {
    return null;
  }
}

interface Question<S extends z.ZodType> {
  readonly path: string;
  /** POST with it; GET without one. */
  readonly body?: unknown;
  readonly schema: S;
  readonly tls: RequestOptions;
}

async function ask<S extends z.ZodType>(
  address: string,
  { path, body, schema, tls }: Question<S>,
): Promise<z.output<S>> {
  const { status, text } = await exchange(address, { path, body, tls });
  const json = parseJson(text);
  if (status === 200) {
    const { data } = schema.safeParse(json);
    if (data !== undefined) return data;
  }
  const { data: failure } = failureSchema.safeParse(json);
  if (failure === undefined) throw noAuthority(address, `it answered ${path} with status ${status}`);
  throw new RhoneError(parseErrorCode(failure.error.code, "CERTIFICATE_REFUSED"), failure.error.message);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function exchange(
  address: string,
  { path, body, tls }: Pick<Question<z.ZodType>, "path" | "body" | "tls">,
): Promise<{ readonly status: number; readonly text: string }> {
  const { hostname, port } = new URL(`https://${address}`);
  const text = body === undefined ? undefined : JSON.stringify(body);
  const options: RequestOptions = {
    ...tls,
    host: hostname.replace(/^\[(.*)\]$/, "$1"),
    port: port || 443,
    path,
    method: text === undefined ? "GET" : "POST",
    agent: false,
    signal: AbortSignal.timeout(ANSWER_MS),
    headers:
      text === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(text) },
  };
  return new Promise((resolve, reject) => {
    const failed = (error: Error): void => reject(explain(address, error));
    const asked = httpsRequest(options, (response) => {
      readAnswer(response).then((answer) => resolve({ status: response.statusCode ?? 0, text: answer }), failed);
    });
    asked.once("error", failed);
    asked.end(text);
  });
}

async function readAnswer(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > LARGEST_ANSWER) throw new Error(`its answer has more than ${LARGEST_ANSWER} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** Why no answer came, as an error that says what to open or check. */
function explain(address: string, error: NodeJS.ErrnoException): RhoneError {
  const [, host = address, port = ""] = /^(.*):(\d+)$/.exec(address) ?? [];
  const open = `Check that \`rhone up --listen\` runs there, and that TCP port ${port} of ${host} is open to this machine`;
  switch (error.code) {
    case "ECONNREFUSED":
      return new RhoneError("UNREACHABLE", `${address} refused the connection: nothing listens there. ${open}.`, {
        cause: error,
      });
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return new RhoneError("UNREACHABLE", `The host name ${host} is not known. Check it, or give an address.`, {
        cause: error,
      });
    case "EHOSTUNREACH":
    case "ENETUNREACH":
      return new RhoneError("UNREACHABLE", `This machine has no route to ${host}: check the address and the network.`, {
        cause: error,
      });
    case "ETIMEDOUT":
    case "ABORT_ERR":
      return new RhoneError("UNREACHABLE", `${address} did not answer within ${ANSWER_MS / 1000} s. ${open}.`, {
        cause: error,
      });
    default:
      return noAuthority(address, error.message, error);
  }
}

const noAuthority = (address: string, why: string, cause?: Error): RhoneError =>
  new RhoneError(
    "UNREACHABLE",
    `The server at ${address} is no cluster's enrollment server that this machine may trust: ${why}. ` +
      "`rhone up --listen` prints the address.",
    { cause },
  );
