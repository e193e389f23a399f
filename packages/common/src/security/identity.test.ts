import { copyFileSync, rmSync, writeFileSync } from "node:fs";
import { expect, onTestFinished, test, vi } from "vitest";
import { TestAuthority, type TestLeaf } from "../testing/test-authority.js";
import { Identity } from "./identity.js";

const LEAF: TestLeaf = { role: "worker", name: "b" };

function openIdentity(leaf: TestLeaf = LEAF) {
  const authority = new TestAuthority();
  onTestFinished(() => authority.close());
  const { tlsCa: ca = "", tlsCert: cert = "", tlsKey: key = "" } = authority.issue(leaf);
  const files = { ca, cert, key };
  const onStale = vi.fn();
  const open = (): Identity => {
    const identity = Identity.open(files, onStale);
    onTestFinished(() => identity.close());
    return identity;
  };
  return { authority, files, onStale, open };
}

test("says who it is", () => {
  const { open, authority } = openIdentity();
  expect(open().self).toEqual({ cluster: authority.cluster, role: "worker", name: "b" });
});

test("files that are replaced are in use from then on", async () => {
  const { open, authority, onStale } = openIdentity();
  const identity = open();
  const before = identity.context.cert;
  const changed = vi.fn();
  identity.onChange(changed);
  await identity.look();
  expect(changed).not.toHaveBeenCalled();
  authority.issue(LEAF);
  await identity.look();
  expect(changed).toHaveBeenCalledOnce();
  expect(identity.context.cert).not.toEqual(before);
  expect(onStale).not.toHaveBeenCalled();
});

test.each<[string, (made: ReturnType<typeof openIdentity>) => void, RegExp]>([
  ["a key that is gone", ({ files }) => rmSync(files.key), /key\.pem can't be read: ENOENT/],
  ["half a certificate", ({ files }) => writeFileSync(files.cert, "-----BEGIN"), /cert\.pem is not a PEM file/],
  ["an expired certificate", ({ authority }) => authority.issue({ ...LEAF, days: -1 }), /cert\.pem expired on/],
  [
    "a key of another certificate",
    ({ authority, files }) => copyFileSync(authority.issue({ ...LEAF, name: "c" }).tlsKey ?? "", files.key),
    /key\.pem is not the key of/,
  ],
])("%s is refused at the start, and later told once and not used", async (_what, spoil, problem) => {
  const made = openIdentity();
  const identity = made.open();
  const before = identity.context;
  spoil(made);
  await identity.look();
  await identity.look();
  expect(made.onStale.mock.calls).toEqual([[expect.objectContaining({ message: expect.stringMatching(problem) })]]);
  expect(identity.context).toEqual(before);
  expect(made.open).toThrow(problem);
});

test("a certificate of another process is not used before a restart", async () => {
  const { open, authority, files, onStale } = openIdentity();
  const identity = open();
  const other = authority.issue({ ...LEAF, role: "coordinator" });
  copyFileSync(other.tlsKey ?? "", files.key);
  copyFileSync(other.tlsCert ?? "", files.cert);
  await identity.look();
  expect(onStale.mock.calls[0]?.[0].message).toMatch(/is of spiffe:\/\/\S+\/coordinator\/b; this process is/);
});
