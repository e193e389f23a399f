// Compiles the kernels. Needs the packages to be built (`npm run build`).
//   node packages/kernels/build.mjs               for this machine, with c++, clang++ or $CXX, into build/
//   node packages/kernels/build.mjs --prebuilt    for every platform that ships, with `zig` or $ZIG, into prebuilt/
// With --symbols FOLDER either compiles for this machine alone, into FOLDER, and keeps the names that profilers read.
// zig is a package of PyPI: python3 -m venv .zig && .zig/bin/pip install ziglang==0.17.1, then
// ZIG=".zig/bin/python -m ziglang".
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import { fileHash, kernelsPlatform, LIBRARY_NAME, sourcesHash } from "./dist/index.js";

const run = promisify(execFile);
const HERE = fileURLToPath(new URL(".", import.meta.url));
const NATIVE = join(HERE, "native");
const { prebuilt, symbols } = parseArgs({
  options: { prebuilt: { type: "boolean", default: false }, symbols: { type: "string" } },
}).values;

/** No C++ library, no exceptions: the result needs nothing but the C library, its mathematics and its threads. */
const COMPILE =
  "-std=c++17 -O3 -fPIC -fvisibility=hidden -fno-exceptions -fno-rtti -fno-threadsafe-statics -ffp-contract=off " +
  "-Wall -Wextra -Werror";
const LINK = {
  linux: "-shared -nodefaultlibs -Wl,--build-id=none -Wl,-z,defs",
  darwin: "-dynamiclib -Wl,-install_name,@rpath/librhone-kernels.so",
};
const LIBRARIES = { linux: "-lm -lpthread -lc", darwin: "" };

/** Files named for an instruction set are compiled for it, all others for every processor of the platform. */
const INSTRUCTION_SETS = {
  x64: {
    avx2: "-mavx2 -mfma -mf16c",
    "avx512-vnni": "-mavx2 -mfma -mf16c -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512vnni",
    "amx-int8": "-mavx2 -mfma -mf16c -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512vnni -mamx-tile -mamx-int8",
  },
  arm64: { "neon-dotprod": "-mcpu=generic+dotprod", neon: "" },
};

/** The platforms that ship, by zig's names. Node 20 itself needs a younger glibc than 2.17. */
const TARGETS = {
  "linux-x64": "x86_64-linux-gnu.2.17",
  "linux-x64-musl": "x86_64-linux-musl",
  "linux-arm64": "aarch64-linux-gnu.2.17",
  "linux-arm64-musl": "aarch64-linux-musl",
  "darwin-x64": "x86_64-macos",
  "darwin-arm64": "aarch64-macos",
};

const words = (text) => text.split(" ").filter(Boolean);

/** Every C++ file of `native`, tests excluded. */
const sources = readdirSync(NATIVE, { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".cpp") && !/(^|[\\/])testing[\\/]/.test(name))
  .sort();

/** Flags for the instruction set that a source is named for; undefined when this architecture lacks it. */
function instructionsOf(source, architecture) {
  for (const [name, sets] of Object.entries(INSTRUCTION_SETS)) {
    const set = Object.keys(sets).find((each) => basename(source).includes(each));
    if (set !== undefined) return name === architecture ? words(sets[set]) : undefined;
  }
  return [];
}

/** Compiles the sources with `compiler`, a command and its first arguments, into `folder`/`platform`. */
async function build([command, ...first], folder, platform) {
  const objects = mkdtempSync(join(tmpdir(), "rhone-kernels-"));
  const library = join(folder, platform, LIBRARY_NAME);
  const [system, architecture] = platform.split("-");
  const waiting = sources.flatMap((source, index) => {
    const instructions = instructionsOf(source, architecture);
    return instructions === undefined ? [] : [{ source, instructions, object: join(objects, `${index}.o`) }];
  });
  const files = waiting.map(({ object }) => object);
  const compileNext = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const { source, instructions, object } = next;
      const flags = [...words(COMPILE), ...instructions, `-ffile-prefix-map=${NATIVE}=native`];
      await run(command, [...first, ...flags, "-c", join(NATIVE, source), "-o", object]);
    }
  };
  try {
    mkdirSync(join(folder, platform), { recursive: true });
    await Promise.all(Array.from({ length: availableParallelism() }, compileNext));
    const link = [...words(LINK[system]), ...(symbols === undefined ? ["-s"] : [])];
    await run(command, [...first, ...link, ...files, ...words(LIBRARIES[system]), "-o", library]);
  } finally {
    rmSync(objects, { recursive: true });
  }
  return library;
}

/** Builds for each platform, and records what was built from what. */
async function buildAll(folder, commands) {
  const files = {};
  let version = "";
  for (const [platform, compiler] of Object.entries(commands)) {
    version ||= await versionOf(compiler);
    const library = await build(compiler, folder, platform);
    files[`${platform}/${LIBRARY_NAME}`] = fileHash(library);
    process.stdout.write(`${library}\n`);
  }
  const record = { sources: sourcesHash(NATIVE), compiler: version, files };
  writeFileSync(join(folder, "hashes.json"), `${JSON.stringify(record, null, 2)}\n`);
}

/** The first line that the compiler says of itself. */
async function versionOf([command, ...first]) {
  const { stdout } = await run(command, [
    ...first.filter((word) => !/^-target$|-(linux|macos)/.test(word)),
    "--version",
  ]);
  return stdout.split("\n")[0].trim();
}

/** The first of c++ and clang++ that runs, unless CXX says another. */
async function compilerHere() {
  for (const compiler of process.env.CXX === undefined ? ["c++", "clang++"] : [process.env.CXX]) {
    const found = await versionOf(words(compiler)).catch(() => undefined);
    if (found !== undefined) return words(compiler);
  }
  throw new Error("There is no C++ compiler. Install gcc or clang, or name one in CXX.");
}

/** The command of the compiler for each platform to build for. */
async function compilers() {
  const here = kernelsPlatform();
  if (!prebuilt) return { [here]: await compilerHere() };
  const zig = [...words(process.env.ZIG ?? "zig"), "c++"];
  const targets = Object.entries(TARGETS).filter(([platform]) => symbols === undefined || platform === here);
  return Object.fromEntries(targets.map(([platform, target]) => [platform, [...zig, "-target", target]]));
}

const main = async () => buildAll(symbols ?? join(HERE, prebuilt ? "prebuilt" : "build"), await compilers());

main().catch((error) => {
  process.stderr.write(`${error.stderr || error.message}\n`);
  process.exitCode = 1;
});
