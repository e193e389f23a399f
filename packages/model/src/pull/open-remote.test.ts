import { describe, expect, test } from "vitest";
import { type Answer, serve, startFileServer, status } from "../testing/file-server.js";
import { openRemote } from "./open-remote.js";

const content = Buffer.from("0123456789");
const SHA = "a".repeat(64);

async function ask(answers: readonly Answer[], { start = 0, token }: { start?: number; token?: string } = {}) {
  const server = await startFileServer(answers);
  const remote = await openRemote(`${server.url}/file`, { start, token, signal: new AbortController().signal });
  const body = remote.body === null ? "" : await new Response(remote.body).text();
  return { remote, body, server };
}

/** An answer with headers alone. */
const headers = (code: number, values: Record<string, string>): Answer => status(code, values);

describe("openRemote", () => {
  test("asks for the whole file", async () => {
    const { remote, body, server } = await ask([serve(content, { etag: SHA })]);
    expect(body).toBe("0123456789");
    expect(remote).toMatchObject({ status: 200, start: 0, totalBytes: 10, etag: SHA, sha256: SHA });
    expect(server.requests).toEqual([{ path: "/file", range: undefined, authorization: undefined }]);
  });

  test("asks for the rest from a byte on", async () => {
    const { remote, body, server } = await ask([serve(content)], { start: 4 });
    expect([body, remote.status, remote.start, remote.totalBytes]).toEqual(["456789", 206, 4, 10]);
    expect(server.requests[0]?.range).toBe("bytes=4-");
  });

  test("knows the size of a file that has no bytes left", async () => {
    const { remote } = await ask([serve(content)], { start: 10 });
    expect(remote).toMatchObject({ status: 416, totalBytes: 10 });
  });

  test.each([
    ["a weak ETag", { etag: 'W/"e1"' }, { etag: "e1", sha256: undefined }],
    ["an ETag that is no SHA-256", { etag: '"e1"' }, { etag: "e1", sha256: undefined }],
    [
      "Hugging Face's own ETag and size",
      { etag: '"e1"', "x-linked-etag": `"${SHA}"`, "x-linked-size": "99" },
      { etag: SHA, sha256: SHA, totalBytes: 99 },
    ],
    ["no ETag", {}, { etag: undefined, sha256: undefined }],
    ["a pause to keep", { "retry-after": "7" }, { retryAfterMs: 7000 }],
    ["a pause in words, which is not kept", { "retry-after": "soon" }, { retryAfterMs: undefined }],
  ])("understands %s", async (_, values, expected) => {
    expect((await ask([headers(200, values as Record<string, string>)])).remote).toMatchObject(expected);
  });

  test("follows redirects, keeping the first answer's word and the token on its host", async () => {
    const storage = await startFileServer([serve(content)]);
    const elsewhere = storage.url.replace("127.0.0.1", "localhost");
    const first = headers(302, { location: "/moved", "x-linked-etag": `"${SHA}"`, "x-linked-size": "10" });
    const second = headers(307, { location: `${elsewhere}/blob`, "x-linked-etag": '"other"' });
    const { remote, body, server } = await ask([first, second], { token: "secret" });
    expect(body).toBe("0123456789");
    expect(remote).toMatchObject({ etag: SHA, totalBytes: 10 });
    expect(server.requests.map(({ path, authorization }) => [path, authorization])).toEqual([
      ["/file", "Bearer secret"],
      ["/moved", "Bearer secret"],
    ]);
    expect(storage.requests).toEqual([{ path: "/blob", range: undefined, authorization: undefined }]);
  });

  test("gives up on a circle of redirects", async () => {
    await expect(ask([headers(302, { location: "/file" })])).rejects.toThrow(/redirects more than 5 times/);
  });
});
