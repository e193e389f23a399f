import type { Vocabulary } from "@rhone/ggml";

/**
 * Turns each text before a gap, with the text after it, into a prompt whose continuation fills the gap; BOS included.
 * `after` is tokenized once for all of them.
 */
export type FillInMiddle = (befores: readonly string[], after: string) => readonly (readonly number[])[];

type FimVocabulary = Pick<Vocabulary, "bos" | "tokenize" | "isControl">;

/** Put before the text after the gap: SentencePiece adds its leading space here. Its tokens are removed again. */
const ANCHOR = "☺";

/**
 * Mistral's form, `<s> [SUFFIX] after [PREFIX] before`; undefined for a vocabulary without these control tokens. A
 * vocabulary with them does not prove that the model was trained on the form, as Codestral was. Follows
 * mistral-common's encode_fim.
 */
export function fillInMiddleFor(vocabulary: FimVocabulary): FillInMiddle | undefined {
  const [prefix, suffix] = [controlToken(vocabulary, "[PREFIX]"), controlToken(vocabulary, "[SUFFIX]")];
  if (prefix === undefined || suffix === undefined || vocabulary.bos === undefined) return undefined;
  const { bos } = vocabulary;
  const encode = (text: string) => Array.from(vocabulary.tokenize(text, { addSpecial: false, parseSpecial: false }));
  const anchorLength = encode(ANCHOR).length;
  return (befores, after) => {
    const following = after === "" ? [] : encode(ANCHOR + after).slice(anchorLength);
    return befores.map((before) => [bos, suffix, ...following, prefix, ...(before === "" ? [] : encode(before))]);
  };
}

function controlToken(vocabulary: FimVocabulary, name: string): number | undefined {
  const ids = vocabulary.tokenize(name, { addSpecial: false, parseSpecial: true });
  return Array.from(ids).find((id) => id > 0 && vocabulary.isControl(id));
}
