import { createHash, X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished, vi } from "vitest";
import { TestAuthority } from "../testing/test-authority.js";
import { RevokedKeys } from "./revoked-keys.js";

function setup(text: string) {
  const folder = mkdtempSync(join(tmpdir(), "rhone-revoked-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "revoked");
  const write = (changed: string) => writeFileSync(path, changed);
  write(text);
  const told = vi.fn();
  const revoked = RevokedKeys.open(path, told);
  onTestFinished(() => revoked.close());
  return { path, write, revoked, told };
}

/** A certificate as Node has it of a peer, and the hash of its key. */
function leaf(name: string) {
  const authority = new TestAuthority();
  onTestFinished(() => authority.close());
  const { tlsCert = "" } = authority.issue({ role: "worker", name });
  const { raw, publicKey } = new X509Certificate(readFileSync(tlsCert));
  const hash = createHash("sha256")
    .update(publicKey.export({ type: "spki", format: "der" }))
    .digest("hex");
  return { peer: { raw }, hash };
}

it("has the keys of its file, whatever their certificates say, and those that are added later", async () => {
  const [one, other] = [leaf("b"), leaf("b")];
  const { revoked, write } = setup(`${one.hash}\n`);
  expect([one, other].map(({ peer }) => revoked.has(peer))).toEqual([true, false]);
  expect(revoked.has(undefined)).toBe(false);
  const changed = vi.fn();
  const unwatch = revoked.onChange(changed);
  write(`${one.hash}\n${other.hash}\n`);
  await revoked.look();
  await revoked.look();
  expect(revoked.has(other.peer)).toBe(true);
  expect(changed).toHaveBeenCalledTimes(1);
  unwatch();
  write("");
  await revoked.look();
  expect(revoked.has(one.peer)).toBe(false);
  expect(changed).toHaveBeenCalledTimes(1);
});

it("a file that can't be read changes nothing, and is told once", async () => {
  const { peer, hash } = leaf("b");
  const { path, revoked, write, told } = setup(`${hash}\n`);
  write(`${hash}\nnonsense\n`);
  await revoked.look();
  await revoked.look();
  const message = `Line 2 of ${path} is no key: it must be 64 hexadecimal digits, the SHA-256 of a public key.`;
  expect(told.mock.calls).toEqual([[expect.objectContaining({ message })]]);
  rmSync(path);
  await revoked.look();
  expect(told).toHaveBeenLastCalledWith(expect.objectContaining({ message: expect.stringContaining("ENOENT") }));
  expect(revoked.has(peer)).toBe(true);
});

it("a process does not start with a file that is not there, or has something else in it", () => {
  const refused = expect.objectContaining({ code: "INVALID_CONFIG" });
  expect(() => RevokedKeys.open("/nowhere/revoked", vi.fn())).toThrow(refused);
  expect(() => setup("-----BEGIN CERTIFICATE-----")).toThrow(refused);
});
