import type { TextModel } from "../text/text-model.js";

/** A model whose token ids are bytes. `callToken`: as chat templates have it. */
export const fakeModel = (changes: Partial<TextModel> = {}): TextModel => ({
  name: "tiny",
  aliases: ["small"],
  fingerprint: "abcdef0123456789",
  vocabSize: 256,
  dim: 4,
  contextLength: 40_000,
  addsLeadingSpace: true,
  callToken: undefined,
  encodeChat: async (messages, _, { last } = {}) =>
    lastOf([1, ...Buffer.from(messages.map(({ content }) => content).join("\n"))], last),
  special: { bos: 1, eos: 2, unk: 0 },
  chatTemplate: undefined,
  chatRefusal: undefined,
  trimsAnswers: true,
  encodeTexts: async (texts, { last } = {}) => texts.map((text) => lastOf([...Buffer.from(` ${text}`)], last)),
  encodeText: async (text) => [...Buffer.from(` ${text}`)],
  fillInMiddle: async (befores, after, { last } = {}) =>
    befores.map((before) => lastOf([1, 13, ...Buffer.from(after), 11, ...Buffer.from(before)], last)),
  pieceBytes: (id) => Buffer.from([id]),
  grammarVocabulary: async () => ({ size: 256, pieces: [], endTokens: [2] }),
  close: async () => {},
  ...changes,
});

const lastOf = (ids: readonly number[], last: number | undefined): readonly number[] =>
  last === undefined ? ids : ids.slice(-last);
