import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GgmlType } from "@rhone/ggml";
import { GgufWriter, gguf } from "@rhone/model";
import { Ajv2020 } from "ajv/dist/2020.js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { diceOf, randomSchema } from "../../packages/grammar/src/testing/random-schema.js";
import { mistralV3Metadata } from "../../packages/model/src/testing/mistral-v3-vocabulary.js";
import { RunningCluster } from "../cluster/start-cluster.js";

const CALL_TOKEN = 5;
/** Random weights fill it, whatever it is; a schema that needs more is refused, and another takes its place. */
const ROOM = 400;
const ajv = new Ajv2020({ strict: false, validateFormats: false });

interface Answer {
  readonly prompt_token_ids: readonly number[];
  readonly choices: readonly {
    readonly message: {
      readonly content: string | null;
      readonly tool_calls?: readonly { readonly function: { readonly name: string; readonly arguments: string } }[];
    };
    readonly token_ids: readonly number[];
    readonly finish_reason: string;
  }[];
}

/** Two layers of random weights with Mistral 7B v0.3's vocabulary: dim 64, 2 heads of 32, 1 KV head, hidden dim 128. */
async function writeModel(path: string): Promise<void> {
  const metadata = await mistralV3Metadata();
  metadata.set("llama.context_length", gguf.u32(4096));
  metadata.set("llama.embedding_length", gguf.u32(64));
  metadata.set("llama.feed_forward_length", gguf.u32(128));
  const f32 = (name: string, ...ne: number[]) => ({ name: `${name}.weight`, type: GgmlType.F32, ne });
  const layers = [0, 1].flatMap((layer) => [
    f32(`blk.${layer}.attn_norm`, 64),
    f32(`blk.${layer}.attn_q`, 64, 64),
    f32(`blk.${layer}.attn_k`, 64, 32),
    f32(`blk.${layer}.attn_v`, 64, 32),
    f32(`blk.${layer}.attn_output`, 64, 64),
    f32(`blk.${layer}.ffn_norm`, 64),
    f32(`blk.${layer}.ffn_gate`, 64, 128),
    f32(`blk.${layer}.ffn_up`, 64, 128),
    f32(`blk.${layer}.ffn_down`, 128, 64),
  ]);
  const tensors = [f32("token_embd", 64, 32_768), ...layers, f32("output_norm", 64), f32("output", 64, 32_768)];
  const writer = await GgufWriter.create(path, { metadata, tensors });
  const dice = diceOf(1);
  for (const { name, ne } of tensors) {
    const values = new Float32Array(ne.reduce((a, b) => a * b)).fill(1);
    if (!name.includes("norm")) for (let i = 0; i < values.length; i++) values[i] = dice(2001) / 10_000 - 0.1;
    await writer.write(name, new Uint8Array(values.buffer));
  }
  await writer.commit();
}

describe("a model with Mistral's tokens for calls", () => {
  let folder: string;
  let cluster: RunningCluster;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "rhone-tools-"));
    await writeModel(join(folder, "v3.gguf"));
    cluster = await RunningCluster.start(["--workers", "1", "--threads", "1", "--model", join(folder, "v3.gguf")]);
  });
  afterAll(async () => {
    await cluster?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const ask = async (body: object) => {
    const messages = [{ role: "user", content: "Weather?" }];
    const fields = { messages, max_tokens: ROOM, return_token_ids: true, ...body };
    const { choices, prompt_token_ids: promptIds } = await cluster.ask<Answer>("/v1/chat/completions", fields);
    const [choice] = choices;
    if (choice === undefined) throw new Error("no choice");
    const calls = (choice.message.tool_calls ?? []).map((call) => call.function);
    return { promptIds, ids: choice.token_ids, content: choice.message.content, finish: choice.finish_reason, calls };
  };
  const toolOf = (name: string, parameters: object) => ({ type: "function", function: { name, parameters } });
  const place = { type: "object", properties: { city: { enum: ["Lyon", "Nice"] } }, required: ["city"] };
  const tools = [toolOf("weather", place), toolOf("now", { type: "object", additionalProperties: false })];

  test("makes calls of random schemas when it must, behind their token", { timeout: 120_000 }, async () => {
    let made = 0;
    for (let seed = 1; made < 6; seed++) {
      const schema = { type: "object", properties: { it: randomSchema(diceOf(seed)) }, required: ["it"] };
      const body = { tools: [toolOf("f", schema)], tool_choice: "any", seed, parallel_tool_calls: false };
      const answer = await ask(body).catch((error: Error) => error);
      if (answer instanceof Error) {
        expect(answer.message).toMatch(/answered 400/); // a random schema may be impossible
        continue;
      }
      const { promptIds, calls, finish } = answer;
      expect(promptIds.at(-1)).toBe(CALL_TOKEN);
      if (finish === "length") continue;
      expect(finish).toBe("tool_calls");
      expect(calls).toHaveLength(1);
      expect(ajv.validate(schema, JSON.parse(calls[0]?.arguments ?? "")), JSON.stringify({ seed, calls })).toBe(true);
      made++;
    }
  });

  test("is held to the functions once it has drawn their token by itself", async () => {
    const body = { tools, seed: 2, logit_bias: { [CALL_TOKEN]: 100 } };
    const { promptIds, ids, calls, finish } = await ask(body);
    expect(promptIds.at(-1)).not.toBe(CALL_TOKEN);
    expect(ids[0]).toBe(CALL_TOKEN);
    expect(ids.slice(1)).not.toContain(CALL_TOKEN);
    expect(finish).toBe("tool_calls");
    for (const { name, arguments: args } of calls) {
      if (name === "weather") expect(ajv.validate(place, JSON.parse(args))).toBe(true);
      else expect([name, args]).toEqual(["now", "{}"]);
    }
  });

  test("says what it likes where it draws another token first, and what a response_format wants if there is one", async () => {
    const bias = { [CALL_TOKEN]: -100 };
    const free = await ask({ tools, seed: 1, max_tokens: 8, logit_bias: bias, ignore_eos: true });
    expect(free).toMatchObject({ calls: [], finish: "length" });
    expect(free.ids).toHaveLength(8);
    const response_format = { type: "json_schema", json_schema: { name: "x", schema: { enum: ["this", "that"] } } };
    const formed = await ask({ tools, seed: 1, response_format, logit_bias: bias });
    expect(['"this"', '"that"']).toContain(formed.content);
    const called = await ask({ tools, seed: 1, response_format, logit_bias: { [CALL_TOKEN]: 100 } });
    expect(called.calls.length).toBeGreaterThan(0);
  });
});
