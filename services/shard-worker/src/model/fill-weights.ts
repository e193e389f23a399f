import { type FileHandle, open } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { type Backend, PackedWeight, type WeightStore } from "@rhone/ggml";
import { readTensorBytes, type ShardTensor } from "@rhone/model";

/** Pieces of packed weights: as many whole groups of rows as fit, so that what was read is still in a core's cache. */
const PIECE_BYTES = 1 << 20;
/** After a piece of that size. It takes 1 to 2 ms to read and pack. */
const MOST_REST_MS = 20;
/** Node.js has 4 threads for reading and packing. */
const MOST_LANES = 4;

export interface WeightToFill {
  readonly store: WeightStore;
  /** In the store. */
  readonly name: string;
  /** In a file. */
  readonly info: ShardTensor["info"];
}

export interface FillOptions {
  readonly backend: Pick<Backend, "threads">;
  readonly onProgress: (bytes: number, totalBytes: number) => void;
  readonly signal: AbortSignal;
  /** How many times as long as a piece took to pause after it; pieces are then read one after another. */
  readonly rest?: () => number;
}

/** What is read and written at a time; without `firstRow` a whole weight. */
interface Piece extends WeightToFill {
  readonly firstRow?: number;
}

/**
 * Fills every weight from its file, some pieces at a time: one lane more than the backend has threads, so that one
 * reads while the others pack. Throws what readTensorBytes throws, and the signal's reason, once no lane writes.
 */
export async function fillWeights(
  weights: readonly WeightToFill[],
  { backend, signal, onProgress, rest }: FillOptions,
): Promise<void> {
  const total = weights.reduce((sum, { info }) => sum + info.bytes, 0);
  const pieces = weights.flatMap(piecesOf);
  const largest = pieces.reduce((most, { info }) => Math.max(most, info.bytes), 0);
  const handles = new Map<string, FileHandle>();
  let done = 0;
  const lane = async (): Promise<void> => {
    const staging = new Uint8Array(largest);
    for (let piece = pieces.shift(); piece !== undefined; piece = pieces.shift()) {
      signal.throwIfAborted();
      const startedAt = performance.now();
      const bytes = await readTensorBytes(handles.get(piece.info.path) as FileHandle, piece.info, staging);
      await write(piece, bytes);
      signal.throwIfAborted();
      done += bytes.byteLength;
      onProgress(done, total);
      // On a busy machine a piece waits for a core more than it computes: that is no reason to rest.
      const most = (MOST_REST_MS * bytes.byteLength) / PIECE_BYTES;
      if (rest !== undefined) await sleep(Math.min(most, rest() * (performance.now() - startedAt)));
    }
  };
  try {
    for (const path of new Set(pieces.map(({ info }) => info.path))) handles.set(path, await open(path, "r"));
    const lanes = rest === undefined ? Math.min(backend.threads + 1, MOST_LANES) : 1;
    await allEnd(Array.from({ length: lanes }, lane), () => pieces.splice(0));
  } finally {
    for (const handle of handles.values()) await handle.close();
  }
}

function piecesOf({ store, name, info }: WeightToFill): readonly Piece[] {
  const weight = store.weight(name);
  if (!(weight instanceof PackedWeight)) return [{ store, name, info }];
  const [, rows] = weight.ne;
  const rowBytes = info.bytes / rows;
  const { GROUP_ROWS } = PackedWeight;
  const pieceRows = GROUP_ROWS * Math.max(1, Math.floor(PIECE_BYTES / rowBytes / GROUP_ROWS));
  return Array.from({ length: Math.ceil(rows / pieceRows) }, (_, index) => {
    const firstRow = index * pieceRows;
    const bytes = rowBytes * Math.min(pieceRows, rows - firstRow);
    return { store, name, info: { ...info, offset: info.offset + firstRow * rowBytes, bytes }, firstRow };
  });
}

const write = ({ store, name, firstRow }: Piece, bytes: Uint8Array): Promise<void> =>
  firstRow === undefined ? store.setAsync(name, bytes) : store.setRowsAsync(name, bytes, firstRow);

/** Waits for all of them; after the first failure calls `stop`, and throws that failure in the end. */
async function allEnd(lanes: readonly Promise<void>[], stop: () => void): Promise<void> {
  for (const lane of lanes) lane.catch(stop);
  const failed = (await Promise.allSettled(lanes)).find((end) => end.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}
