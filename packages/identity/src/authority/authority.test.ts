import "reflect-metadata"; // for the library below
import { webcrypto, X509Certificate } from "node:crypto";
import { readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { Pkcs10CertificateRequestGenerator, SubjectAlternativeNameExtension } from "@peculiar/x509";
import { describe, expect, it } from "vitest";
import { keyHash, newKey, newRequest, publicKeyOf } from "../certificates.js";
import { identityFiles, readIdentity } from "../identity-files.js";
import { uriOf, urisOf } from "../member-name.js";
import { HOUR_MS, temporaryFolder, testAuthority } from "../testing/small-cluster.js";
import { Authority, LEAF_LIFE_MS } from "./authority.js";

const named = (code: string, message: RegExp) =>
  expect.objectContaining({ code, message: expect.stringMatching(message) });

describe("Authority", () => {
  it("makes one CA, which several processes open, in files for their owner alone", async () => {
    const folder = join(await temporaryFolder(), "authority");
    const [one, two] = await Promise.all([Authority.open(folder), Authority.open(folder)]);
    const again = await Authority.open(folder);
    expect([two.hash, again.hash]).toEqual([one.hash, one.hash]);
    expect(await readFile(join(folder, "ca.pem"), "utf8")).toBe(one.ca);
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
    for (const file of ["ca.pem", "ca-key.pem"]) expect((await stat(join(folder, file))).mode & 0o777).toBe(0o600);
    expect(new X509Certificate(one.ca).ca).toBe(true);
  });

  it("issues a certificate for one URI, valid for 30 days and for servers and clients", async () => {
    const { authority, newToken, requestFor, clock } = await testAuthority();
    const { id, secret } = await newToken();
    const request = await requestFor("worker", "b-1");
    const pem = await authority.enroll({
      token: id,
      secret,
      role: "worker",
      name: "b-1",
      request,
      hosts: ["10.0.0.2"],
    });
    const certificate = new X509Certificate(pem);
    expect(certificate.verify(new X509Certificate(authority.ca).publicKey)).toBe(true);
    expect(certificate.checkIssued(new X509Certificate(authority.ca))).toBe(true);
    expect(certificate.ca).toBe(false);
    expect(urisOf(certificate)).toEqual([`spiffe://rhone-${authority.cluster}/worker/b-1`]);
    expect(certificate.checkIP("10.0.0.2")).toBe("10.0.0.2");
    expect(certificate.keyUsage).toEqual(["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"]);
    expect(Date.parse(certificate.validTo) - clock.nowMs).toBeGreaterThan(LEAF_LIFE_MS - 2000);
    expect(Date.parse(certificate.validFrom)).toBeLessThan(clock.nowMs - HOUR_MS + 2000);
  });

  it("issues a certificate for a link-local address, as the server sees it", async () => {
    const { authority } = await testAuthority();
    const files = identityFiles(await temporaryFolder(), "worker", "a");
    await authority.issueHere(files, { role: "worker", name: "a", hosts: ["fe80::1%eth0"] });
    const { certificate = "" } = (await readIdentity(files)) ?? {};
    expect(new X509Certificate(certificate).checkIP("fe80::1")).toBe("fe80::1");
  });

  it.each([
    ["another role", "coordinator", "b-1", /names "spiffe:.*coordinator\/b-1"; it must name .*worker\/b-1/],
    ["another name", "worker", "a-1", /names ".*worker\/a-1"; it must name .*worker\/b-1/],
  ])("refuses a request for %s than it was asked for", async (_, role, name, message) => {
    const { authority, newToken, requestFor } = await testAuthority();
    const { id, secret } = await newToken();
    const request = await requestFor(role, name);
    const asked = authority.enroll({ token: id, secret, role: "worker", name: "b-1", request, hosts: [] });
    await expect(asked).rejects.toEqual(named("CERTIFICATE_REFUSED", message));
    expect(await authority.tokens.list()).toMatchObject([{ state: "valid" }]);
  });

  it("refuses a request for another cluster", async () => {
    const { authority, newToken, requestFor } = await testAuthority();
    const { id, secret } = await newToken();
    const request = await requestFor("worker", "b-1", "0123456789abcdef");
    const asked = authority.enroll({ token: id, secret, role: "worker", name: "b-1", request, hosts: [] });
    await expect(asked).rejects.toEqual(named("CERTIFICATE_REFUSED", /it must name spiffe:/));
  });

  it("refuses a request that its key did not sign, one for another kind of key, and no request", async () => {
    const { authority, newToken, requestFor } = await testAuthority();
    const { id, secret } = await newToken();
    const order = { token: id, secret, role: "worker", name: "b-1", hosts: [] } as const;
    const request = await requestFor("worker", "b-1");
    const lines = request.split("\n");
    const last = lines.length - 2; // of the signature
    const forged = lines.map((line, index) =>
      index === last ? line.replace(/^./, (c) => (c === "A" ? "B" : "A")) : line,
    );
    await expect(authority.enroll({ ...order, request: forged.join("\n") })).rejects.toEqual(
      named("CERTIFICATE_REFUSED", /not signed by the key|can't be read/),
    );
    await expect(authority.enroll({ ...order, request: "x".repeat(5000) })).rejects.toEqual(
      named("CERTIFICATE_REFUSED", /has 5000 characters/),
    );
    await expect(authority.enroll({ ...order, request: "no request" })).rejects.toEqual(
      named("CERTIFICATE_REFUSED", /can't be read as PKCS#10/),
    );
  });

  it.each(["../a", "B-1", "", "a/b", "-a", "a".repeat(64)])("refuses the name %j", async (name) => {
    const { authority, newToken, requestFor } = await testAuthority();
    const { id, secret } = await newToken();
    const request = await requestFor("worker", name);
    const asked = authority.enroll({ token: id, secret, role: "worker", name, request, hosts: [] });
    await expect(asked).rejects.toEqual(named("CERTIFICATE_REFUSED", /a name that members can't have/));
  });

  it("gives a name to one key, until its certificate has ended", async () => {
    const { authority, newToken, requestFor, clock } = await testAuthority();
    const { id, secret } = await newToken({ uses: 3, ttlMs: 2 * LEAF_LIFE_MS });
    const enroll = async () =>
      authority.enroll({
        token: id,
        secret,
        role: "worker",
        name: "b-1",
        request: await requestFor("worker", "b-1"),
        hosts: [],
      });
    await enroll();
    await expect(enroll()).rejects.toEqual(
      named("CERTIFICATE_REFUSED", /A worker named b-1 is a member with another key.*Choose another --name/),
    );
    clock.nowMs += LEAF_LIFE_MS;
    await expect(enroll()).resolves.toContain("BEGIN CERTIFICATE");
  });

  it("renews for a member's key, and for no other, nor for one whose record was removed", async () => {
    const { authority, folder, newToken } = await testAuthority();
    const { id, secret } = await newToken();
    const key = newKey();
    const uri = uriOf({ cluster: authority.cluster, role: "worker", name: "b-1" });
    const member = { role: "worker", name: "b-1", hosts: [] } as const;
    const request = await newRequest(key, uri);
    await authority.enroll({ ...member, token: id, secret, request });
    await expect(authority.renew({ ...member, request })).resolves.toContain("BEGIN CERTIFICATE");
    await expect(authority.renew({ ...member, request: await newRequest(newKey(), uri) })).rejects.toEqual(
      named("CERTIFICATE_REFUSED", /is a member with another key/),
    );
    await rm(join(folder, "members", "worker-b-1.json"));
    await expect(authority.renew({ ...member, request })).rejects.toEqual(
      named("CERTIFICATE_REFUSED", /is no member any more/),
    );
  });

  it("expels a member: no certificate any more for its key, and its name is free", async () => {
    const { authority, clock, newToken } = await testAuthority();
    const { id, secret } = await newToken({ uses: 9, ttlMs: 9 * LEAF_LIFE_MS });
    const uri = uriOf({ cluster: authority.cluster, role: "worker", name: "b-1" });
    const member = { role: "worker", name: "b-1", hosts: [] } as const;
    const key = newKey();
    const request = await newRequest(key, uri);
    const enroll = (asked: string) => authority.enroll({ ...member, token: id, secret, request: asked });
    await enroll(request);
    const sinceMs = clock.nowMs;
    clock.nowMs += HOUR_MS;
    await authority.renew({ ...member, request });
    expect(await authority.members.list()).toMatchObject([
      { name: "b-1", state: "valid", sinceMs, renewedAtMs: clock.nowMs, validUntilMs: clock.nowMs + LEAF_LIFE_MS },
    ]);
    expect(await authority.members.expel(member)).toMatchObject({ name: "b-1", state: "expelled" });
    expect(await authority.members.expel(member)).toBeNull();
    const refused = named("CERTIFICATE_REFUSED", /The worker b-1 was expelled .*rhone leave --forget/);
    await expect(authority.renew({ ...member, request })).rejects.toEqual(refused);
    await expect(enroll(request)).rejects.toEqual(refused);
    expect(await authority.members.revoked()).toEqual([keyHash(publicKeyOf(key))]);
    await enroll(await newRequest(newKey(), uri));
    expect((await authority.members.list()).map(({ state }) => state)).toEqual(["valid", "expelled"]);
    clock.nowMs += 2 * LEAF_LIFE_MS;
    expect(await authority.members.revoked()).toEqual([]);
    expect((await authority.members.list()).map(({ state }) => state)).toEqual(["expired"]);
  });

  it("issues identities for processes of its own machine, with the same key each time", async () => {
    const { authority } = await testAuthority();
    const files = identityFiles(await temporaryFolder(), "coordinator", "a");
    await authority.issueHere(files, { role: "coordinator", name: "a", hosts: [] });
    const first = await readIdentity(files);
    await authority.issueHere(files, { role: "coordinator", name: "a", hosts: [] });
    const second = await readIdentity(files);
    expect(second?.key).toBe(first?.key);
    expect(second?.certificate).not.toBe(first?.certificate);
    expect((await stat(files.key)).mode & 0o777).toBe(0o600);
  });

  it("refuses a request for a key of another kind", async () => {
    const { authority, newToken } = await testAuthority();
    const { id, secret } = await newToken();
    const algorithm = { name: "ECDSA", namedCurve: "P-384", hash: "SHA-384" };
    const keys = await webcrypto.subtle.generateKey(algorithm, false, ["sign", "verify"]);
    const uri = uriOf({ cluster: authority.cluster, role: "worker", name: "b" });
    const extensions = [new SubjectAlternativeNameExtension([{ type: "url", value: uri }])];
    const made = await Pkcs10CertificateRequestGenerator.create(
      { name: "CN=b", keys, signingAlgorithm: algorithm, extensions },
      webcrypto,
    );
    const request = made.toString("pem");
    const asked = authority.enroll({ token: id, secret, role: "worker", name: "b", request, hosts: [] });
    await expect(asked).rejects.toEqual(named("CERTIFICATE_REFUSED", /curve P-256/));
  });
});
