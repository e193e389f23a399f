import { existsSync } from "node:fs";
import { parseToken } from "@rhone/identity";
import { describe, expect, it } from "vitest";
import { recordedCluster } from "../testing/recorded-cluster.js";
import { runCommand } from "../testing/run-command.js";
import { temporaryFolder } from "../testing/temporary-folder.js";

async function setup() {
  const root = await temporaryFolder();
  const token = (...args: readonly string[]) => runCommand("token", ...args, "--data-dir", root);
  return { root, token };
}

describe("rhone token", () => {
  it("creates a token, and prints the command that joins by it alone on standard output", async () => {
    const { token, root } = await setup();
    const { stdout, stderr, error } = await token("create", "--ttl", "2h", "--uses", "3");
    expect(error).toBeUndefined();
    const [, text = ""] = /^rhone join HOST:7100 (rhone1\.\S+)\n$/.exec(stdout) ?? [];
    const { id, secret } = parseToken(text);
    expect(stderr).toContain(`Token ${id} admits 3 workers within 2h. It is not shown again.`);
    expect(stderr).toContain(`No cluster in ${root} admits machines now.`);
    const listed = await token("list");
    expect(listed.stdout).toMatch(new RegExp(`${id} +worker +valid +0 of 3`));
    expect(listed.stdout + (await token("list", "--json")).stdout).not.toContain(secret);
  });

  it("is valid for the time that its help names", async () => {
    const { token } = await setup();
    expect((await token("create", "--help")).stdout).toMatch(/\(default:\s+30m\)/);
    expect((await token("create")).stderr).toContain("admits 1 worker within 30m.");
  });

  it("admits gateways and coordinators, each by a token of its own", async () => {
    const { token } = await setup();
    const { stdout, stderr } = await token("create", "--as", "gateway");
    expect(stdout).toMatch(/^rhone join HOST:7100 rhone1\.\S+ --as gateway\n$/);
    expect(stderr).toMatch(/admits 1 gateway within/);
    expect((await token("list")).stdout).toMatch(/ gateway +valid /);
  });

  it("names the address of the running cluster", async () => {
    const { root } = await recordedCluster({ door: "10.0.0.1:7100" });
    const { stdout, stderr } = await runCommand("token", "create", "--data-dir", root);
    expect(stdout).toMatch(/^rhone join 10\.0\.0\.1:7100 rhone1\.\S+\n$/);
    expect(stderr).not.toContain("No cluster");
  });

  it("revokes a token, and says so when there is none of that id", async () => {
    const { token } = await setup();
    const { id } = JSON.parse((await token("create", "--json")).stdout);
    expect((await token("revoke", id)).stdout).toBe(`revoked ${id}\n`);
    expect(JSON.parse((await token("list", "--json")).stdout)).toMatchObject([{ id, state: "revoked", used_by: [] }]);
    expect((await token("revoke", "00000000")).error).toMatchObject({ code: "NOT_FOUND" });
    expect((await token("revoke", "../ca-key")).error).toMatchObject({ code: "NOT_FOUND" });
  });

  it("makes no authority where none is asked for", async () => {
    const { token, root } = await setup();
    expect((await token("list")).stdout).toContain("There are no tokens.");
    expect(existsSync(`${root}/authority`)).toBe(false);
  });

  it.each([
    ["--ttl", "soon"],
    ["--uses", "0"],
  ])("refuses %s %s", async (flag, value) => {
    const { token } = await setup();
    expect((await token("create", flag, value)).error).toMatchObject({ code: "commander.invalidArgument" });
  });
});
