import { existsSync } from "node:fs";
import { expect, test } from "vitest";
import { type FakePlan, fakeServices, journalIn } from "../cluster/testing/fake-cluster.js";
import { readCliConfig } from "../config.js";
import { temporaryFolder } from "../testing/temporary-folder.js";
import { withSpawnedCluster } from "./spawned-cluster.js";

async function spawn<T>(plan: FakePlan, body: (url: string) => Promise<T>, stop = new AbortController()) {
  const home = await temporaryFolder();
  const { entryPoints, bin } = await fakeServices(plan);
  const progress: string[] = [];
  const done = withSpawnedCluster(
    {
      options: { dataDir: home, model: "breeze", host: "127.0.0.1", port: 0, kvType: "f16" },
      config: { ...readCliConfig(home), redisUrl: undefined, searchPath: "" },
      entryPoints,
      signals: { stop: stop.signal, kill: new AbortController().signal },
      onProgress: (text) => progress.push(text),
    },
    body,
  );
  return { done, progress, journal: () => journalIn(bin) };
}

test("the body gets the URL of a cluster that is ready, and the cluster is stopped after it", async () => {
  let seen = "";
  const { done, progress, journal } = await spawn({}, async (url) => {
    seen = url;
    return (await fetch(`${url}/status`)).status;
  });
  expect(await done).toBe(200);
  expect(progress.map((line) => line.split(":")[0])).toEqual([
    ...["model", "redis", "coordinator", "workers", "weights", "probe", "gateway"],
  ]);
  expect((await journal()).filter((line) => line.startsWith("stopped"))).toHaveLength(5);
  await expect(fetch(seen)).rejects.toThrow();
});

test("the body's error is thrown, and the cluster is stopped", async () => {
  const { done, journal } = await spawn({}, () => Promise.reject(new Error("void")));
  await expect(done).rejects.toThrow("void");
  expect((await journal()).filter((line) => line.startsWith("stopped"))).toHaveLength(5);
});

test("a cluster that fails ends it with the cluster's error, without the body", async () => {
  let ran = false;
  const { done } = await spawn({ fatal: "coordinator" }, async () => {
    ran = true;
  });
  await expect(done).rejects.toMatchObject({ code: "DEVICE_NOT_FOUND" });
  expect(ran).toBe(false);
});

test("a stop during the measurement is no result", async () => {
  const stop = new AbortController();
  const { done } = await spawn({}, () => new Promise(() => stop.abort()), stop);
  await expect(done).rejects.toMatchObject({
    code: "CANCELLED",
    message: "The cluster was stopped during the measurement.",
  });
});

test("nothing of it is left on disk", async () => {
  const { readdir } = await import("node:fs/promises");
  const { tmpdir } = await import("node:os");
  const folders = async () => (await readdir(tmpdir())).filter((name) => name.startsWith("rhone-bench-"));
  const before = new Set(await folders());
  let during: readonly string[] = [];
  const { done } = await spawn({}, async () => {
    during = (await folders()).filter((name) => !before.has(name));
  });
  await done;
  expect(during.length).toBeGreaterThan(0);
  expect(during.filter((name) => existsSync(`${tmpdir()}/${name}/run`))).toEqual([]);
});
