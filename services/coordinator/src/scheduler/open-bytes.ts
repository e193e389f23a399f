import type { Sequence } from "./sequence.js";

const BYTES_PER_TOKEN = 4;

/** Bytes of what can be large in the record that opens a sequence: its biases, grammars and counted tokens. */
export function openBytes({ job, promptLength, generated }: Sequence): number {
  const { sampling, constraint } = job;
  const counted = generated + (sampling.repetitionPenalty === 1 ? 0 : promptLength);
  const biases = Buffer.byteLength(sampling.logitBias, "base64");
  return biases + BYTES_PER_TOKEN * counted + (constraint?.grammar.length ?? 0) + (constraint?.otherwise?.length ?? 0);
}
