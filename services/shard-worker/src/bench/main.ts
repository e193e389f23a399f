import { arch, cpus, platform } from "node:os";
import { median } from "@rhone/bench";
import { openEngine } from "@rhone/ggml";
import { benchOptions } from "./bench-options.js";
import { LlamaBench } from "./llama-bench.js";
import { type BenchedStep, ShardBench } from "./shard-bench.js";

const options = benchOptions(process.argv.slice(2));
const print = (line: string): void => {
  process.stdout.write(`${line}\n`);
};
const engine = openEngine({});
const shard = await ShardBench.open(engine, options);
const llama = options.reference ? LlamaBench.open(engine, options) : undefined;

print(
  `${cpus()[0]?.model}, ${cpus().length} CPUs, ${platform()} ${arch()}; ggml ${engine.version}; computed with ${shard.kernels}`,
);
print(
  `${options.threads} threads; medians of ${options.rounds} rounds of ${options.steps} steps, milliseconds per step\n`,
);
print("| | build | fill | compute | read | step | tokens/s | llama_decode | tokens/s | ratio |");
print("| --- | --: | --: | --: | --: | --: | --: | --: | --: | --: |");

for (const context of options.contexts)
  for (const batch of options.batches)
    await cell(`decode x${batch} at ${context}`, batch, {
      ours: () => shard.decode(batch, context, options.steps),
      theirs: (reference) => reference.decode(batch, context, options.steps),
    });
for (const rows of options.prefills)
  await cell(`prefill ${rows}`, rows, {
    ours: async () => [await shard.prefill(rows)],
    theirs: (reference) => [reference.prefill(rows)],
  });

llama?.close();
shard.close();

interface Contenders {
  readonly ours: () => Promise<readonly BenchedStep[]>;
  readonly theirs: (reference: LlamaBench) => readonly number[];
}

/** Runs the two in turn and prints a row. */
async function cell(name: string, rows: number, { ours, theirs }: Contenders): Promise<void> {
  const steps: BenchedStep[] = [];
  const peers: number[] = [];
  for (let round = 0; round < options.rounds; round++) {
    steps.push(...(await ours()));
    if (llama !== undefined) peers.push(...theirs(llama));
  }
  const of = (key: keyof BenchedStep): number => median(steps.map((step) => step[key]));
  const ms = (["build", "fill", "compute", "read", "total"] as const).map((key) => of(key).toFixed(2));
  const rate = (milliseconds: number): string => ((1000 * rows) / milliseconds).toFixed(1);
  const peer = median(peers);
  const beside = llama === undefined ? ["", "", ""] : [peer.toFixed(2), rate(peer), (peer / of("total")).toFixed(3)];
  print(`| ${[name, ...ms, rate(of("total")), ...beside].join(" | ")} |`);
}
