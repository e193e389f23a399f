import { GgmlType } from "@rhone/ggml";
import { rhone } from "@rhone/proto";
import { describe, expect, it } from "vitest";
import { tokenBytes } from "../testing/steps.js";
import { readStep, type StepContext, type StepLimits } from "./read-step.js";

type Message = rhone.v1.Step.$Properties;

const LIMITS: StepLimits = {
  embeds: true,
  vocabSize: 1000,
  pages: 8,
  pageSize: 32,
  slidingWindow: 0,
  maxRows: 6,
  rowBytes: (type) => (type === GgmlType.F32 ? 16 : 8),
};

const float32 = (...values: number[]) => new Uint8Array(Float32Array.from(values).buffer);

/**
 * Sequences 1 and 2 are open, with 2 pages and 1 page. The grammar of sequence 2 is not prepared; sequence 1 has drawn
 * token 77 for position 60.
 */
const context = (changes: Partial<StepLimits> = {}): StepContext => ({
  limits: { ...LIMITS, ...changes },
  pageCount: (sequence) => [undefined, 2, 1][sequence],
  mayDraw: (sequence) => sequence === 1,
  drawn: (sequence) => (sequence === 1 ? { token: 77, position: 60 } : null),
});

const SAMPLING = {
  temperature: 0.5,
  topK: 40,
  topP: 0.5,
  minP: 0.25,
  repetitionPenalty: 1.5,
  frequencyPenalty: -1,
  presencePenalty: 2,
  seed: 4_000_000_000,
  biasTokens: tokenBytes([7, 8]),
  biasValues: float32(-100, 0.5),
  logprobs: true,
  topLogprobs: 5,
  bannedUntilMin: [2, 1_000_000],
  minPosition: 9,
};
const OPEN = {
  sequence: 3,
  sampling: SAMPLING,
  history: tokenBytes([4, 5]),
  generated: tokenBytes([6]),
  constraint: { grammar: 'root ::= "a"', trigger: 9, otherwise: "", lastPosition: 70 },
  owner: "team",
};
const DECODE = { sequence: 1, position: 60, count: 3, sample: true, drafts: 2 };
const PROMPT = { sequence: 3, position: 0, count: 3, pages: [7], targets: [11, 12], topTargets: 4 };
/** Decodes in sequence 1 with two drafts, and starts sequence 3 with a prompt of 3 tokens. */
const VALID = {
  copies: [{ from: 1, to: 2 }],
  opens: [OPEN],
  spans: [DECODE, PROMPT],
  closes: [2],
  tokens: tokenBytes([10, 20, 30, 40, 50, 60]),
} satisfies Message;

/** As gRPC hands it over: absent fields have become the wire's defaults. */
const onWire = (message: Message): Message => rhone.v1.Step.decode(rhone.v1.Step.encode(message).finish());
const read = (message: Message, limits: Partial<StepLimits> = {}) => readStep(onWire(message), context(limits));

describe("readStep", () => {
  it("gives every field a value", () => {
    const absent = { sample: false, drafts: 0, targets: [], topTargets: 0, pool: false, firstPage: 0, pages: [] };
    expect(read(VALID)).toEqual({
      copies: [expect.objectContaining({ from: 1, to: 2 })],
      opens: [
        {
          sequence: 3,
          sampling: {
            temperature: 0.5,
            topK: 40,
            topP: 0.5,
            minP: 0.25,
            repetitionPenalty: 1.5,
            frequencyPenalty: -1,
            presencePenalty: 2,
            seed: 4_000_000_000,
            logitBias: { tokens: Int32Array.of(7, 8), values: Float32Array.of(-100, 0.5) },
            logprobs: 5,
            banned: [2],
            minPosition: 9,
          },
          history: Int32Array.of(4, 5),
          generated: Int32Array.of(6),
          constraint: { grammar: 'root ::= "a"', trigger: 9, otherwise: null, lastPosition: 70 },
          owner: "team",
        },
      ],
      spans: [
        { ...absent, ...DECODE },
        { ...absent, ...PROMPT },
      ],
      closes: [2],
      rows: 6,
      tokens: Int32Array.of(10, 20, 30, 40, 50, 60),
      hidden: null,
    });
  });

  it("fills in the token of a carried row", () => {
    const carried = { sequence: 1, position: 60, count: 1, sample: true, carried: true };
    const step = read({ ...VALID, spans: [PROMPT, carried], tokens: tokenBytes([10, 20, 30, 0]) });
    expect(step.tokens).toEqual(Int32Array.of(10, 20, 30, 77));
  });

  it("takes a step that only closes, and one of nothing at all", () => {
    expect(read({ closes: [1, 2] })).toMatchObject({ closes: [1, 2], rows: 0, hidden: null });
    expect(read({}, { embeds: false })).toMatchObject({ rows: 0, spans: [] });
  });

  it("reads activations where tokens were embedded before, without copying them", () => {
    const { ACTIVATION_F16: hiddenType } = rhone.v1.ActivationType;
    const hidden = new Uint8Array(6 * 8);
    const step = readStep({ ...VALID, hidden, hiddenType }, context({ embeds: false }));
    expect(step.hidden?.type).toBe(GgmlType.F16);
    expect(step.hidden?.bytes).toBe(hidden);
  });

  it("lets a sequence draw in the step that opens it when it has no grammar", () => {
    const message = { ...VALID, opens: [{ ...OPEN, constraint: null }], spans: [DECODE, { ...PROMPT, sample: true }] };
    expect(read(message).spans[1]?.sample).toBe(true);
  });

  it("reads token ids from bytes at any address", () => {
    const bytes = new Uint8Array(25);
    bytes.set(VALID.tokens, 1);
    expect(readStep({ ...VALID, tokens: bytes.subarray(1) }, context()).tokens).toEqual(
      Int32Array.of(10, 20, 30, 40, 50, 60),
    );
  });

  it("lets a window's first visible page be the first that is allocated", () => {
    const at = (firstPage: number) =>
      read(
        { spans: [{ sequence: 1, position: 50, count: 1, firstPage }], tokens: tokenBytes([1]) },
        { slidingWindow: 16 },
      );
    expect(at(1).spans[0]?.firstPage).toBe(1); // position 50 sees 35 to 50: page 1
    expect(() => at(2)).toThrow("step.spans[0].first_page is 2; position 50 sees page 1.");
  });
});

const span = (changes: rhone.v1.Span.$Properties): Message => ({ spans: [DECODE, { ...PROMPT, ...changes }] });
const open = (changes: rhone.v1.SequenceOpen.$Properties): Message => ({ opens: [{ ...OPEN, ...changes }] });
const sampling = (changes: rhone.v1.Sampling.$Properties): Message => open({ sampling: { ...SAMPLING, ...changes } });
const bad = -Number.MAX_VALUE; // -Infinity as an f32

describe("a malformed step is refused, and the field is named:", () => {
  it.each<[string, Message]>([
    ["step.copies[0].from is page 8; this shard has 8, from 0 to 7.", { copies: [{ from: 8, to: 1 }] }],
    ["step.copies[1].to is page 9; this shard has 8, from 0 to 7.", { copies: [...VALID.copies, { from: 0, to: 9 }] }],

    ["step.opens[0].sequence is 1, which is open already.", open({ sequence: 1 })],
    ["step.opens[1].sequence is 3, which is open already.", { opens: [OPEN, OPEN] }],
    ["step.opens[0].sampling is missing.", { opens: [{ sequence: 3 }] }],
    ["step.opens[0].history holds 5 bytes; token ids take 4 each.", open({ history: new Uint8Array(5) })],
    ["step.opens[0].history[1] is token -1;", open({ history: tokenBytes([1, -1]) })],
    ["step.opens[0].generated[0] is token 1000;", open({ generated: tokenBytes([1000]) })],
    ["step.opens[0].constraint.grammar is empty.", open({ constraint: {} })],
    ["step.opens[0].constraint.trigger is token 1000;", open({ constraint: { grammar: "g", trigger: 1000 } })],

    ["step.opens[0].sampling.temperature is NaN; it must be", sampling({ temperature: Number.NaN })],
    ["step.opens[0].sampling.temperature is -0.5; it must be from 0 to", sampling({ temperature: -0.5 })],
    ["step.opens[0].sampling.temperature is Infinity;", sampling({ temperature: Number.POSITIVE_INFINITY })],
    ["step.opens[0].sampling.top_k is 2147483648; it must be from 0 to 2147483647.", sampling({ topK: 2 ** 31 })],
    ["step.opens[0].sampling.top_p is 0;", sampling({ topP: 0 })],
    ["step.opens[0].sampling.top_p is 1.5;", sampling({ topP: 1.5 })],
    ["step.opens[0].sampling.min_p is 1.5; it must be from 0 to 1.", sampling({ minP: 1.5 })],
    ["step.opens[0].sampling.repetition_penalty is 0;", sampling({ repetitionPenalty: 0 })],
    ["step.opens[0].sampling.frequency_penalty is NaN;", sampling({ frequencyPenalty: Number.NaN })],
    ["step.opens[0].sampling.presence_penalty is -Infinity;", sampling({ presencePenalty: bad })],
    ["step.opens[0].sampling.top_logprobs is 1001; it must be from 0 to 1000.", sampling({ topLogprobs: 1001 })],
    ["step.opens[0].sampling.bias_values has 1 values for 2 bias_tokens.", sampling({ biasValues: float32(1) })],
    ["step.opens[0].sampling.bias_tokens[1] is token 1000;", sampling({ biasTokens: tokenBytes([1, 1000]) })],
    ["step.opens[0].sampling.bias_values holds 3 bytes;", sampling({ biasValues: new Uint8Array(3) })],
    ["step.opens[0].sampling.bias_values[1] is NaN;", sampling({ biasValues: float32(1, Number.NaN) })],

    ["step.spans[1].sequence is 4, which is not open.", span({ sequence: 4 })],
    ["step.spans[1].sequence is 1, which has a span in this step already.", span({ sequence: 1 })],
    ["step.spans[1].count is 0; a span has at least one row.", span({ count: 0 })],
    ["step.spans have 7 rows; this shard takes at most 6.", span({ count: 4 })],
    ["step.spans have 4294967298 rows; this shard takes at most 6.", span({ count: 2 ** 32 - 1 })],
    ["step.spans[1].pages[0] is page 8; this shard has 8, from 0 to 7.", span({ pages: [8] })],
    ["step.spans[1].pages bring sequence 3 to 0 pages; its rows need 1.", span({ pages: [] })],
    ["step.spans[1].pages bring sequence 3 to 1 pages; its rows need 2.", span({ position: 30 })],
    ["step.spans[1].first_page is 1; position 0 sees page 0.", span({ firstPage: 1 })],
    ["step.spans[1].drafts is 3; only 2 of 3 rows can follow a draw.", span({ drafts: 3 })],
    ["step.spans[1].targets has 4 tokens for 3 rows.", span({ targets: [1, 2, 3, 4] })],
    ["step.spans[1].targets[1] is token 1000; the vocabulary has 1000, from 0 to 999.", span({ targets: [1, 1000] })],
    ["step.spans[1].top_targets is 1001; it must be from 0 to 1000.", span({ topTargets: 1001 })],

    [
      "step.spans[0].sample is set; the grammar of sequence 2 is not prepared.",
      { spans: [{ ...DECODE, sequence: 2, position: 20 }, PROMPT] },
    ],
    ["step.spans[1].sample is set; the grammar of sequence 3 is not prepared.", span({ sample: true })],
    ["step.spans[1].carried is set for 3 rows; only a single row can be carried.", span({ carried: true })],
    [
      "step.spans[0].carried is set at position 59; sequence 1 drew its last token for position 60.",
      {
        spans: [
          { sequence: 1, position: 59, count: 1, carried: true },
          { ...PROMPT, count: 5 },
        ],
      },
    ],
    [
      "step.spans[1].carried is set; sequence 3 has drawn no token here.",
      {
        spans: [
          { ...DECODE, position: 50, count: 5 },
          { ...PROMPT, count: 1, targets: [], carried: true },
        ],
      },
    ],
    ["step.closes[0] is 5, which is not open.", { closes: [5] }],
    ["step.closes[1] is 2, which this step closes already.", { closes: [2, 2] }],

    ["step.tokens holds 5 tokens for 6 rows.", { tokens: tokenBytes([1, 2, 3, 4, 5]) }],
    ["step.tokens holds 0 tokens for 6 rows.", { tokens: new Uint8Array() }],
    ["step.tokens holds 23 bytes; token ids take 4 each.", { tokens: new Uint8Array(23) }],
    ["step.tokens[2] is token 1000;", { tokens: tokenBytes([1, 2, 1000, 4, 5, 6]) }],
    ["step.hidden holds 8 bytes; 6 rows take 0 on this stage.", { hidden: new Uint8Array(8) }],
    ["step.hidden_type is 9, a type that this release does not know.", { hiddenType: 9 as rhone.v1.ActivationType }],
  ])("%s", (message, changes) => {
    expect(() => read({ ...VALID, ...changes })).toThrow(
      expect.objectContaining({ code: "MESSAGE_MALFORMED", message: expect.stringContaining(message) }),
    );
  });

  it.each([
    [0, "step.hidden holds 0 bytes; 6 rows take 96 on this stage."],
    [95, "step.hidden holds 95 bytes; 6 rows take 96 on this stage."],
    [97, "step.hidden holds 97 bytes; 6 rows take 96 on this stage."],
  ])("%s bytes of activations for 6 rows of 16 bytes", (bytes, message) => {
    expect(() => read({ ...VALID, hidden: new Uint8Array(bytes) }, { embeds: false })).toThrow(message);
  });
});
