import koffi from "koffi";
import { ALTERNATIVE_LAYOUT, DRAW_HOW, ROW_READING_LAYOUT, ROW_REQUEST_LAYOUT } from "../bindings/kernels.js";
import { cutOf, type DrawRequest, factorOf } from "../sampling/draw-token.js";
import { normalizerOf, type TokenLogprob } from "../sampling/log-probs.js";
import type { RowReading, RowRequest } from "../sampling/read-row.js";

/** `struct rk_row_request` for each request. They hold addresses of the requests' arrays, which must live on. */
export function packRequests(requests: readonly RowRequest[]): Uint8Array {
  const { size, row, target, alternatives } = ROW_REQUEST_LAYOUT;
  const records = new Uint8Array(requests.length * size);
  for (const [i, request] of requests.entries()) {
    const record = new DataView(records.buffer, i * size, size);
    record.setInt32(row, request.row, true);
    record.setInt32(target, request.target ?? -1, true);
    record.setInt32(alternatives, request.alternatives ?? -1, true);
    if (request.draw !== undefined) packDraw(record, request.draw);
  }
  return records;
}

function packDraw(record: DataView, draw: DrawRequest): void {
  const { how, factor, cut, topK, topP, uniform, ...at } = ROW_REQUEST_LAYOUT;
  const { temperature, edits } = draw;
  record.setInt32(how, temperature === 0 ? DRAW_HOW.best : DRAW_HOW.random, true);
  record.setFloat64(factor, factorOf(temperature), true);
  record.setFloat64(cut, cutOf(draw), true);
  record.setInt32(topK, draw.topK, true);
  record.setFloat64(topP, draw.topP, true);
  record.setFloat64(uniform, draw.uniform, true);
  const { allowed, banned, bias, penalties } = edits;
  const { seen, generated, counts } = penalties;
  if (allowed !== undefined) setList(record, allowed, at.allowed);
  setList(record, banned, at.banned, at.nBanned);
  setList(record, bias?.tokens, at.biased, at.nBiased);
  setList(record, bias?.values, at.biases);
  setList(record, seen, at.seen, at.nSeen);
  setList(record, generated, at.generated, at.nGenerated);
  setList(record, counts, at.counts);
  for (const name of ["repetition", "frequency", "presence"] as const)
    record.setFloat64(at[name], penalties[name], true);
}

/** Writes a list's address and, where it has a place, its length; nothing for an empty one. */
function setList(record: DataView, list: Int32Array | Float32Array | undefined, at: number, lengthAt?: number): void {
  if (list === undefined || list.length === 0) return;
  // The buffer of a short array is moved out of the heap, where nothing stays in its place, when it is asked for.
  record.setBigUint64(at, (koffi.address(list.buffer) as bigint) + BigInt(list.byteOffset), true);
  if (lengthAt !== undefined) record.setInt32(lengthAt, list.length, true);
}

/** Bytes of the readings in the kernels' result. */
export const readingsBytes = (requests: number, mostAlternatives: number): number =>
  requests * (ROW_READING_LAYOUT.size + mostAlternatives * ALTERNATIVE_LAYOUT.size);

export interface ReadingsShape {
  readonly nVocab: number;
  readonly mostAlternatives: number;
}

/** The readings in the kernels' result. */
export function unpackReadings(
  bytes: Uint8Array,
  requests: readonly RowRequest[],
  { nVocab, mostAlternatives }: ReadingsShape,
): readonly RowReading[] {
  const { total, best, target, logit, token, listed, size } = ROW_READING_LAYOUT;
  return requests.map(({ alternatives }, i) => {
    const record = new DataView(bytes.buffer, bytes.byteOffset + i * size, size);
    const f32 = (at: number): number => record.getFloat32(at, true);
    const sum = { best: f32(best), total: record.getFloat64(total, true), nVocab };
    const normalizer = alternatives === undefined ? Number.NaN : normalizerOf(sum);
    const list = bytes.subarray(readingsBytes(requests.length, 0) + i * mostAlternatives * ALTERNATIVE_LAYOUT.size);
    return {
      token: record.getInt32(token, true),
      logprob: f32(logit) - normalizer,
      targetLogprob: f32(target) - normalizer,
      top: unpackTop(list, record.getInt32(listed, true), normalizer),
    };
  });
}

/** Best first; the kernels list them in the order of ids. */
function unpackTop(list: Uint8Array, count: number, normalizer: number): readonly TokenLogprob[] {
  const view = new DataView(list.buffer, list.byteOffset, count * ALTERNATIVE_LAYOUT.size);
  const found = Array.from({ length: count }, (_, i) => ({
    id: view.getInt32(i * ALTERNATIVE_LAYOUT.size + ALTERNATIVE_LAYOUT.token, true),
    logit: view.getFloat32(i * ALTERNATIVE_LAYOUT.size + ALTERNATIVE_LAYOUT.logit, true),
  }));
  // The sort is stable: the lower id stays first among equals.
  found.sort((a, b) => (a.logit < b.logit ? 1 : a.logit > b.logit ? -1 : 0));
  return found.map(({ id, logit }) => ({ id, logprob: logit - normalizer }));
}
