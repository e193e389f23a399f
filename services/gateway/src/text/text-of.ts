import { mapInTurns } from "../turns.js";
import type { TextModel } from "./text-model.js";

/** The text of token ids of the vocabulary, in turns: a context of them takes longer than one. */
export async function textOf(
  model: Pick<TextModel, "pieceBytes">,
  ids: readonly number[],
  options: { readonly special: boolean },
): Promise<string> {
  const pieces = await mapInTurns(ids, (id) => model.pieceBytes(id, options));
  return Buffer.concat(pieces).toString("utf8");
}
