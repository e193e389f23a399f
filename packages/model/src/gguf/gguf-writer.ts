import { randomUUID } from "node:crypto";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { RhoneError } from "@rhone/common/rhone-error";
import type { GgmlType } from "@rhone/ggml";
import { encodeHeader, type TensorPlacement } from "./encode-header.js";
import type { GgufValue } from "./gguf-value.js";
import { dividesIntoBlocks, tensorBytes, tensorTypeName } from "./tensor-type.js";

const ALIGNMENT = 32;

/** A tensor to write; `ne` innermost first. */
export interface TensorPlan {
  readonly name: string;
  readonly type: GgmlType;
  readonly ne: readonly number[];
}

/**
 * Writes one GGUF v3 file front to back: the header first, then the tensors' bytes in the planned order, in pieces of
 * any size. The bytes go to a `.partial` file in the same folder; `commit()` checks that nothing is missing, flushes
 * and renames, so the final name never shows half a file. `abort()` removes the partial file. Throws
 * TENSOR_TYPE_UNSUPPORTED when a tensor cannot be stored as planned, DISK_FULL.
 */
export class GgufWriter {
  readonly path: string;
  /** Bytes of the finished file. */
  readonly fileBytes: number;
  readonly #partialPath: string;
  readonly #handle: FileHandle;
  readonly #pending: readonly PendingTensor[];
  #current = 0;
  #written = 0;

  private constructor(state: WriterState) {
    this.path = state.path;
    this.fileBytes = state.fileBytes;
    this.#partialPath = state.partialPath;
    this.#handle = state.handle;
    this.#pending = state.pending;
  }

  static async create(
    path: string,
    content: { readonly metadata: ReadonlyMap<string, GgufValue>; readonly tensors: readonly TensorPlan[] },
  ): Promise<GgufWriter> {
    const pending = content.tensors.map(measure);
    const placements = place(pending);
    const header = encodeHeader(content.metadata, placements, ALIGNMENT);
    const fileBytes = header.length + pending.reduce((sum, { bytes }) => sum + padded(bytes), 0);
    const partialPath = `${path}.${randomUUID().slice(0, 8)}.partial`;
    const handle = await open(partialPath, "wx");
    const writer = new GgufWriter({ path, fileBytes, partialPath, handle, pending });
    await writer.#append(header);
    return writer;
  }

  /** Appends bytes of tensor `name`, the first one that is not complete. `bytes` is borrowed during the call. */
  async write(name: string, bytes: Uint8Array): Promise<void> {
    const tensor = this.#pending[this.#current];
    if (tensor?.name !== name || this.#written + bytes.length > tensor.bytes) {
      const expected = tensor === undefined ? "the end" : `${tensor.bytes - this.#written} bytes of ${tensor.name}`;
      throw new RhoneError("INTERNAL", `${this.path}: got ${bytes.length} bytes of ${name}, but expected ${expected}.`);
    }
    await this.#append(bytes);
    this.#written += bytes.length;
    if (this.#written < tensor.bytes) return;
    await this.#append(new Uint8Array(padded(tensor.bytes) - tensor.bytes));
    this.#current++;
    this.#written = 0;
  }

  /** Flushes to disk and gives the file its name, replacing an older file. Ends the writer's life. */
  async commit(): Promise<void> {
    const missing = this.#pending[this.#current];
    if (missing !== undefined)
      throw new RhoneError("INTERNAL", `${this.path}: ${missing.name} was not written completely.`);
    await this.#handle.sync();
    await this.#handle.close();
    await rename(this.#partialPath, this.path);
    await syncFolder(dirname(this.path));
  }

  /** Closes and removes the partial file. Safe after a failure; never throws. */
  async abort(): Promise<void> {
    await this.#handle.close().catch(() => undefined);
    await rm(this.#partialPath, { force: true }).catch(() => undefined);
  }

  async #append(bytes: Uint8Array): Promise<void> {
    try {
      let done = 0;
      while (done < bytes.length) {
        const { bytesWritten } = await this.#handle.write(bytes, done, bytes.length - done);
        done += bytesWritten;
      }
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== "ENOSPC") throw cause;
      throw new RhoneError("DISK_FULL", `The disk is full: ${this.path} needs ${this.fileBytes} bytes.`, {
        cause,
      });
    }
  }
}

interface PendingTensor extends TensorPlan {
  readonly bytes: number;
}

interface WriterState {
  readonly path: string;
  readonly fileBytes: number;
  readonly partialPath: string;
  readonly handle: FileHandle;
  readonly pending: readonly PendingTensor[];
}

const padded = (bytes: number): number => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;

function measure(tensor: TensorPlan): PendingTensor {
  const rowElements = tensor.ne[0] ?? 0;
  if (rowElements === 0 || !dividesIntoBlocks(tensor.type, rowElements)) {
    const shape = tensor.ne.join(", ");
    throw new RhoneError(
      "TENSOR_TYPE_UNSUPPORTED",
      `${tensor.name} of shape [${shape}] cannot be stored as ${tensorTypeName(tensor.type)}: its rows do not divide into blocks.`,
    );
  }
  return { ...tensor, bytes: tensorBytes(tensor.type, tensor.ne) };
}

function place(tensors: readonly PendingTensor[]): TensorPlacement[] {
  let offset = 0;
  return tensors.map(({ name, type, ne, bytes }) => {
    const placement = { name, type, ne, offset };
    offset += padded(bytes);
    return placement;
  });
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r").catch(() => undefined);
  // Some file systems refuse to sync a folder; the rename is done in any case.
  await handle?.sync().catch(() => undefined);
  await handle?.close();
}
