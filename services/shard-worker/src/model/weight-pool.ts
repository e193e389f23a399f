import { RhoneError } from "@rhone/common";
import { type Backend, WeightStore } from "@rhone/ggml";
import type { ShardTensor } from "@rhone/model";
import { fillWeights } from "./fill-weights.js";

export interface PoolRequest {
  /** The model's file: equal for the same bytes. */
  readonly model: string;
  readonly tensors: readonly ShardTensor[];
  /**
   * Called once, when the weights that the pool has are taken and before others get memory: with the bytes that must be
   * read. What it frees and these share stays.
   */
  readonly makeRoom?: ((bytes: number) => void) | undefined;
  /** Read one layer at a time and leave the cores to others most of the time, until somebody waits for it. */
  readonly isPatient?: boolean;
  /** Of the bytes that must be read. */
  readonly onProgress: (bytes: number, totalBytes: number) => void;
  readonly signal: AbortSignal;
}

/** Weights in memory, until `close`. */
export interface PooledWeights {
  readonly storeOf: (tensor: ShardTensor) => WeightStore;
  /** What was read for them; the others were there. */
  readonly readBytes: number;
  readonly close: () => void;
}

/** A layer, or a tensor around the layers: what comes and goes together. */
interface Unit {
  readonly key: string;
  readonly tensors: readonly ShardTensor[];
  readonly store: WeightStore;
  users: number;
  isFilled: boolean;
  /** Never rejects; null while nobody fills it. */
  filling: Promise<void> | null;
  /** Somebody waits for it. */
  isUrgent: boolean;
}

/** The patient rest this many times as long as each piece takes: they use a tenth of one core. */
const REST = 9;

/** One name per role: with tied embeddings, one tensor of the file is loaded once for each of its two uses. */
export const storeName = ({ role, layer }: ShardTensor): string => (layer === undefined ? role : `${layer}.${role}`);

/** The weights of a device's shards, in one copy each. Those that several shards have are freed with the last one. */
export class WeightPool {
  readonly #backend: Backend;
  readonly #units = new Map<string, Unit>();

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  /** Bytes of all weights that it holds, as the file has them. */
  get bytes(): number {
    return [...this.#units.values()].reduce((sum, { tensors }) => sum + bytesOf(tensors), 0);
  }

  /** Reads what it lacks. Throws what WeightStore and readTensorBytes throw, and the signal's reason. */
  async load({ makeRoom = () => {}, ...request }: PoolRequest): Promise<PooledWeights> {
    const { model, tensors, signal } = request;
    const parts = [...partsOf(model, tensors)];
    const taken = new Map<string, Unit>();
    const close = (): void => {
      for (const unit of taken.values()) this.#release(unit);
      taken.clear();
    };
    try {
      for (const [key] of parts) {
        const unit = this.#units.get(key);
        if (unit !== undefined) taken.set(key, use(unit));
      }
      const lacking = parts.filter(([key]) => taken.get(key)?.isFilled !== true);
      const bytes = lacking.reduce((sum, [, part]) => sum + bytesOf(part), 0);
      makeRoom(bytes);
      // What another load has opened and not filled yet has its memory.
      this.#checkRoom(parts.reduce((sum, [key, part]) => sum + (taken.has(key) ? 0 : bytesOf(part)), 0));
      for (const [key, part] of parts) if (!taken.has(key)) taken.set(key, use(this.#open(key, part)));
      const readBytes = await this.#fill([...taken.values()], bytes, request);
      signal.throwIfAborted();
      const storeOf = (tensor: ShardTensor): WeightStore => (taken.get(keyOf(model, tensor)) as Unit).store;
      return { storeOf, readBytes, close };
    } catch (error) {
      close();
      throw error;
    }
  }

  /** Linux grants more memory than there is and kills the process later, so refuse what can never fit. */
  #checkRoom(bytes: number): void {
    const { name, memoryTotal } = this.#backend.device;
    const needed = this.bytes + bytes;
    if (memoryTotal === 0 || needed <= memoryTotal) return;
    const problem = `The weights need ${needed} bytes, but device ${name} has ${memoryTotal}`;
    throw new RhoneError("OUT_OF_MEMORY", `${problem}. Use more workers or a smaller type.`);
  }

  #open(key: string, tensors: readonly ShardTensor[]): Unit {
    const specs = tensors.map((tensor) => {
      const [ne0 = 1, ne1 = 1, ne2 = 1, ne3 = 1] = tensor.info.ne;
      return { name: storeName(tensor), type: tensor.info.type, ne: [ne0, ne1, ne2, ne3] as const, use: tensor.use };
    });
    const store = WeightStore.open(this.#backend, specs);
    const unit = { key, tensors, store, users: 0, isFilled: false, filling: null, isUrgent: false };
    this.#units.set(key, unit);
    return unit;
  }

  /** Resolves with the bytes that it has read, when all are filled; others may be filling some of them. */
  async #fill(units: readonly Unit[], total: number, request: Omit<PoolRequest, "makeRoom">): Promise<number> {
    const { isPatient = false, signal, onProgress } = request;
    let read = 0;
    for (;;) {
      signal.throwIfAborted();
      const open = units.filter(({ isFilled }) => !isFilled);
      if (open.length === 0) return read;
      const free = open.filter(({ filling }) => filling === null);
      const mine = isPatient ? free.slice(0, 1) : free;
      if (mine.length > 0) {
        const before = read;
        await this.#read(mine, { isPatient, signal, onProgress: (bytes) => onProgress(before + bytes, total) });
        read += bytesOf(mine.flatMap(({ tensors }) => tensors));
        continue;
      }
      if (!isPatient) for (const unit of open) unit.isUrgent = true;
      await Promise.race(open.map(({ filling }) => filling));
    }
  }

  async #read(
    units: readonly Unit[],
    { isPatient, signal, onProgress }: Required<Pick<PoolRequest, "isPatient" | "signal" | "onProgress">>,
  ): Promise<void> {
    const weights = units.flatMap(({ store, tensors }) =>
      tensors.map((tensor) => ({ store, name: storeName(tensor), info: tensor.info })),
    );
    const rest = isPatient ? { rest: () => (units.some(({ isUrgent }) => isUrgent) ? 0 : REST) } : {};
    const filled = fillWeights(weights, { backend: this.#backend, signal, onProgress, ...rest });
    const end = (isFilled: boolean): void => {
      for (const unit of units) Object.assign(unit, { isFilled, filling: null });
    };
    const filling = filled.then(
      () => end(true),
      () => end(false),
    );
    for (const unit of units) unit.filling = filling;
    await filling;
    await filled;
  }

  #release(unit: Unit): void {
    unit.users--;
    if (unit.users > 0) return;
    this.#units.delete(unit.key);
    this.#backend.whenIdle(() => unit.store.close());
  }
}

function use(unit: Unit): Unit {
  unit.users++;
  return unit;
}

const bytesOf = (tensors: readonly ShardTensor[]): number => tensors.reduce((sum, { info }) => sum + info.bytes, 0);

const keyOf = (model: string, { role, layer }: ShardTensor): string => `${model} ${layer ?? role}`;

function partsOf(model: string, tensors: readonly ShardTensor[]): ReadonlyMap<string, readonly ShardTensor[]> {
  const parts = new Map<string, ShardTensor[]>();
  for (const tensor of tensors) {
    const key = keyOf(model, tensor);
    parts.set(key, [...(parts.get(key) ?? []), tensor]);
  }
  return parts;
}
