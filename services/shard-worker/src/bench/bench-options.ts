import { parseArgs } from "node:util";
import { KERNEL_CHOICES, type KernelChoice, RhoneError } from "@rhone/common";

export interface BenchOptions {
  readonly model: string;
  readonly threads: number;
  /** Layers [first, last) of the model; undefined = all of them, and llama.cpp beside them. */
  readonly layers: readonly [number, number] | undefined;
  readonly batches: readonly number[];
  readonly contexts: readonly number[];
  readonly prefills: readonly number[];
  /** Measured steps per round, and rounds that alternate with llama.cpp's. */
  readonly steps: number;
  readonly rounds: number;
  readonly reference: boolean;
  /** What our side computes with. */
  readonly kernels: KernelChoice;
}

/** Token ids that every model has: the smallest vocabulary of `rhone model synth` has 512. */
export const tokenAt = (row: number): number => 3 + (row % 500);

const numbers = (text: string): number[] => (text === "" ? [] : text.split(",").map(Number));

/** Reads the command line. Throws INVALID_CONFIG without a model. */
export function benchOptions(args: readonly string[]): BenchOptions {
  const text = (value: string) => ({ type: "string", default: value }) as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      model: { type: "string" },
      threads: text("2"),
      layers: { type: "string" },
      batches: text("1,2,4,8,16,32"),
      contexts: text("64,1500"),
      prefills: text("32,128,512"),
      steps: text("8"),
      rounds: text("3"),
      kernels: text("auto"),
      "no-reference": { type: "boolean", default: false },
    },
  });
  const { model, layers } = values;
  if (model === undefined) throw new RhoneError("INVALID_CONFIG", "--model FILE.gguf is needed.");
  const [first = 0, last = 0] = (layers ?? "").split("-").map(Number);
  return {
    model,
    threads: Number(values.threads),
    layers: layers === undefined ? undefined : [first, last],
    batches: numbers(values.batches),
    contexts: numbers(values.contexts),
    prefills: numbers(values.prefills),
    steps: Number(values.steps),
    rounds: Number(values.rounds),
    kernels: kernelChoice(values.kernels),
    reference: !values["no-reference"] && layers === undefined,
  };
}

/** Throws INVALID_CONFIG. */
function kernelChoice(name: string): KernelChoice {
  const choice = KERNEL_CHOICES.find((each) => each === name);
  if (choice !== undefined) return choice;
  throw new RhoneError("INVALID_CONFIG", `--kernels ${name} is none of ${KERNEL_CHOICES.join(", ")}.`);
}
