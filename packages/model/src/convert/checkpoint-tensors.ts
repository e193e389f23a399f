import { RhoneError } from "@rhone/common/rhone-error";
import type { ModelTensor } from "../architectures/model-tensors.js";
import type { CheckpointConfig } from "./hugging-face-config.js";
import type { CheckpointTensor } from "./safetensors.js";

/** RoPE frequencies, which old checkpoints store although they follow from rope_theta. */
const UNUSED = /^model\.layers\.\d+\.self_attn\.rotary_emb\.inv_freq$/;

/**
 * The checkpoint's tensor behind each of `wanted`, by GGUF name. Throws TENSOR_MISSING, CHECKPOINT_MALFORMED for a
 * shape that config.json contradicts, and TENSOR_UNEXPECTED for a tensor that would be left out (inv_freq, and the copy
 * of the embedding that tied checkpoints may store as lm_head, are known and not needed).
 */
export function matchCheckpoint(
  checkpoint: ReadonlyMap<string, CheckpointTensor>,
  wanted: readonly ModelTensor[],
  { dir, config }: { readonly dir: string; readonly config: CheckpointConfig },
): ReadonlyMap<string, CheckpointTensor> {
  const matched = new Map<string, CheckpointTensor>();
  const used = new Set(config.tiedEmbeddings ? ["lm_head.weight"] : []);
  for (const { name, checkpointName, ne } of wanted) {
    if (checkpointName === undefined) continue;
    matched.set(name, findSource(checkpoint, { name: checkpointName, ne, dir }));
    used.add(checkpointName);
  }
  for (const name of checkpoint.keys()) {
    if (used.has(name) || UNUSED.test(name)) continue;
    throw new RhoneError(
      "TENSOR_UNEXPECTED",
      `${dir}: a ${config.architecture.name} model has no tensor ${name}; leaving it out would make another model.`,
    );
  }
  return matched;
}

function findSource(
  checkpoint: ReadonlyMap<string, CheckpointTensor>,
  { name, ne, dir }: { readonly name: string; readonly ne: readonly number[]; readonly dir: string },
): CheckpointTensor {
  const source = checkpoint.get(name);
  if (source === undefined) throw new RhoneError("TENSOR_MISSING", `${dir}: the tensor ${name} is missing.`);
  const expected = ne.toReversed();
  if (source.shape.join() === expected.join()) return source;
  throw new RhoneError(
    "CHECKPOINT_MALFORMED",
    `${source.path}: ${name} has the shape [${source.shape.join(", ")}], but config.json gives [${expected.join(", ")}].`,
  );
}
