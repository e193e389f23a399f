import type { TextModel } from "../text/text-model.js";

/** A model whose token ids are bytes. `callToken`: as chat templates have it. */
export const fakeModel = ({ callToken }: Partial<Pick<TextModel, "callToken">> = {}): TextModel => ({
  name: "tiny",
  aliases: ["small"],
  vocabSize: 256,
  dim: 4,
  addsLeadingSpace: true,
  callToken,
  encodeChat: (messages) => [1, ...Buffer.from(messages.map(({ content }) => content).join("\n"))],
  special: { bos: 1, eos: 2, unk: 0 },
  chatTemplate: undefined,
  encodeText: (text) => [...Buffer.from(` ${text}`)],
  fillInMiddle: (before, after) => [1, 13, ...Buffer.from(after), 11, ...Buffer.from(before)],
  pieceBytes: (id) => Buffer.from([id]),
  grammarVocabulary: () => ({ size: 256, pieces: [], endTokens: [2] }),
  close: () => {},
});
