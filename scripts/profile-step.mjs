// Where the processor time of a step goes. Linux, with perf; the compiler of the kernels in use gives them their names.
//   node scripts/profile-step.mjs --model FILE [--batches 1,8,32] [--prefills 256] [--context 512] [--threads 2]
//     [--kernels auto] [--steps 24]
// ZIG as for `node packages/kernels/build.mjs --prebuilt`. Each column is a run of the stage bench, without llama.cpp.
import { execFile, execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { open, writeFile } from "node:fs/promises";
import { cpus, tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL("..", import.meta.url));
const built = (path) => import(new URL(`../${path}/dist/index.js`, import.meta.url).href);
const SAMPLES_PER_SECOND = 999;
const LIBRARY = /^librhone-kernels/;
const PRODUCTS = "products";

/** Kinds of work by the file that the code is in and its function; the first that fits counts. */
const KINDS = [
  [PRODUCTS, LIBRARY, /blocks|Sums<|store_sums|multiply|compute_products/i],
  ["attention", LIBRARY, /attend|Tile|weigh|mix/],
  ["quantization, norms, SwiGLU", LIBRARY, /quantize/],
  ["RoPE, K and V to pages", LIBRARY, /write|rotat/],
  ["tokens from logits", LIBRARY, /read_rows|compute_read|place_of|sum_through|id_of_best/],
  ["waiting for other threads", /^lib(rhone-kernels|ggml)/, /spin|barrier|graph_compute|thread/],
  ["other kernels", LIBRARY, /./],
  ["ggml", /^libggml/, /./],
  ["Node.js and JavaScript", /^node|perf-|koffi|JIT/, /./],
  ["Linux, C library", /./, /./],
];

/** Samples by kind, from lines `samples;file;[.] function` of a report. */
export function samplesByKind(report) {
  const sums = new Map(KINDS.map(([kind]) => [kind, 0]));
  for (const line of report.split("\n")) {
    const [, count, file, name] = /^\s*(\d+)\s*;([^;]*);\s*(?:\[.\])?\s*(.*)$/.exec(line) ?? [];
    if (count === undefined) continue;
    const [kind] = KINDS.find(([, files, names]) => files.test(file.trim()) && names.test(name || "?"));
    sums.set(kind, sums.get(kind) + Number(count));
  }
  return sums;
}

/** A table with a column per point: shares of the samples, then figures that follow from them. */
export function tableOf(points) {
  const rows = KINDS.map(([kind]) => [kind, ...points.map(({ samples }) => share(samples, kind))]);
  rows.push(["processor time per step, ms", ...points.map((point) => (stepSeconds(point) * 1e3).toFixed(1))]);
  rows.push(["products, GMAC/s per core", ...points.map((point) => productRate(point).toFixed(1))]);
  const head = ["", ...points.map(({ name }) => name)];
  return [head, head.map((_, column) => (column === 0 ? "---" : "---:")), ...rows]
    .map((cells) => `| ${cells.join(" | ")} |`)
    .join("\n");
}

const total = (samples) => [...samples.values()].reduce((sum, count) => sum + count, 0);
const share = (samples, kind) => `${((100 * samples.get(kind)) / total(samples)).toFixed(1)} %`;
const stepSeconds = ({ samples, steps }) => total(samples) / SAMPLES_PER_SECOND / steps;
const productRate = ({ samples, steps, macs }) => (macs * steps * SAMPLES_PER_SECOND) / samples.get(PRODUCTS) / 1e9;

/** The kernels in use, compiled again with their symbols, in a folder where perf finds them by their path. */
async function withSymbols(folder) {
  const { findKernels } = await built("packages/kernels");
  const { path, origin } = findKernels();
  const place = join(folder, dirname(path));
  mkdirSync(place, { recursive: true });
  const kind = origin === "prebuilt" ? ["--prebuilt"] : [];
  await run("node", [join(ROOT, "packages/kernels/build.mjs"), "--symbols", dirname(place), ...kind]);
  const code = (file) => {
    execFileSync("objcopy", ["-O", "binary", "--only-section=.text", file, join(folder, "text")]);
    return readFileSync(join(folder, "text"));
  };
  if (!code(path).equals(code(join(place, basename(path)))))
    throw new Error(`${path} was built by another compiler: hashes.json beside it says by which.`);
  symlinkSync(join(ROOT, "node_modules"), join(folder, ROOT, "node_modules"));
}

/** Runs the bench with `args` under perf, from the time that it has loaded the model. */
async function profile(folder, args) {
  const [control, answers, data] = ["control", "answers", "data"].map((name) => join(folder, name));
  rmSync(data, { force: true });
  for (const pipe of [control, answers]) rmSync(pipe, { force: true });
  execFileSync("mkfifo", [control, answers]);
  const record = ["record", "-e", "cpu-clock", "-F", `${SAMPLES_PER_SECOND}`, "-D", "-1", "-o", data];
  const bench = ["node", join(ROOT, "services/shard-worker/dist/bench/main.js"), ...args];
  const answer = await open(answers, "r+");
  const child = spawn("perf", [...record, `--control=fifo:${control},${answers}`, "--", ...bench], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  for await (const chunk of child.stdout) {
    const isReady = !output.includes("--:") && `${output}${chunk}`.includes("--:");
    output += chunk;
    if (isReady) await writeFile(control, "enable\n");
  }
  await answer.close();
  process.stderr.write(output);
  const { stdout } = await run(
    "perf",
    ["report", "-i", data, "--stdio", "--symfs", folder, "-F", "sample,dso,sym", "-t", ";"],
    { maxBuffer: 2 ** 28 },
  );
  return samplesByKind(stdout);
}

/** Multiplications of one row in the layers, and in the head. */
async function macsOf(path) {
  const { openGguf, readModelConfig, tensorsOfShard } = await built("packages/model");
  const file = await openGguf(path);
  const config = readModelConfig(file);
  const whole = { first: 0, last: config.nLayers, embeds: true, heads: true };
  const products = tensorsOfShard(config, file, whole).filter(({ use }) => use === "matmul");
  const sum = (tensors) => tensors.reduce((all, { ne }) => all + ne.reduce((a, b) => a * b, 1), 0);
  const isHead = ({ role }) => role === "output";
  return { layers: sum(products.filter((each) => !isHead(each))), head: sum(products.filter(isHead)) };
}

async function main() {
  const text = (value) => ({ type: "string", default: value });
  const { values } = parseArgs({
    options: {
      model: { type: "string" },
      ...{ batches: text("1,8,32"), prefills: text(""), context: text("512") },
      ...{ threads: text("2"), kernels: text("auto"), steps: text("24") },
    },
  });
  const { model, context, threads, kernels, steps } = values;
  const folder = mkdtempSync(join(tmpdir(), "rhone-profile-"));
  const common = [
    "--model",
    model,
    "--contexts",
    context,
    "--threads",
    threads,
    "--kernels",
    kernels,
    "--no-reference",
  ];
  const list = (numbers) => numbers.split(",").filter(Boolean).map(Number);
  const decode = (rows) => ({
    ...{ name: `${rows} streams`, rows, heads: rows, steps: Number(steps) + 1 }, // one more than the bench counts
    args: ["--batches", `${rows}`, "--prefills", "", "--steps", steps, "--rounds", "1"],
  });
  const prefill = (rows) => ({
    ...{ name: `prefill of ${rows}`, rows, heads: 1, steps: Number(steps) },
    args: ["--batches", "", "--prefills", `${rows}`, "--rounds", steps],
  });
  try {
    await withSymbols(folder);
    const macs = await macsOf(model);
    const points = [];
    for (const point of [...list(values.batches).map(decode), ...list(values.prefills).map(prefill)]) {
      const samples = await profile(folder, [...common, ...point.args]);
      points.push({ ...point, samples, macs: macs.layers * point.rows + macs.head * point.heads });
    }
    console.log(
      `${cpus()[0].model}, ${threads} threads, ${context} positions, kernels ${kernels}\n\n${tableOf(points)}`,
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
