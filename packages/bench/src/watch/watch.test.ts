import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, it } from "vitest";
import { residentBytes } from "./resident-bytes.js";
import { Watch } from "./watch.js";

let server: Server;
let watch: Watch | undefined;
afterEach(async () => {
  watch?.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const CHUNK = 'data: {"choices":[{"token_ids":[1]}]}\n\n';

/** A gateway whose streams and /health are as `answers` says. */
async function open(answers: {
  readonly stream: string;
  /** Before the stream's bytes. */
  readonly delayMs?: number;
  /** The stream has no end. */
  readonly staysOpen?: boolean;
  readonly isHealthSilent?: () => boolean;
}): Promise<Watch> {
  const answer = (response: ServerResponse): void => {
    response.write(answers.stream);
    if (answers.staysOpen !== true) response.end();
  };
  server = createServer((request, response) => {
    if (request.url !== "/health") setTimeout(answer, answers.delayMs ?? 0, response);
    else if (answers.isHealthSilent?.() !== true) response.end("{}");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  watch = new Watch({ url, apiKey: undefined, prompt: [1], maxTokens: 2, pids: [process.pid] });
  return watch;
}

it("sends its stream again whenever it has ended, and counts the tokens", async () => {
  const watched = await open({ stream: `${CHUNK}${CHUNK}data: [DONE]\n\n` });
  let tokens = 0;
  await expect.poll(() => (tokens += watched.take().tokens)).toBeGreaterThan(6);
  expect(watched.take()).toMatchObject({ broken: 0 });
});

it("counts streams that end without [DONE]", async () => {
  const watched = await open({ stream: CHUNK });
  await expect.poll(() => watched.take().broken).toBeGreaterThan(0);
});

it("the wait for a stream's first chunk grows while none arrives, and is no gap", async () => {
  const watched = await open({ stream: "", staysOpen: true });
  await expect.poll(() => watched.take().beginMs).toBeGreaterThan(150);
  expect(watched.take()).toMatchObject({ gapMs: 0 });
});

it("the gap grows while no further chunk arrives", async () => {
  const watched = await open({ stream: CHUNK, staysOpen: true });
  await expect.poll(() => watched.take().gapMs).toBeGreaterThan(150);
});

it("the time between two streams is no gap", async () => {
  const watched = await open({ stream: `${CHUNK}data: [DONE]\n\n`, delayMs: 100 });
  await expect.poll(() => watched.take().beginMs).toBeGreaterThan(90);
  expect(watched.take().gapMs).toBeLessThan(90);
});

it("an unanswered /health counts with the time that it has waited", async () => {
  let isSilent = false;
  const watched = await open({ stream: "data: [DONE]\n\n", isHealthSilent: () => isSilent });
  await expect.poll(() => watched.take().healthMs).toBeGreaterThan(0);
  isSilent = true;
  await expect.poll(() => watched.take().healthMs).toBeGreaterThan(200);
});

it.runIf(residentBytes(process.pid) !== null)("sees the memory of processes that run", async () => {
  const watched = await open({ stream: "data: [DONE]\n\n" });
  const { last, most } = watched.take().memory[process.pid] ?? { last: 0, most: 0 };
  expect(last / process.memoryUsage.rss()).toBeCloseTo(1, 0);
  expect(most).toBeGreaterThanOrEqual(last);
  expect(residentBytes(2 ** 30)).toBeNull();
});
