import { randomBytes } from "node:crypto";
import { RhoneError } from "@rhone/common";

/** What a token says to the machine that joins by it. */
export interface JoinToken {
  /** Of the cluster's CA: see `authorityHash`. The joiner sends nothing secret to a server of another CA. */
  readonly authority: string;
  readonly id: string;
  readonly secret: string;
}

/** "rhone1", the hash of the CA, the id and the secret, joined by dots. */
export function formatToken({ authority, id, secret }: JoinToken): string {
  return `rhone1.${Buffer.from(authority, "hex").toString("base64url")}.${id}.${secret}`;
}

export const TOKEN_ID = /^[0-9a-f]{8}$/;
const SHAPE = /^rhone1\.([\w-]{43})\.([0-9a-f]{8})\.([\w-]{43})$/;

/** Throws TOKEN_UNKNOWN for a text that is no token: it is not repeated, as it may hold a secret. */
export function parseToken(text: string): JoinToken {
  const [, hash, id, secret] = SHAPE.exec(text.trim()) ?? [];
  if (hash !== undefined && id !== undefined && secret !== undefined) {
    return { authority: Buffer.from(hash, "base64url").toString("hex"), id, secret };
  }
  throw new RhoneError(
    "TOKEN_UNKNOWN",
    `The text of ${text.length} characters is no token. A token begins with "rhone1." and has 103 characters; ` +
      "copy the whole of it.",
  );
}

/** 32 random bits that name a token, and 256 that prove it. */
export const newTokenId = (): string => randomBytes(4).toString("hex");
export const newSecret = (): string => randomBytes(32).toString("base64url");
