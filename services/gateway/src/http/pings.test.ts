import type { AddressInfo } from "node:net";
import { RhoneError } from "@rhone/common";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { FakeCluster, type Script } from "../testing/fake-cluster.js";
import { type FakeOptions, fakeGateway, hello } from "../testing/fake-gateway.js";
import { isThereWithin, Pings } from "./pings.js";

const EVERY_MS = 10;
const PING = ": ping\n\n";
const COMPLETIONS = "/v1/completions";
const body = { prompt: "ab", max_tokens: 5 };
const late: Script = () => {
  throw new RhoneError("DEADLINE_EXCEEDED", "Too late.");
};

/** A gateway at a port, whose jobs wait for `open`. */
async function waiting(script: Script = hello, options: FakeOptions = { pingIntervalMs: EVERY_MS }) {
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  const fake = fakeGateway(script, "ready", options);
  const generate = FakeCluster.prototype.generate;
  vi.spyOn(fake.client as FakeCluster, "generate").mockImplementation(async function* (this: FakeCluster, ...given) {
    await opened;
    yield* generate.apply(this, given);
  });
  await fake.app.listen({ host: "127.0.0.1", port: 0 });
  onTestFinished(() => fake.app.close());
  const { port } = fake.app.server.address() as AddressInfo;
  const ask = (fields: object, headers: Record<string, string> = {}) =>
    fetch(`http://127.0.0.1:${port}${COMPLETIONS}`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify({ ...body, ...fields }),
    });
  return { ...fake, open, ask };
}

/** What comes until `condition` holds, and a function that reads the rest. */
async function readUntil(response: Response, condition: (text: string) => boolean) {
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  const more = async (): Promise<boolean> => {
    const part = await reader?.read();
    text += part?.value ?? "";
    return part?.done === false;
  };
  while (!condition(text) && (await more()));
  const before = text;
  return {
    before,
    rest: async () => {
      while (await more());
      return text.slice(before.length);
    },
  };
}

describe("a stream whose client waits", () => {
  it("has its headers and a comment per interval before its first event, and no chunk", async () => {
    const { open, ask } = await waiting();
    const response = await ask({ stream: true });
    expect([response.status, response.headers.get("content-type")]).toEqual([200, "text/event-stream; charset=utf-8"]);
    expect(response.headers.get("x-request-id")).not.toBeNull();
    const { before, rest } = await readUntil(response, (text) => text.length >= 3 * PING.length);
    expect(before).toMatch(/^(: ping\n\n)+$/);
    open();
    expect(await rest()).toMatch(/^(: ping\n\n)*data: \{.*" He".*"llo".*\[DONE\]\n\n$/s);
  });

  it("says where it can be resumed", async () => {
    const { open, ask, redis } = await waiting();
    const response = await ask({ stream: true, stream_options: { resumable: true } });
    expect(response.headers.get("content-location")).toMatch(/^\/v1\/streams\/cmpl-/);
    expect(redis.texts.size).toBeGreaterThan(0);
    open();
    expect(await response.text()).toContain("[DONE]");
  });

  it("ends with an event that tells a failure, as its status is sent", async () => {
    const { open, ask } = await waiting(late);
    const response = await ask({ stream: true });
    expect(response.status).toBe(200);
    open();
    expect(await response.text()).toMatch(/^(: ping\n\n)+data: \{.*"code":"deadline_exceeded".*\}\n\n$/);
  });

  it("keeps the status of what fails before the interval has passed", async () => {
    const { open, ask } = await waiting(late, { pingIntervalMs: 60_000 });
    open();
    expect((await ask({ stream: true })).status).toBe(504);
    expect((await ask({ stream: true, prompt: "a".repeat(100) })).status).toBe(400);
  });
});

describe("a whole answer whose client waits", () => {
  const options = { pingIntervalMs: EVERY_MS, pingWholeAnswers: true };

  it("begins with blanks where that is set", async () => {
    const { open, ask } = await waiting(hello, options);
    const response = await ask({});
    expect([response.status, response.headers.get("content-type")]).toEqual([200, "application/json; charset=utf-8"]);
    const { before, rest } = await readUntil(response, (text) => text.length >= 2);
    expect(before).toMatch(/^ +$/);
    open();
    expect(JSON.parse(await rest())).toMatchObject({ choices: [{ text: " Hello" }] });
  });

  it("is a body with the error then, under a status of 200, and frees its Idempotency-Key", async () => {
    const { open, ask, redis } = await waiting(late, options);
    const response = await ask({}, { "idempotency-key": "a" });
    expect(response.status).toBe(200);
    open();
    expect(await response.json()).toMatchObject({ error: { code: "deadline_exceeded" } });
    await expect.poll(() => [...redis.texts.keys()]).toEqual([]);
  });

  it("waits for its status otherwise", async () => {
    const { open, ask } = await waiting(late);
    const answer = ask({});
    await readUntil(await ask({ stream: true }), (text) => text.length >= 3 * PING.length);
    open();
    expect((await answer).status).toBe(504);
  });
});

describe("waiting", () => {
  it.each([
    [Promise.resolve(1), 1000, true],
    [Promise.resolve(1), 0, true],
    [new Promise(() => {}), 1, false],
  ])("tells whether something is there in time", async (promise, ms, expected) => {
    expect(await isThereWithin(promise, ms)).toBe(expected);
  });

  it("fails as what it waits for", async () => {
    await expect(isThereWithin(Promise.reject(new Error("no")), 1000)).rejects.toThrow("no");
  });
});

it("nothing is written to a client that is gone or does not read", () => {
  const write = vi.fn();
  for (const state of [
    { destroyed: true, writableNeedDrain: false },
    { destroyed: false, writableNeedDrain: true },
  ]) {
    const pings = new Pings({ ...state, write }, 0);
    pings.send();
    pings.close();
  }
  expect(write).not.toHaveBeenCalled();
});
