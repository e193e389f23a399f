import { idempotentKey, openRedis, queueName, REDIS_PREFIX, tokenLogKey } from "@rhone/common";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type SecondGateway, startSecondGateway } from "../cluster/second-gateway.js";
import { RunningCluster, rhone } from "../cluster/start-cluster.js";

let cluster: RunningCluster;
let second: SecondGateway;
beforeAll(async () => {
  cluster = await RunningCluster.start(["--workers", "1", "--threads", "1", "--auth", "keys"]);
  second = await startSecondGateway(cluster, ["--auth", "keys"]);
});
afterAll(async () => {
  await second?.stop();
  await cluster?.stop();
});

const COMPLETIONS = "/v1/completions";
const body = { prompt: "The", max_tokens: 4, temperature: 0, ignore_eos: true };

async function keys(...args: readonly string[]) {
  const { code, stdout, stderr } = await rhone(["keys", ...args, "--json", "--data-dir", cluster.dataDir]);
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout);
}

function ask(url: string, secret: string, request: object = body, headers: Record<string, string> = {}) {
  return fetch(url + COMPLETIONS, {
    method: "POST",
    headers: { authorization: `Bearer ${secret}`, "content-type": "application/json", ...headers },
    body: JSON.stringify(request),
  });
}

/** Asks again as long as the answer is 409, as clients do that obey Retry-After. */
async function askAgain(...args: Parameters<typeof ask>): Promise<Response> {
  for (;;) {
    const response = await ask(...args);
    if (response.status !== 409) return response;
    expect(response.headers.get("retry-after")).toBe("1");
    await response.text();
  }
}

/** Sequences that the coordinator has finished. */
async function finished(): Promise<number> {
  const { operations } = await cluster.status();
  const page = await (await fetch(`http://${operations}/metrics`)).text();
  const counts = [...page.matchAll(/^rhone_requests_finished_total\{.*\} (\d+)$/gm)].map(([, count]) => Number(count));
  return counts.reduce((sum, count) => sum + count, 0);
}

describe("a key", () => {
  test("opens both gateways from its making to its end, and nothing else does", async () => {
    for (const { url } of [cluster, second]) expect((await ask(url, "rhone_sk_none")).status).toBe(401);
    const { secret } = await keys("create", "first");
    for (const { url } of [cluster, second]) expect((await ask(url, secret)).status).toBe(200);
    expect(await keys("list")).toMatchObject([{ name: "first", requests_per_minute: null }]);
    const [{ id }] = await keys("revoke", "first");
    expect(await keys("list")).toEqual([]);
    const revokedAt = performance.now();
    for (const { url } of [cluster, second]) {
      await expect.poll(async () => (await ask(url, secret)).status, { interval: 50, timeout: 2000 }).toBe(401);
    }
    expect(performance.now() - revokedAt).toBeLessThan(2000);
    expect((await rhone(["keys", "revoke", id, "--data-dir", cluster.dataDir])).code).toBe(1);
  });

  test("lets the command line in, by RHONE_API_KEY", async () => {
    const generate = (env: NodeJS.ProcessEnv) =>
      rhone(["generate", "The", "-n", "2", "-t", "0", "--data-dir", cluster.dataDir], { env });
    expect((await generate({})).stderr).toMatch(/INVALID_API_KEY/);
    const { code, stdout } = await generate({ RHONE_API_KEY: await cluster.createKey("shell") });
    expect([code, stdout.trim() !== ""]).toEqual([0, true]);
  });

  test("has limits that hold across gateways, in any order of requests", async () => {
    const { secret } = await keys("create", "limited", "--rpm", "2");
    const answers = await Promise.all(
      Array.from({ length: 16 }, (_, n) => ask(n % 2 ? cluster.url : second.url, secret)),
    );
    const refused = answers.filter(({ status }) => status === 429);
    expect([answers.filter(({ ok }) => ok).length, refused.length]).toEqual([2, 14]);
    for (const { headers } of refused) expect(Number(headers.get("retry-after"))).toBeGreaterThan(0);
  });

  test("has as many tokens as its answers used, at every gateway", async () => {
    const { secret } = await keys("create", "counted", "--tpm", "1000");
    const short = { ...body, ignore_eos: false, stop: [" "] };
    const first = await ask(cluster.url, secret, { ...short, max_tokens: 400 });
    const { total_tokens } = ((await first.json()) as { usage: { total_tokens: number } }).usage;
    expect(total_tokens).toBeLessThan(100);
    // Refused as long as the 400 tokens reserved for the first request are set aside.
    const large = async () => (await ask(second.url, secret, { ...short, max_tokens: 890 })).status;
    await expect.poll(large, { interval: 50 }).toBe(200);
  });
});

describe("an idempotency key", () => {
  test("makes one generation of requests at two gateways, one after the other or at once", async () => {
    const secret = await cluster.createKey("careful");
    const before = await finished();
    const once = { "idempotency-key": "order-1" };
    const request = { ...body, max_tokens: 40 };
    const [first, other] = await Promise.all([cluster, second].map(({ url }) => askAgain(url, secret, request, once)));
    const again = await ask(second.url, secret, request, once);
    const texts = await Promise.all([first, other, again].map((response) => response?.text()));
    expect(new Set(texts).size).toBe(1);
    expect(again.headers.get("idempotent-replayed")).toBe("true");
    expect((await finished()) - before).toBe(1);
    expect((await ask(cluster.url, secret, { ...request, max_tokens: 41 }, once)).status).toBe(422);
    const stranger = await cluster.createKey("stranger");
    expect(await (await ask(cluster.url, stranger, request, once)).text()).not.toBe(texts[0]);
  });

  test("brings the answer of a client that hung up, and of a gateway that was killed", async () => {
    const secret = await cluster.createKey("patient");
    const once = { "idempotency-key": "order-2" };
    const request = { ...body, max_tokens: 400 };
    const before = await finished();
    const third = await startSecondGateway(cluster, ["--auth", "keys"]);
    const lost = expect(ask(third.url, secret, request, once)).rejects.toThrow();
    await expect.poll(async () => (await cluster.status()).sequences.running, { timeout: 10_000 }).toBe(1);
    await third.stop("SIGKILL");
    await lost;
    const answer = (await (await ask(cluster.url, secret, request, once)).json()) as {
      usage: { completion_tokens: number };
    };
    expect(answer.usage.completion_tokens).toBe(400);
    expect((await finished()) - before).toBe(1);
  });

  test("whose gateway was killed before it queued the job is in use for seconds, then its request runs", async () => {
    const secret = await cluster.createKey("unlucky");
    const once = { "idempotency-key": "order-3" };
    const request = { ...body, stream: true };
    const events = await (await ask(cluster.url, secret, request, once)).text();
    const { id } = JSON.parse(events.slice(events.indexOf("{"), events.indexOf("}\n") + 1));
    const redis = await openRedis({ url: cluster.record().redisUrl, name: "test", waits: false, onError: () => {} });
    try {
      // What such a gateway leaves: a record that nobody renews, and neither a job nor a log. Here 4 s ago.
      const queue = queueName({ model: "breeze", lane: "interactive" });
      expect(await redis.exists(`${REDIS_PREFIX}:${queue}:${id}-0`)).toBe(0);
      expect(await redis.del(tokenLogKey(`${id}-0`))).toBe(1);
      const [, names] = await redis.scan(0, "MATCH", idempotentKey("*"), "COUNT", 10_000);
      const texts = await Promise.all(names.map((name) => redis.get(name)));
      const record = names.find((_, at) => texts[at]?.includes(id));
      expect(await redis.expire(record ?? "", 2 * 86_400 - 4)).toBe(1);
    } finally {
      redis.disconnect();
    }
    const repeat = () => ask(second.url, secret, request, once);
    const refused = await repeat();
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([409, "1"]);
    expect(await refused.json()).toMatchObject({ code: "idempotency_key_in_use" });
    const status = async () => (await repeat()).status;
    await expect.poll(status, { timeout: 10_000, interval: 200 }).toBe(200);
    const again = await repeat();
    expect(again.headers.get("idempotent-replayed")).toBe("true");
    expect(await again.text()).not.toContain(id);
  });
});

test("a request ends at the deadline that it names", async () => {
  const secret = await cluster.createKey("hasty");
  const response = await ask(cluster.url, secret, { ...body, max_tokens: 2000 }, { "x-request-timeout": "0.05" });
  expect(response.status).toBe(504);
  // Gateway and coordinator both watch the deadline; either may be first.
  expect(await response.json()).toMatchObject({ code: "deadline_exceeded" });
});

test("files, and answers of batches, are seen by their owner alone", async () => {
  const [mine, theirs] = [await cluster.createKey("mine"), await cluster.createKey("theirs")];
  const as = (secret: string) => ({ authorization: `Bearer ${secret}` });
  const form = new FormData();
  form.set("purpose", "batch");
  const line = { custom_id: "a", method: "POST", url: COMPLETIONS, body: { prompt: "The", max_tokens: 2 } };
  form.set("file", new Blob([JSON.stringify(line)]), "in.jsonl");
  const sent = await fetch(`${cluster.url}/v1/files`, { method: "POST", headers: as(mine), body: form });
  const { id: input_file_id } = (await sent.json()) as { id: string };
  const order = JSON.stringify({ input_file_id, endpoint: COMPLETIONS, completion_window: "24h" });
  const make = (secret: string) =>
    fetch(`${second.url}/v1/batches`, {
      method: "POST",
      headers: { ...as(secret), "content-type": "application/json" },
      body: order,
    });
  expect((await make(theirs)).status).toBe(404);
  const { id } = (await (await make(mine)).json()) as { id: string };
  const batch = async () =>
    (await (await fetch(`${cluster.url}/v1/batches/${id}`, { headers: as(mine) })).json()) as {
      status: string;
      output_file_id: string;
    };
  await expect.poll(async () => (await batch()).status, { timeout: 30_000 }).toBe("completed");
  const { output_file_id } = await batch();
  const read = async (secret: string) =>
    (await fetch(`${second.url}/v1/files/${output_file_id}/content`, { headers: as(secret) })).status;
  expect([await read(mine), await read(theirs)]).toEqual([200, 404]);
});
