import { writeFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { freshDataDir, recordedCluster } from "../testing/recorded-cluster.js";
import { runningCluster, urlOfCluster } from "./find-cluster.js";

describe("a data directory with a running cluster", () => {
  it("has its record and its URL", async () => {
    const dataDir = await recordedCluster({ url: "http://127.0.0.1:8080", model: "m8" });
    expect(await runningCluster(dataDir)).toMatchObject({ model: "m8", state: "ready" });
    expect(await urlOfCluster(dataDir)).toBe("http://127.0.0.1:8080");
  });
});

describe("a data directory without one", () => {
  it("says so", async () => {
    const dataDir = await freshDataDir();
    const message = `No cluster is running in ${dataDir.root}.`;
    await expect(urlOfCluster(dataDir)).rejects.toMatchObject({ code: "NOT_RUNNING", message });
  });

  it("says that the last one's supervisor was killed", async () => {
    const dataDir = await recordedCluster({ supervisor: { name: "supervisor", pid: 4711, startedAt: "long ago" } });
    await expect(urlOfCluster(dataDir)).rejects.toMatchObject({
      code: "NOT_RUNNING",
      message: expect.stringMatching(/ended with its supervisor \(process 4711\), which was killed or crashed\.$/),
    });
  });

  it("says why the last one failed, and when", async () => {
    const dataDir = await freshDataDir();
    const failure = { code: "OUT_OF_MEMORY", message: "9 GB are needed.", at: "2026-11-25T19:00:00.000Z" };
    await writeFile(dataDir.failureFile, JSON.stringify(failure));
    await expect(urlOfCluster(dataDir)).rejects.toMatchObject({
      code: "NOT_RUNNING",
      message: expect.stringMatching(
        /The last one failed at 2026-11-25T19:00.* with OUT_OF_MEMORY: 9 GB are needed\.$/,
      ),
    });
  });

  it.each(["", "{", '{"code":1}'])("passes over a note of failure that can't be read: %s", async (content) => {
    const dataDir = await freshDataDir();
    await writeFile(dataDir.failureFile, content);
    await expect(urlOfCluster(dataDir)).rejects.toMatchObject({ message: expect.stringMatching(/running in \S+\.$/) });
  });
});
