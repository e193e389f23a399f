import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLogger, type Places } from "@rhone/common";
import { onTestFinished } from "vitest";
import { Authority } from "../authority/authority.js";
import { newKey, newRequest } from "../certificates.js";
import { EnrollmentServer } from "../enrollment/enrollment-server.js";
import { identityFiles } from "../identity-files.js";
import { formatToken } from "../join-token.js";
import { type MemberRole, uriOf } from "../member-name.js";

export const HOUR_MS = 3_600_000;
export const silent = createLogger({ service: "test", level: "silent" });

export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "rhone-identity-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** An authority of its own, whose clock the test moves. */
export async function testAuthority() {
  const clock = { nowMs: Date.now() };
  const folder = await temporaryFolder();
  const authority = await Authority.open(folder, () => clock.nowMs);
  /** A token that can be pasted. */
  const newToken = async (order: { role?: MemberRole; uses?: number; ttlMs?: number } = {}) => {
    const { role = "worker", uses = 1, ttlMs = HOUR_MS } = order;
    const { token, secret } = await authority.tokens.create({ role, uses, ttlMs });
    return { ...token, secret, text: formatToken({ authority: authority.hash, id: token.id, secret }) };
  };
  /** A request for a certificate of a new key. */
  const requestFor = (role: string, name: string, cluster = authority.cluster) =>
    newRequest(newKey(), uriOf({ cluster, role, name }));
  return { authority, folder, clock, newToken, requestFor };
}

export const PLACES: Places = {
  pipelines: [{ model: "m", coordinator: "10.0.0.1:7110", workers: 1 }],
  hasTemplateFile: false,
};

/** An authority with its enrollment server. */
export async function testCluster(places: Places = PLACES) {
  const made = await testAuthority();
  const { authority } = made;
  const server = await EnrollmentServer.open({
    authority,
    host: "127.0.0.1",
    port: 0,
    places: async () => places,
    probe: async (address) => (address === "10.0.0.2:7110" ? null : `${address} is out of reach`),
    logger: silent,
  });
  onTestFinished(() => server.close());
  return { ...made, address: `127.0.0.1:${server.port}` };
}

/** A machine that is no member yet. */
export async function newMachine(address: string, name = "b-1", role: MemberRole = "worker") {
  return { address, role, name, files: identityFiles(await temporaryFolder(), role, name) };
}
