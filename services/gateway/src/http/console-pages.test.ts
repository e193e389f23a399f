import { expect, it } from "vitest";
import { fakeGateway } from "../testing/fake-gateway.js";

const { app } = fakeGateway(undefined, "ready", { keys: [] });

it("sends the page without a key, by a path with a slash at its end, under a strict policy", async () => {
  const redirect = await app.inject("/console");
  expect([redirect.statusCode, redirect.headers.location]).toEqual([308, "console/"]);
  const { statusCode, headers, body } = await app.inject("/console/");
  expect([statusCode, headers["content-type"]]).toEqual([200, "text/html; charset=utf-8"]);
  const policy = String(headers["content-security-policy"]);
  expect(policy).toMatch(/^default-src 'none'; script-src 'self'; style-src 'self';/);
  expect(policy).not.toMatch(/unsafe|https?:|\*/);
  expect(body).not.toMatch(/(src|href)="(?!\.\/)/);
});

it("sends the page's files zipped where they may be, for ever, and not again to those that have them", async () => {
  const { body } = await app.inject("/console/");
  const paths = [...body.matchAll(/(?:src|href)="\.\/([^"]+)"/g)].map(([, path]) => `/console/${path}`);
  expect(paths.length).toBeGreaterThanOrEqual(3);
  for (const url of paths) {
    const plain = await app.inject(url);
    expect([plain.statusCode, plain.headers["cache-control"]]).toEqual([200, expect.stringMatching(/immutable/)]);
    const zipped = await app.inject({ url, headers: { "accept-encoding": "gzip, br" } });
    expect(zipped.headers["content-encoding"]).toBe("gzip");
    const again = await app.inject({ url, headers: { "if-none-match": String(plain.headers.etag) } });
    expect([again.statusCode, again.body]).toEqual([304, ""]);
  }
});

it("has the page itself asked for again by each of its names: the next release's names other files", async () => {
  for (const url of ["/console/", "/console/index.html"])
    expect([url, (await app.inject(url)).headers["cache-control"]]).toEqual([url, "no-cache"]);
});

it("takes at most 150 KiB zipped, all of it", async () => {
  const { body } = await app.inject("/console/");
  const paths = [
    "/console/",
    ...[...body.matchAll(/(?:src|href)="\.\/([^"]+)"/g)].map(([, path]) => `/console/${path}`),
  ];
  const sizes = paths.map(
    async (url) => (await app.inject({ url, headers: { "accept-encoding": "gzip" } })).rawPayload.length,
  );
  expect((await Promise.all(sizes)).reduce((sum, size) => sum + size, 0)).toBeLessThan(150 * 1024);
});

it("has nothing else below it", async () => {
  for (const url of ["/console/package.json", "/console/../package.json", "/console/assets/none.js"])
    expect([url, (await app.inject(url)).statusCode]).toEqual([url, 404]);
});
