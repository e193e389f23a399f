import type { ModelFacts } from "../model/model-facts.js";
import { PieceTable } from "../text/piece-table.js";
import { VOCABULARY } from "./next-token.js";

/** A model of a few bytes, for FakeWorkers. */
export function fakeModel({ name = "fake", nLayers = 8, contextLength = 128, slidingWindow = 0 } = {}): ModelFacts {
  return {
    served: {
      name,
      path: "/nowhere/fake.gguf",
      fingerprint: "00",
      contextLength,
      slidingWindow: slidingWindow === 0 ? null : slidingWindow,
      vocabSize: VOCABULARY,
      nLayers,
      parameters: 0,
      fileBytes: 0,
    },
    weights: {
      layerBytes: new Array<number>(nLayers).fill(1000),
      embeddingBytes: 500,
      headBytes: 500,
      wholeBytes: nLayers * 1000 + 1000,
    },
    file: null,
    origin: "",
    pageBytes: () => 1000,
    activationBytes: () => 16,
    endTokens: new Set(),
    pieces: new PieceTable({ pieceBytes: (token) => Buffer.from(`<${token}>`) }),
  };
}
