import { existsSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { RhoneError } from "@rhone/common/rhone-error";
import { devicePackagesOf } from "./device-packages.js";
import { MAIN_PACKAGES, thisPlatform } from "./main-packages.js";

/** Paths of the native libraries. */
export interface LibraryFiles {
  readonly dir: string;
  readonly base: string;
  readonly registry: string;
  readonly llama: string;
  /** Device backends (CUDA, Vulkan) from packages installed beside the main one. */
  readonly extraBackends: readonly string[];
  /** False for another build, whose patch version may differ. */
  readonly pinned: boolean;
}

/** Matches libggml.so, libggml.v0.5.0.so, libggml.0.dylib and ggml.dll for "ggml". */
const libraryPattern = (name: string): RegExp =>
  new RegExp(`^(lib)?${name}(\\.[v\\d][\\d.]*)?\\.(so|dylib|dll)([\\d.]*)?$`);
const DEVICE_PATTERN = /^(lib)?ggml-(cuda|vulkan|metal|hip|sycl|opencl)(-ext)?\.(so|dylib|dll)$/;

const findIn = (dir: string, name: string): string | undefined => {
  const file = readdirSync(dir).find((entry) => libraryPattern(name).test(entry));
  return file === undefined ? undefined : join(dir, file);
};

/** The folder with a prebuilt package's libraries (`bins/<platform>`), or undefined when it is not installed. */
function packageFolder(name: string): string | undefined {
  try {
    const entry = createRequire(import.meta.url).resolve(`@node-llama-cpp/${name}`);
    const folder = join(dirname(entry), "..", "bins", name);
    return existsSync(folder) ? folder : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Finds the libraries in `dir`, or in this platform's prebuilt package.
 * Throws GGML_LIBRARY_MISSING naming the package or the file that is missing.
 */
export function findLibraries(dir?: string): LibraryFiles {
  const platform = thisPlatform();
  const main = MAIN_PACKAGES[platform]?.name;
  const folder = dir ?? (main === undefined ? undefined : packageFolder(main));
  if (folder === undefined) throw missingPackage(platform, main);
  if (!existsSync(folder)) {
    throw new RhoneError(
      "GGML_LIBRARY_MISSING",
      `There is no folder ${folder}. Point RHONE_GGML_DIR at a build of llama.cpp, or unset it for the prebuilt one.`,
    );
  }
  return {
    dir: folder,
    base: libraryIn(folder, "ggml-base"),
    registry: libraryIn(folder, "ggml"),
    llama: libraryIn(folder, "llama"),
    extraBackends: dir === undefined ? deviceBackends(platform) : [],
    pinned: dir === undefined,
  };
}

function libraryIn(folder: string, name: string): string {
  const file = findIn(folder, name);
  if (file !== undefined) return file;
  const message =
    `${folder} has no lib${name} (.so, .dylib or .dll). ` +
    "It must contain ggml-base, ggml and llama, built as shared libraries.";
  throw new RhoneError("GGML_LIBRARY_MISSING", message);
}

function missingPackage(platform: string, main: string | undefined): RhoneError {
  const advice =
    main === undefined
      ? `There is no prebuilt ggml for ${platform}. Build llama.cpp with shared libraries, ` +
        "and point RHONE_GGML_DIR at their folder."
      : `The package @node-llama-cpp/${main} is not installed. Run \`npm install --include=optional\`, ` +
        "or point RHONE_GGML_DIR at a build of llama.cpp.";
  return new RhoneError("GGML_LIBRARY_MISSING", advice);
}

const deviceBackends = (platform: string): string[] =>
  devicePackagesOf(platform)
    .map(packageFolder)
    .filter((folder) => folder !== undefined)
    .flatMap((folder) =>
      readdirSync(folder)
        .filter((file) => DEVICE_PATTERN.test(file))
        .map((file) => join(folder, file)),
    );
