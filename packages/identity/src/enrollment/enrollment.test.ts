import { X509Certificate } from "node:crypto";
import { rm, stat } from "node:fs/promises";
import { createServer, request as httpsRequest, type ServerOptions } from "node:https";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { identityFiles, readIdentity } from "../identity-files.js";
import { authorityHash, urisOf } from "../member-name.js";
import { HOUR_MS, newMachine, PLACES, temporaryFolder, testAuthority, testCluster } from "../testing/small-cluster.js";
import { askForProbe, enroll, renew } from "./enrollment-client.js";

const named = (code: string, message: RegExp) =>
  expect.objectContaining({ code, message: expect.stringMatching(message) });

/** A server that answers every GET with this CA, and records what else it is sent. */
async function impostor(credential: ServerOptions, ca: string) {
  const received: string[] = [];
  const server = createServer(credential, (request, response) => {
    if (request.method === "POST") received.push(request.url ?? "");
    request.on("data", (chunk: Buffer) => received.push(chunk.toString()));
    request.on("end", () => response.end(JSON.stringify({ ca })));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, received };
}

describe("probing", () => {
  it("a coordinator learns whether others reach it; other members are not connected to", async () => {
    const { address, newToken } = await testCluster();
    const [coordinator, worker] = [
      await newMachine(address, "c-1", "coordinator"),
      await newMachine(address, "b-1", "worker"),
    ];
    await enroll(coordinator, (await newToken({ role: "coordinator" })).text);
    await enroll(worker, (await newToken()).text);
    expect(await askForProbe(coordinator, "10.0.0.2:7110")).toBeNull();
    expect(await askForProbe(coordinator, "10.0.0.3:7110")).toBe("10.0.0.3:7110 is out of reach");
    const refused = askForProbe(worker, "10.0.0.2:7110");
    await expect(refused).rejects.toEqual(named("CERTIFICATE_REFUSED", /b-1 is a worker/));
    await expect(askForProbe(coordinator, "nonsense")).rejects.toEqual(
      named("INVALID_REQUEST", /address must be host:port/),
    );
  });
});

describe("joining", () => {
  it("gets a certificate for a key that never leaves the machine, and the places of the cluster", async () => {
    const { address, authority, newToken } = await testCluster();
    const machine = await newMachine(address);
    const places = await enroll(machine, (await newToken()).text);
    expect(places).toEqual(PLACES);
    const identity = await readIdentity(machine.files);
    const certificate = new X509Certificate(identity?.certificate ?? "");
    expect(urisOf(certificate)).toEqual([`spiffe://rhone-${authority.cluster}/worker/b-1`]);
    expect(certificate.checkIP("127.0.0.1")).toBe("127.0.0.1");
    expect(authorityHash(identity?.ca ?? "")).toBe(authority.hash);
    for (const path of [machine.files.key, machine.files.cert]) expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await stat(machine.files.folder)).mode & 0o777).toBe(0o700);
  });

  it("sends nothing to a server of another cluster", async () => {
    const [mine, other] = [await testAuthority(), await testAuthority()];
    const { certificate: cert, key } = await other.authority.ownCredential([]);
    const { address, received } = await impostor({ cert, key }, other.authority.ca);
    const joined = enroll(await newMachine(address), (await mine.newToken()).text);
    await expect(joined).rejects.toEqual(named("AUTHORITY_MISMATCH", /another cluster .* Nothing secret was sent/));
    expect(received).toEqual([]);
  });

  it("sends nothing to a server that shows the CA but has no certificate of it", async () => {
    const [mine, other] = [await testAuthority(), await testAuthority()];
    const { certificate: cert, key } = await other.authority.ownCredential([]);
    const { address, received } = await impostor({ cert, key }, mine.authority.ca);
    const joined = enroll(await newMachine(address), (await mine.newToken()).text);
    await expect(joined).rejects.toEqual(named("UNREACHABLE", /no cluster's enrollment server that .* may trust/));
    expect(received).toEqual([]);
  });

  it("sends nothing to a member of the cluster that plays its authority", async () => {
    const { authority, newToken } = await testAuthority();
    const files = identityFiles(await temporaryFolder(), "worker", "evil");
    await authority.issueHere(files, { role: "worker", name: "evil", hosts: ["127.0.0.1"] });
    const { certificate: cert = "", key = "" } = (await readIdentity(files)) ?? {};
    const { address, received } = await impostor({ cert, key }, authority.ca);
    const joined = enroll(await newMachine(address), (await newToken()).text);
    await expect(joined).rejects.toEqual(named("UNREACHABLE", /its certificate is not for spiffe:.*\/authority/));
    expect(received).toEqual([]);
  });

  it("is refused by name with a token that is used up, expired, revoked or forged, and writes no certificate", async () => {
    const { address, authority, newToken, clock } = await testCluster();
    const used = await newToken();
    await enroll(await newMachine(address, "a-1"), used.text);
    const revoked = await newToken();
    await authority.tokens.revoke(revoked.id);
    const short = await newToken({ ttlMs: 1000 });
    clock.nowMs += 1000;
    const fresh = await newToken();
    const forged = fresh.text.slice(0, -4) + (fresh.text.endsWith("AAAA") ? "BBBB" : "AAAA");
    const machine = await newMachine(address);
    for (const [text, code, message] of [
      [used.text, "TOKEN_USED_UP", /1 of 1 machines \(a-1\)/],
      [revoked.text, "TOKEN_REVOKED", /was revoked/],
      [short.text, "TOKEN_EXPIRED", /expired at/],
      [forged, "TOKEN_UNKNOWN", /not one of this cluster/],
    ] as const) {
      await expect(enroll(machine, text)).rejects.toEqual(named(code, message));
    }
    expect(await readIdentity(machine.files)).toBeNull();
    await enroll(machine, fresh.text);
  });

  it("is refused a role that the token does not give", async () => {
    const { address, newToken } = await testCluster();
    const joined = enroll(await newMachine(address, "b-1", "coordinator"), (await newToken()).text);
    await expect(joined).rejects.toEqual(named("CERTIFICATE_REFUSED", /admits a worker, .* for a coordinator/));
  });

  it("succeeds with a used token when the answer was lost", async () => {
    const { address, newToken } = await testCluster();
    const machine = await newMachine(address);
    const { text } = await newToken();
    await enroll(machine, text);
    await rm(machine.files.cert);
    await enroll(machine, text);
    expect(await readIdentity(machine.files)).not.toBeNull();
  });

  it("says which port of which host to open when nothing answers there", async () => {
    const { newToken } = await testAuthority();
    const closed = createTcpServer();
    await new Promise<void>((resolve) => closed.listen(0, "127.0.0.1", resolve));
    const { port } = closed.address() as AddressInfo;
    await new Promise<void>((resolve) => closed.close(() => resolve()));
    const joined = enroll(await newMachine(`127.0.0.1:${port}`), (await newToken()).text);
    const message = new RegExp(`127.0.0.1:${port} refused the connection.*TCP port ${port} of 127.0.0.1 is open`);
    await expect(joined).rejects.toEqual(named("UNREACHABLE", message));
  });
});

describe("renewing", () => {
  it("replaces the certificate, and needs no token", async () => {
    const { address, newToken } = await testCluster();
    const machine = await newMachine(address);
    await enroll(machine, (await newToken()).text);
    const before = await readIdentity(machine.files);
    expect(await renew(machine)).toEqual(PLACES);
    const after = await readIdentity(machine.files);
    expect(after?.certificate).not.toBe(before?.certificate);
    expect(after?.key).toBe(before?.key);
  });

  it("is refused without a certificate of this cluster's authority", async () => {
    const [mine, other] = [await testCluster(), await testCluster()];
    const stranger = await newMachine(other.address);
    await enroll(stranger, (await other.newToken()).text);
    const { certificate: cert = "", key = "" } = (await readIdentity(stranger.files)) ?? {};
    for (const credential of [{}, { cert, key }]) {
      const answer = await post(mine.address, "/v1/renew", "{}", credential);
      expect(answer).toMatchObject({ status: 403, body: { error: { code: "CERTIFICATE_REFUSED" } } });
    }
  });

  it("is refused to a machine that was removed from the members", async () => {
    const { address, newToken, folder } = await testCluster();
    const machine = await newMachine(address);
    await enroll(machine, (await newToken()).text);
    await rm(join(folder, "members", "worker-b-1.json"));
    await expect(renew(machine)).rejects.toEqual(named("CERTIFICATE_REFUSED", /no member any more/));
  });
});

describe("the enrollment server", () => {
  it.each([
    ["no JSON", "{", 400, "INVALID_JSON"],
    ["fields of another kind", '{"token":7}', 400, "INVALID_REQUEST"],
    ["a long body", JSON.stringify({ token: "a".repeat(20_000) }), 413, "BODY_TOO_LARGE"],
    ["a long field", JSON.stringify({ token: "a".repeat(17) }), 400, "INVALID_REQUEST"],
  ])("refuses %s by name", async (_, body, status, code) => {
    const { address } = await testCluster();
    expect(await post(address, "/v1/enroll", body)).toMatchObject({ status, body: { error: { code } } });
  });

  it("knows no other paths, and tells the CA alone to strangers", async () => {
    const { address, authority, newToken } = await testCluster();
    await newToken({ ttlMs: HOUR_MS });
    expect(await post(address, "/v1/cluster", "")).toMatchObject({ status: 404 });
    expect(await post(address, "/v1/cluster", null)).toEqual({ status: 200, body: { ca: authority.ca } });
  });
});

/** Asks as a stranger, who trusts anybody. `body` null: a GET. */
function post(address: string, path: string, body: string | null, credential: object = {}) {
  const [host, port] = address.split(":");
  return new Promise<{ status: number; body: unknown }>((resolve, reject) => {
    const asked = httpsRequest(
      {
        host,
        port,
        path,
        method: body === null ? "GET" : "POST",
        rejectUnauthorized: false,
        agent: false,
        ...credential,
      },
      (response) => {
        let text = "";
        response.on("data", (chunk: Buffer) => {
          text += chunk.toString();
        });
        response.on("end", () => resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) }));
      },
    );
    asked.once("error", reject);
    asked.end(body ?? undefined);
  });
}
