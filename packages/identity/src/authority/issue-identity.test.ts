import "reflect-metadata"; // for the library below
import { createPrivateKey, webcrypto, X509Certificate } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { BasicConstraintsExtension, SubjectKeyIdentifierExtension, X509CertificateGenerator } from "@peculiar/x509";
import { expect, it } from "vitest";
import { newAuthorityCredential, newKey, publicKeyOf } from "../certificates.js";
import { readIdentity } from "../identity-files.js";
import { authorityHash, clusterOf, urisOf } from "../member-name.js";
import { HOUR_MS, temporaryFolder } from "../testing/small-cluster.js";
import { certificateFiles, issueIdentity, readAuthority } from "./issue-identity.js";

const P256 = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;

/** The files of a CA. */
async function authorityIn(folder: string) {
  const { certificate, key } = await newAuthorityCredential(Date.now(), 100 * HOUR_MS);
  const [ca, caKey] = [join(folder, "authority.crt"), join(folder, "authority.key")];
  await Promise.all([writeFile(ca, certificate), writeFile(caKey, key)]);
  return { ca, caKey };
}

const order = { role: "worker", name: "rhone-p0-worker-1", hosts: ["10.0.0.7"], nowMs: Date.now(), lifeMs: HOUR_MS };

it("issues by a CA's files, and renews with the same key", async () => {
  const folder = await temporaryFolder();
  const { ca, caKey } = await authorityIn(folder);
  const authority = await readAuthority(ca, caKey);
  const files = certificateFiles(join(folder, "identity"));
  await issueIdentity(authority, files, order);
  const first = await readIdentity(files);
  await issueIdentity(authority, files, { ...order, nowMs: order.nowMs + 60_000 });
  const second = await readIdentity(files);
  expect(second?.key).toBe(first?.key);
  expect(second?.validUntilMs).toBe((first?.validUntilMs ?? 0) + 60_000);
  const certificate = new X509Certificate(second?.certificate ?? "");
  expect(urisOf(certificate)).toEqual([
    `spiffe://rhone-${clusterOf(authorityHash(authority.certificate))}/worker/rhone-p0-worker-1`,
  ]);
  expect(certificate.checkIssued(new X509Certificate(authority.certificate))).toBe(true);
  expect(certificate.checkIP("10.0.0.7")).toBe("10.0.0.7");
});

it("issues by a CA of another tool, which calls its key otherwise", async () => {
  const folder = await temporaryFolder();
  const [ca, caKey] = [join(folder, "authority.crt"), join(folder, "authority.key")];
  const key = newKey();
  const name = "CN=another";
  const [signing, verifying] = await Promise.all([
    webcrypto.subtle.importKey("pkcs8", createPrivateKey(key).export({ type: "pkcs8", format: "der" }), P256, false, [
      "sign",
    ]),
    webcrypto.subtle.importKey("spki", publicKeyOf(key), P256, true, ["verify"]),
  ]);
  const certificate = await X509CertificateGenerator.createSelfSigned(
    {
      ...{ name, keys: { privateKey: signing, publicKey: verifying }, signingAlgorithm: P256 },
      extensions: [new BasicConstraintsExtension(true, 0, true), new SubjectKeyIdentifierExtension("0123456789abcdef")],
    },
    webcrypto,
  );
  await Promise.all([writeFile(ca, certificate.toString("pem")), writeFile(caKey, key)]);
  const files = certificateFiles(join(folder, "identity"));
  await issueIdentity(await readAuthority(ca, caKey), files, order);
  const leaf = new X509Certificate((await readIdentity(files))?.certificate ?? "");
  expect(leaf.checkIssued(new X509Certificate(await readFile(ca)))).toBe(true);
});

it("refuses a name that members can't have", async () => {
  const folder = await temporaryFolder();
  const { ca, caKey } = await authorityIn(folder);
  const authority = await readAuthority(ca, caKey);
  const issued = issueIdentity(authority, certificateFiles(folder), { ...order, name: "A/b" });
  await expect(issued).rejects.toThrow(/The name "A\/b" must have 1 to 63 lower-case letters/);
});

it("refuses another CA's key, and files that are none", async () => {
  const [one, two] = [await authorityIn(await temporaryFolder()), await authorityIn(await temporaryFolder())];
  await expect(readAuthority(one.ca, two.caKey)).rejects.toThrow(
    /can't be used: the key does not belong to the certificate\.$/,
  );
  await expect(readAuthority(one.ca, one.ca)).rejects.toThrow(/can't be used/);
  await expect(readAuthority(one.caKey, one.caKey)).rejects.toThrow(/can't be used/);
  await expect(readAuthority(one.ca, `${one.caKey}x`)).rejects.toThrow(/can't be used: ENOENT/);
  expect((await readFile(one.ca, "utf8")).length).toBeGreaterThan(100);
});
