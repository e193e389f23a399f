import { json } from "node:stream/consumers";
import { expect, it } from "vitest";
import { senderTo } from "../testing/sender-to.js";
import { RESPONSE_ATTACKS } from "./response-attacks.js";

const model = { name: "breeze", vocabSize: 1024, contextLength: 4096 };

interface Made {
  readonly previous_response_id?: string;
}

/** A gateway that makes `most` responses, then refuses to, and takes note of the requests about them. */
async function gateway(most: number) {
  const made: Made[] = [];
  const about: string[] = [];
  const sender = await senderTo(async (request, response) => {
    const { method, url } = request;
    if (method !== "POST" || url !== "/v1/responses") {
      about.push(`${method} ${url}`);
      return void response.end("{}");
    }
    const body = (await json(request)) as Made;
    if (made.length === most) return void response.writeHead(400).end('{"error":{"code":"invalid_value"}}');
    made.push(body);
    response.end(JSON.stringify({ id: `resp_${made.length}` }));
  });
  const send = (name: string) => RESPONSE_ATTACKS.find((attack) => attack.name === name)?.send(sender, model);
  return { send, made, about };
}

const counted = (lines: readonly string[], line: RegExp): number => lines.filter((each) => line.test(each)).length;

it.each([
  ["response-pages-200", 200, /^GET \/v1\/responses\/resp_1\/input_items\?limit=100&order=asc$/],
  ["response-resumed-400", 400, /^GET \/v1\/responses\/resp_1\?stream=true$/],
])("%s makes a response, sends %d requests about it, and deletes it", async (name, count, line) => {
  const { send, made, about } = await gateway(1);
  expect(await send(name)).toHaveLength(count + 2);
  expect([made.length, counted(about, line), about.at(-1)]).toEqual([1, count, "DELETE /v1/responses/resp_1"]);
});

it("responses in the background are cancelled and deleted, as many as were made", async () => {
  const { send, about } = await gateway(150);
  expect(await send("responses-background-200")).toHaveLength(200 + 150 + 150);
  expect(counted(about, /^POST .*\/resp_\d+\/cancel$/)).toBe(150);
  expect(counted(about, /^DELETE .*\/resp_\d+$/)).toBe(150);
});

it("a chain continues each response until one is refused", async () => {
  const { send, made, about } = await gateway(3);
  expect(await send("responses-calls-chained")).toMatchObject({ 3: { status: 400 } });
  expect(made.map(({ previous_response_id: previous }) => previous)).toEqual([undefined, "resp_1", "resp_2"]);
  expect(counted(about, /^GET .*\/resp_3\/input_items/)).toBe(20);
  expect(counted(about, /^DELETE/)).toBe(3);
});
