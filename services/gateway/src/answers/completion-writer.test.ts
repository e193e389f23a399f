import { describe, expect, it } from "vitest";
import { end, FRAME, of } from "../testing/events.js";
import { fakeModel } from "../testing/fake-model.js";
import { jsonInTurns } from "../write-in-turns.js";
import { BestOfWriter } from "./best-of-writer.js";
import { CompletionWriter, type CompletionWriterOptions } from "./completion-writer.js";
import { EmbeddingWriter } from "./embedding-writer.js";
import type { ChoiceEvent, Writer } from "./writer.js";

const prompt = { ids: [32, 97, 98], text: "ab", hiddenSpace: true };
const options: CompletionWriterOptions = {
  ...FRAME,
  samples: 1,
  prompts: [prompt],
  echo: false,
  logprobs: null,
  promptLogprobs: null,
};

type Json = { readonly choices: readonly Record<string, unknown>[]; readonly [field: string]: unknown };

const writerOf = (changes: Partial<CompletionWriterOptions> = {}) =>
  new CompletionWriter({ ...options, ...changes }, fakeModel());

async function write(events: readonly ChoiceEvent[], open: () => Writer = writerOf) {
  const streams = open();
  const json = events.flatMap((event) => [...streams.take(event, "chunks")]);
  const chunks = [...json, ...streams.end()].map((text) => JSON.parse(text) as Json);
  const answers = open();
  for (const event of events) expect(answers.take(event, "whole")).toEqual([]);
  return { chunks, whole: await wholeOf(answers) };
}

const wholeOf = async (writer: Writer): Promise<Json> => JSON.parse(await jsonInTurns(await writer.whole()));

const textsOf = ({ choices }: Json) => choices.map(({ text }) => text);

describe("completions", () => {
  it("are sent as they come, the reason and the usage with the last text", async () => {
    const { chunks, whole } = await write([of(0), end(0, { tokens: [98], text: "b" })]);
    expect(chunks.map((chunk) => [textsOf(chunk)[0], chunk.choices[0]?.finish_reason])).toEqual([
      ["a", null],
      ["b", "stop"],
    ]);
    expect(chunks[1]?.usage).toMatchObject({ prompt_tokens: 3 });
    expect(textsOf(whole)).toEqual(["ab"]);
  });

  it("send no chunk for an event that shows nothing", async () => {
    expect((await write([of(0, { text: "" }), end(0)])).chunks).toHaveLength(1);
  });

  it("repeat the prompt with echo, once", async () => {
    const { chunks, whole } = await write([of(0), of(0), end(0)], () => writerOf({ echo: true }));
    expect(chunks.map((chunk) => textsOf(chunk)[0])).toEqual(["aba", "a", ""]);
    expect(textsOf(whole)).toEqual(["abaa"]);
  });

  it("of several prompts keep their order, and count each prompt once", async () => {
    const other = { ids: [32, 99], text: "c", hiddenSpace: true };
    const prompts = [prompt, prompt, other, other];
    const writer = () => writerOf({ prompts, samples: 2, echo: true });
    const usage = { promptTokens: 2, completionTokens: 1, cachedTokens: 0 };
    const { whole } = await write([end(3, { usage }), end(0), end(2, { usage }), end(1)], writer);
    expect(textsOf(whole)).toEqual(["ab", "ab", "c", "c"]);
    expect(whole.usage).toMatchObject({ prompt_tokens: 5, completion_tokens: 4 });
  });

  it("count the usage so far by distinct prompts", async () => {
    const writer = () => writerOf({ prompts: [prompt, prompt], samples: 2, runningUsage: true });
    expect((await write([of(0), of(1)], writer)).chunks.map(({ usage }) => usage)).toEqual([
      { prompt_tokens: 3, completion_tokens: 1, total_tokens: 4 },
      { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 },
    ]);
  });

  it("give token ids with each chunk, those of the prompt with the first", async () => {
    const { chunks, whole } = await write([of(0, { text: "" }), of(0), end(0)], () =>
      writerOf({ wantsTokenIds: true }),
    );
    expect(chunks.map(({ choices }) => choices[0]?.token_ids)).toEqual([[97], [97], []]);
    expect(chunks.map(({ choices }) => choices[0]?.prompt_token_ids)).toEqual([[32, 97, 98], undefined, undefined]);
    expect(whole.choices[0]).toMatchObject({ token_ids: [97, 97], prompt_token_ids: [32, 97, 98] });
  });

  it("are not kept by a stream", async () => {
    const writer = writerOf({ logprobs: 1, wantsTokenIds: true });
    for (const event of [of(0, { logprobs: [{ token: 97, logprob: -1, top: [] }] }), of(0)])
      writer.take(event, "chunks");
    expect((await wholeOf(writer)).choices[0]).toMatchObject({
      text: "",
      token_ids: [],
      logprobs: { tokens: [] },
    });
  });

  it("beyond the last are a fault", () => expect(write([of(1)])).rejects.toThrow(RangeError));
});

describe("log-probabilities of completions", () => {
  const score = (token: number, logprob: number) => ({
    token,
    logprob,
    top: [[token, logprob] as const, [100, -9] as const],
  });

  it("count characters behind the echo, whose hidden space takes none", async () => {
    const events = [
      of(0, { text: "", tokens: [], promptLogprobs: [score(97, -1)] }),
      of(0, { promptLogprobs: [score(98, -2)], logprobs: [score(97, -3)] }),
      end(0),
    ];
    const { whole, chunks } = await write(events, () => writerOf({ echo: true, logprobs: 1 }));
    expect(chunks[0]?.choices).toMatchObject([{ logprobs: { text_offset: [0, 0] } }]);
    expect(chunks[1]?.choices).toMatchObject([{ logprobs: { text_offset: [1, 2] } }]);
    expect(whole.choices[0]?.logprobs).toEqual({
      tokens: [" ", "a", "b", "a"],
      token_logprobs: [null, -1, -2, -3],
      top_logprobs: [null, { a: -1 }, { b: -2 }, { a: -3, d: -9 }],
      text_offset: [0, 0, 1, 2],
    });
  });

  it("count the characters of events that are passed over, the echo included", () => {
    const events = [
      of(0, { text: "", tokens: [], promptLogprobs: [score(97, -1)] }),
      of(0, { promptLogprobs: [score(98, -2)], logprobs: [score(97, -3)] }),
      of(0, { tokens: [98, 99], text: "bc", logprobs: [score(98, -1), score(99, -1)] }),
      of(0, { logprobs: [score(97, -3)] }),
      end(0),
    ];
    const writers = [writerOf({ echo: true, logprobs: 1 }), writerOf({ echo: true, logprobs: 1 })] as const;
    const [whole, resumed] = writers.map((writer, which) =>
      events.map((event, i) => writer.take(event, which === 1 && i < 3 ? "later" : "chunks")),
    );
    expect(resumed).toEqual([[], [], [], ...(whole ?? []).slice(3)]);
    expect(JSON.parse(resumed?.[3]?.[0] ?? "").choices[0].logprobs.text_offset).toEqual([5]);
  });

  it("whose token's text is __proto__ are named like others", async () => {
    const model = { ...fakeModel(), pieceBytes: () => Buffer.from("__proto__") };
    const writer = new CompletionWriter({ ...options, logprobs: 1 }, model);
    expect(writer.take(of(0, { text: "__proto__", logprobs: [score(97, -1)] }), "chunks")[0]).toContain(
      '{"__proto__":-1}',
    );
  });

  const PIECES: Readonly<Record<number, string>> = { 1: "🙂", 2: "é", 3: "</s>", 4: "b\n\n", 5: "日本" };
  const named = {
    ...fakeModel(),
    pieceBytes: (id: number, { special }: { readonly special: boolean }) =>
      Buffer.from(id === 3 && !special ? "" : (PIECES[id] ?? "")),
  };

  it.each([
    { showsSpecial: false, tokens: [1, 5, 2, 1, 3], texts: ["🙂", "日本", "é", "🙂", ""], offsets: [0, 1, 3, 4, 5] },
    { showsSpecial: true, tokens: [1, 3, 2], texts: ["🙂", "</s>", "é"], offsets: [0, 1, 5] },
  ])("count code points, and shown control tokens ()", async ({ showsSpecial, tokens, texts, offsets }) => {
    const events = tokens.map((id, i) => of(0, { tokens: [id], text: texts[i] ?? "", logprobs: [score(id, -1)] }));
    const open = () => new CompletionWriter({ ...options, logprobs: 0, showsSpecial }, named);
    const { chunks, whole } = await write([...events, end(0)], open);
    expect(whole.choices[0]?.logprobs).toMatchObject({ text_offset: offsets, tokens: tokens.map((id) => PIECES[id]) });
    const sent = chunks.flatMap(
      ({ choices }) => (choices[0]?.logprobs as { text_offset: number[] } | undefined)?.text_offset ?? [],
    );
    expect(sent).toEqual(offsets);
  });

  it("end where a stop string ends the text, whole and streamed", async () => {
    const scored = (id: number, text: string) => of(0, { tokens: [id], text, logprobs: [score(id, -1)] });
    const stopped = end(0, {
      tokens: [2],
      text: "b",
      logprobs: [score(2, -1)],
      finish: { reason: "stop", matched: "\n\né" },
    });
    const open = () => new CompletionWriter({ ...options, logprobs: 0 }, named);
    const { chunks, whole } = await write([scored(1, "🙂"), scored(4, ""), stopped], open);
    expect(whole.choices[0]).toMatchObject({ text: "🙂b", logprobs: { tokens: ["🙂", "b"], text_offset: [0, 1] } });
    const sent = chunks.flatMap(
      ({ choices }) => (choices[0]?.logprobs as { tokens: string[] } | undefined)?.tokens ?? [],
    );
    expect(sent).toEqual(["🙂", "b"]);
  });

  it("of the prompt stay out without echo", async () => {
    const events = [of(0, { promptLogprobs: [score(97, -1)], logprobs: [score(97, -3)] }), end(0)];
    const { whole } = await write(events, () => writerOf({ logprobs: 1 }));
    expect(whole.choices[0]?.logprobs).toMatchObject({ tokens: ["a"], text_offset: [0] });
  });

  it("hold as many alternatives as vLLM's field asks for", async () => {
    const events = [of(0, { promptLogprobs: [score(97, -1)] }), of(0, { promptLogprobs: [score(98, -2)] }), end(0)];
    const { whole } = await write(events, () => writerOf({ promptLogprobs: 1 }));
    expect(whole.choices[0]?.prompt_logprobs).toEqual([
      null,
      { "97": { logprob: -1, rank: 1, decoded_token: "a" } },
      { "98": { logprob: -2, rank: 1, decoded_token: "b" } },
    ]);
  });
});

describe("the best of several samples", () => {
  const sample = (choice: number, text: string, logprob: number) =>
    end(choice, { tokens: [97], text, logprobs: [{ token: 97, logprob, top: [] }] });

  it("are the ones with the highest mean, best first; every sample is counted", async () => {
    const inner = () => writerOf({ samples: 3, prompts: [prompt, prompt, prompt] });
    const best = () => new BestOfWriter(inner(), { n: 2, samples: 3 });
    const { chunks, whole } = await write([sample(0, "x", -2), sample(2, "z", -1), sample(1, "y", -3)], best);
    expect(chunks).toEqual([]);
    expect(textsOf(whole)).toEqual(["z", "x"]);
    expect(whole.usage).toMatchObject({ prompt_tokens: 3, completion_tokens: 3 });
  });

  it("are judged per token, not per answer, and within each prompt", async () => {
    const inner = () => writerOf({ samples: 2, prompts: [prompt, prompt, prompt, prompt] });
    const best = () => new BestOfWriter(inner(), { n: 1, samples: 2 });
    const longer = [
      of(1, { text: "l", logprobs: [{ token: 97, logprob: -1, top: [] }] }),
      sample(1, "ong", -1),
      sample(0, "short", -1.5),
      sample(2, "only", -9),
      end(3, { text: "" }),
    ];
    expect(textsOf((await write(longer, best)).whole)).toEqual(["long", "only"]);
  });

  it("beyond the last are a fault", async () => {
    const best = new BestOfWriter(writerOf({ samples: 2, prompts: [prompt, prompt] }), { n: 1, samples: 2 });
    expect(() => best.take(of(2))).toThrow(RangeError);
  });
});

describe("embeddings", () => {
  const vector = (...values: number[]) => Buffer.from(Float32Array.from(values).buffer).toString("base64");
  const about = { id: "embd-1", modelName: "tiny", inputs: 2 };
  const usage = { promptTokens: 2, completionTokens: 0, cachedTokens: 0 };
  const events = [end(1, { embedding: vector(0, 1), usage }), end(0, { embedding: vector(0.5, 0.25), usage })];

  it("come in the order of the inputs, whichever was first", async () => {
    const { whole } = await write(events, () => new EmbeddingWriter({ ...about, encoding: "float" }));
    expect(whole).toMatchObject({
      data: [
        { index: 0, embedding: [0.5, 0.25] },
        { index: 1, embedding: [0, 1] },
      ],
      usage: { prompt_tokens: 4, total_tokens: 4 },
    });
  });

  it("are the bytes themselves as base64", async () => {
    const { whole } = await write(events, () => new EmbeddingWriter({ ...about, encoding: "base64" }));
    expect(whole).toMatchObject({ data: [{ embedding: vector(0.5, 0.25) }, { embedding: vector(0, 1) }] });
  });
});
