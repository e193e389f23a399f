import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { newApiKey } from "@rhone/common";
import { afterAll, beforeAll, describe, expect, it, test } from "vitest";
import { serve } from "../../../packages/client/src/testing/serve.js";
import { ClusterClaim } from "../cluster/cluster-record.js";
import { commandWriter, readCliConfig } from "../config.js";
import { createDataDir, dataDirAt } from "../data-dir.js";
import { freePort } from "../processes/ports.js";
import { startValkeyWasm } from "../redis/valkey-wasm.js";
import { recordedCluster } from "../testing/recorded-cluster.js";
import { runCommand } from "../testing/run-command.js";
import { temporaryFolder } from "../testing/temporary-folder.js";
import { formatKeys, keyObject, placeOfKeys } from "./keys.js";

const made = (requestsPerMinute: number | null, tokensPerMinute: number | null) =>
  newApiKey({ name: "team", requestsPerMinute, tokensPerMinute }, Date.UTC(2026, 10, 25, 9, 5));

test("keys are listed with their limits", () => {
  const { key } = made(60, null);
  const lines = formatKeys([key, made(0, 2000).key], commandWriter()).split("\n");
  expect(lines[0]).toMatch(/^ID +NAME +REQUESTS\/MIN +TOKENS\/MIN +CREATED \(UTC\)$/);
  expect(lines[1]).toMatch(new RegExp(`^${key.id} +team +60 +default +2026-11-25 09:05$`));
  expect(lines[2]).toMatch(/no limit +2000 /);
  expect(formatKeys([], (args) => `./rhone ${args}`)).toBe(
    "There are no keys. Create one with: ./rhone keys create NAME",
  );
});

test("nothing that is shown of a key tells its secret or its digest", () => {
  const { key, secret } = made(null, null);
  const shown = JSON.stringify(keyObject(key)) + formatKeys([key], commandWriter());
  expect(shown).not.toContain(secret.slice(22));
  expect(shown).not.toContain(key.digest);
});

async function context(redisUrl: string | undefined) {
  const home = await temporaryFolder();
  const dataDir = dataDirAt(home);
  await createDataDir(dataDir);
  return { dataDir, config: { ...readCliConfig(home), redisUrl } };
}

test("the Redis that is named goes before the running cluster's, that one before REDIS_URL", async () => {
  const here = await context("redis://variable");
  expect(await placeOfKeys(undefined, here)).toEqual({
    ...{ redisUrl: "redis://variable", files: {}, gateway: undefined, inMemory: false },
  });
  const about = { url: "http://127.0.0.1:1", model: "breeze", redisUrl: "unix:///own.sock", inMemory: true };
  const claim = await ClusterClaim.take(here.dataDir, about, async () => {});
  expect(await placeOfKeys(undefined, here)).toEqual({
    ...{ redisUrl: "unix:///own.sock", files: {}, gateway: about.url, inMemory: true },
  });
  expect(await placeOfKeys("redis://named", here)).toMatchObject({ redisUrl: "redis://named", gateway: undefined });
  await claim.release();
});

test("files for Redis are used with REDIS_URL, and with no other Redis", async () => {
  const { dataDir, config } = await context("rediss://variable");
  const here = { dataDir, config: { ...config, redisCa: "/ca.pem" } };
  expect((await placeOfKeys(undefined, here)).files).toEqual({ redisCa: "/ca.pem" });
  expect((await placeOfKeys("redis://named", here)).files).toEqual({});
});

test("without any there is no cluster", async () => {
  await expect(placeOfKeys(undefined, await context(undefined))).rejects.toMatchObject({ code: "NOT_RUNNING" });
});

test("a machine that has joined a cluster does not make its keys", async () => {
  const here = await context(undefined);
  const about = { url: "http://127.0.0.1:1", model: "", joined: "10.0.0.1:7100" };
  const claim = await ClusterClaim.take(here.dataDir, about, async () => {});
  const message = expect.stringMatching(/joined the cluster at 10\.0\.0\.1:7100.*machine that made/);
  await expect(placeOfKeys(undefined, here)).rejects.toMatchObject({ code: "INVALID_CONFIG", message });
  await claim.release();
});

describe("rhone keys, with a Redis", () => {
  let redisUrl = "";
  let stop = async () => {};
  beforeAll(async () => {
    const port = await freePort();
    stop = await startValkeyWasm({ host: "127.0.0.1", port }, () => {});
    redisUrl = `redis://127.0.0.1:${port}`;
  });
  afterAll(() => stop());

  const keys = (...args: readonly string[]) => runCommand("keys", ...args, "--redis-url", redisUrl);

  it("creates a key, lists it without its secret and revokes it", async () => {
    const { stdout: secret, stderr } = await keys("create", "team", "--rpm", "60");
    expect(secret).toMatch(/^rhone_sk_\S+\n$/);
    const [, id = ""] = /^Key (\S+) for team\./.exec(stderr) ?? [];
    const listed = JSON.parse((await keys("list", "--json")).stdout);
    expect(listed).toMatchObject([{ id, name: "team", requests_per_minute: 60, tokens_per_minute: null }]);
    expect((await keys("revoke", id)).stdout).toBe(`revoked ${id} of team\n`);
    expect((await keys("list")).stdout).toBe(
      `There are no keys. Create one with: ${commandWriter()("keys create NAME")}\n`,
    );
  });

  it("revokes all keys of a name", async () => {
    const first = JSON.parse((await keys("create", "pair", "--json")).stdout) as { id: string; secret: string };
    await keys("create", "pair");
    const revoked = JSON.parse((await keys("revoke", "pair", "--json")).stdout) as readonly { id: string }[];
    expect(revoked).toHaveLength(2);
    expect(revoked.map(({ id }) => id)).toContain(first.id);
    expect(first.secret).toContain(first.id);
  });

  it("takes a secret from a file, and tells it nowhere", async () => {
    const { key, secret } = made(null, null);
    const file = join(await temporaryFolder(), "key");
    await writeFile(file, `${secret}\n`);
    const { stdout, stderr } = await keys("create", "shared", "--secret-file", file);
    expect([stdout, stderr]).toEqual(["", `Key ${key.id} for shared, with the secret of ${file}.\n`]);
    expect((await keys("list")).stdout).toMatch(new RegExp(`${key.id} +shared `));
    await writeFile(file, "sk-123");
    const { error } = await keys("create", "shared", "--secret-file", file);
    const message = expect.stringMatching(/key has 6 characters, which are no secret of an API key: it must be/);
    expect(error).toMatchObject({ code: "INVALID_CONFIG", message });
    await keys("revoke", "shared");
  });

  it("refuses a key that there is not", async () => {
    const { error } = await keys("revoke", "nobody");
    const message = `There is no key nobody; \`${commandWriter()("keys list")}\` shows all.`;
    expect(error).toMatchObject({ code: "NOT_FOUND", message });
  });

  describe("of a running cluster", () => {
    async function onGateway(statusCode: number, args: readonly string[], inMemory = false) {
      const { url } = await serve((_, response) => {
        response.statusCode = statusCode;
        response.end("{}");
      });
      const { root } = await recordedCluster({ url, redisUrl, inMemory });
      return { url, ...(await runCommand("keys", ...args, "--data-dir", root)) };
    }

    it.each([
      ["create", ["create", "open", "--json"]],
      ["revoke", ["revoke", "open"]],
    ])("%s says that the gateway answers without a key, and how to change that", async (_, args) => {
      const { url, stderr, error } = await onGateway(200, args);
      expect(error).toBeUndefined();
      expect(stderr).toBe(
        `The gateway at ${url} answers requests without a key. ` +
          "To make it ask for one, start the cluster with --auth keys or RHONE_AUTH=keys.\n",
      );
    });

    it("create says that a key ends with a cluster whose Redis keeps nothing", async () => {
      const { stderr } = await onGateway(200, ["create", "open"], true);
      expect(stderr).toMatch(/--auth keys .*Then create the key again: this cluster's Redis is in memory only/);
    });

    it("create says nothing of the kind where the gateway asks for keys", async () => {
      const { stderr } = await onGateway(401, ["create", "closed"]);
      expect(stderr).toMatch(/^Key \S+ for closed\. Keep its secret; it is not shown again:\n$/);
    });
  });
});
