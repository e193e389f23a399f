import { cpus } from "node:os";
import { median } from "@rhone/bench";
import { openEngine } from "@rhone/ggml";
import { benchOptions } from "./bench-options.js";
import { type Drawing, DrawingBench } from "./drawing-bench.js";

const GREEDY = { temperature: 0, topP: 1, repetitionPenalty: 1 };
const WARM = { ...GREEDY, temperature: 0.7 };
const constraint = { grammar: 'root ::= [^"]*', lastPosition: 1_000_000 };

const DRAWINGS: Readonly<Record<string, Drawing>> = {
  greedy: { sampling: GREEDY },
  "temperature 0.7": { sampling: WARM },
  "temperature 0.7, top_p 0.95": { sampling: { ...WARM, topP: 0.95 } },
  "temperature 0.7, top_k 40": { sampling: { ...WARM, topK: 40 } },
  "20 log-probabilities": { sampling: { ...GREEDY, logprobs: true, topLogprobs: 20 } },
  grammar: { sampling: GREEDY, constraint },
  "grammar, 20 log-probabilities, temperature 0.7": {
    sampling: { ...WARM, logprobs: true, topLogprobs: 20 },
    constraint,
  },
  penalties: { sampling: { ...GREEDY, repetitionPenalty: 1.1, presencePenalty: 0.5 } },
};

const options = benchOptions(process.argv.slice(2));
const print = (line: string): void => {
  process.stdout.write(`${line}\n`);
};
const bench = await DrawingBench.open(openEngine({}), options);
const { batches, steps, kernels, threads } = options;
print(`${cpus()[0]?.model}; ${bench.nVocab} tokens, kernels ${kernels}, ${threads} threads`);
print("milliseconds from a step's logits to its tokens: median (least)\n");
print(`| rows | ${batches.join(" | ")} |`);
print(`| --- |${" --: |".repeat(batches.length)}`);
for (const [name, drawing] of Object.entries(DRAWINGS)) {
  const cells: string[] = [];
  for (const rows of batches) {
    const times = await bench.times(drawing, rows, steps);
    cells.push(`${median(times).toFixed(1)} (${Math.min(...times).toFixed(1)})`);
  }
  print(`| ${[name, ...cells].join(" | ")} |`);
}
bench.close();
process.exit(0);
