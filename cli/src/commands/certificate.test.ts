import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { runCommand } from "../testing/run-command.js";
import { temporaryFolder } from "../testing/temporary-folder.js";

/** The authority of a data directory, which `rhone token create` makes. */
async function authority() {
  const root = await temporaryFolder();
  await runCommand("token", "create", "--data-dir", root);
  return { root, ca: join(root, "authority", "ca.pem"), key: join(root, "authority", "ca-key.pem") };
}

it("writes a certificate that a process can be given", async () => {
  const { root, ca, key } = await authority();
  const out = join(root, "out");
  const owner = ["--as", "redis", "--name", "redis-0", "--host", "redis", "10.0.0.9", "--life", "2h"];
  const { stdout, error } = await runCommand("certificate", "--ca", ca, "--ca-key", key, "--out", out, ...owner);
  expect(error).toBeUndefined();
  expect(stdout).toBe(`${join(out, "tls.crt")}: redis redis-0, valid for 2 h\n`);
  const certificate = new X509Certificate(readFileSync(join(out, "tls.crt")));
  expect(certificate.subjectAltName).toMatch(
    /^URI:spiffe:\/\/rhone-[0-9a-f]{16}\/redis\/redis-0, DNS:redis, IP Address:10\.0\.0\.9$/,
  );
  expect(readFileSync(join(out, "ca.crt"), "utf8")).toBe(readFileSync(ca, "utf8"));
});

it("names the authority that it can't use", async () => {
  const { root, ca } = await authority();
  const files = ["--ca", ca, "--ca-key", ca, "--out", root];
  const { error } = await runCommand("certificate", ...files, "--as", "worker", "--name", "b-1");
  expect(error).toMatchObject({ code: "INVALID_CONFIG", message: expect.stringMatching(/ca\.pem can't be used/) });
});
