import { access, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { RhoneError } from "@rhone/common/rhone-error";
import { CATALOGUE, type CatalogueEntry, findModel, findModelOfFile } from "./catalogue.js";
import { nearestNames } from "./nearest-names.js";

/** The folder of pulled models unless a setting names another. */
export const defaultModelsDir = (): string => join(homedir(), ".rhone", "models");

/** The repository's root, which holds `models/`: four levels above this file, in src and in dist. */
const REPOSITORY_ROOT = fileURLToPath(new URL("../../../../", import.meta.url));

export interface ResolvedModel {
  readonly path: string;
  /** The catalogue's entry, also found for a path by its file name. */
  readonly entry: CatalogueEntry | undefined;
}

export interface ModelSearch {
  /** The folder of pulled models. */
  readonly modelsDir: string;
  /** Completes a command that a refusal suggests: "model ls" -> "rhone model ls". */
  readonly rhone?: (args: string) => string;
}

/**
 * The file of a catalogue name or of a path, which has a slash, ends in .gguf or is a file's. Throws MODEL_NOT_FOUND:
 * for a known model that was not pulled it gives the command that pulls it, for an unknown name the nearest known ones.
 */
export async function resolveModel(nameOrPath: string, search: ModelSearch): Promise<ResolvedModel> {
  const { modelsDir, rhone = (args) => `rhone ${args}` } = search;
  const entry = findModel(nameOrPath);
  if (entry !== undefined && !nameOrPath.includes("/")) return resolveEntry(entry, { modelsDir, rhone });
  const isPath = nameOrPath.includes("/") || nameOrPath.endsWith(".gguf");
  if (!isPath && !(await isFile(nameOrPath))) throw unknownName(nameOrPath, rhone);
  for (const path of [resolve(nameOrPath), join(modelsDir, nameOrPath)]) {
    if (await isFile(path)) return { path, entry: findModelOfFile(path) };
  }
  throw await noFile(resolve(nameOrPath));
}

/** The path of an entry's file, pulled or not. */
export function modelPath({ source, file }: CatalogueEntry, modelsDir: string): string {
  return source.kind === "embedded" ? join(REPOSITORY_ROOT, source.path) : join(modelsDir, file);
}

async function resolveEntry(
  entry: CatalogueEntry,
  { modelsDir, rhone }: Required<ModelSearch>,
): Promise<ResolvedModel> {
  const path = modelPath(entry, modelsDir);
  if (await isFile(path)) return { path, entry };
  const next =
    entry.source.kind === "embedded"
      ? `The file of ${entry.name}, ${path}, is missing; restore it from the repository.`
      : `${entry.name} is not in ${modelsDir}; fetch it with: ${rhone(`model pull ${entry.name}`)}`;
  throw new RhoneError("MODEL_NOT_FOUND", next, { param: "model" });
}

function unknownName(name: string, rhone: Required<ModelSearch>["rhone"]): RhoneError {
  const near = nearestNames(
    name,
    CATALOGUE.map((entry) => entry.name),
  );
  const hint = near.length > 0 ? ` Did you mean ${near.join(" or ")}?` : "";
  return new RhoneError(
    "MODEL_NOT_FOUND",
    `There is no model named ${name}.${hint} List models with \`${rhone("model ls")}\`, fetch one with ` +
      `\`${rhone("model pull NAME")}\`, or give the path of a GGUF file.`,
    { param: "model" },
  );
}

async function isFile(path: string): Promise<boolean> {
  return access(path).then(
    async () => (await stat(path)).isFile(),
    () => false,
  );
}

async function noFile(path: string): Promise<RhoneError> {
  const isFolder = await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
  const message = isFolder
    ? `${path} is a directory; name a GGUF file, or make one from a Hugging Face checkpoint with \`rhone model convert\`.`
    : `There is no file ${path}.`;
  return new RhoneError("MODEL_NOT_FOUND", message, { param: "model" });
}
