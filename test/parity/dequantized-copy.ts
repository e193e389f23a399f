import { open } from "node:fs/promises";
import { dequantize, type Engine, GgmlType } from "@rhone/ggml";
import { GgufWriter, openGguf, readTensorBytes } from "@rhone/model";

/** Copies the GGUF file `from` to `to` with every tensor as F32: the same model without rounded products. */
export async function writeDequantized(engine: Engine, from: string, to: string): Promise<void> {
  const { tensors, metadata } = await openGguf(from);
  const infos = [...tensors.values()];
  const plans = infos.map(({ name, ne }) => ({ name, ne, type: GgmlType.F32 }));
  const writer = await GgufWriter.create(to, { metadata, tensors: plans });
  const handle = await open(from, "r");
  try {
    for (const info of infos) {
      const values = dequantize(engine, info.type, await readTensorBytes(handle, info));
      await writer.write(info.name, new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    }
    await writer.commit();
  } catch (error) {
    await writer.abort();
    throw error;
  } finally {
    await handle.close();
  }
}
