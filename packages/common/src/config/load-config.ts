import { parseArgs } from "node:util";
import type { z } from "zod";
import { RhoneError } from "../errors/rhone-error.js";

/** One setting: its flag is the key in kebab case, its variable is `env`, its default lies in the schema. */
export interface Setting<S extends z.ZodType = z.ZodType> {
  readonly env: string;
  readonly schema: S;
  readonly doc: string;
}

export type Settings = Readonly<Record<string, Setting>>;
export type ConfigOf<T extends Settings> = { readonly [K in keyof T]: z.output<T[K]["schema"]> };

const kebab = (key: string): string => key.replaceAll(/[A-Z]/g, (c) => `-${c.toLowerCase()}`);

function parseFlags(
  settings: Settings,
  argv: readonly string[],
  problems: string[],
): Readonly<Record<string, unknown>> {
  const options = Object.fromEntries(Object.keys(settings).map((key) => [kebab(key), { type: "string" as const }]));
  try {
    return parseArgs({ args: [...argv], options, allowPositionals: false }).values;
  } catch (error) {
    problems.push(error instanceof Error ? error.message : String(error));
    return {};
  }
}

/**
 * Reads every setting from its flag, else its variable, else its default; returns a frozen object.
 * Throws INVALID_CONFIG that names all bad settings together. An unknown flag is an error, an empty variable counts as unset.
 */
export function loadConfig<T extends Settings>(
  settings: T,
  env: Readonly<Record<string, string | undefined>>,
  argv: readonly string[],
): ConfigOf<T> {
  const problems: string[] = [];
  const flags = parseFlags(settings, argv, problems);
  const config: Record<string, unknown> = {};
  for (const [key, setting] of Object.entries(settings)) {
    const flag = flags[kebab(key)];
    const raw = flag ?? (env[setting.env] === "" ? undefined : env[setting.env]);
    const parsed = setting.schema.safeParse(raw);
    if (parsed.success) config[key] = parsed.data;
    else {
      const source = flag === undefined ? setting.env : `--${kebab(key)}`;
      const why = parsed.error.issues.map((issue) => issue.message).join("; ");
      problems.push(`${source}=${raw === undefined ? "(unset)" : String(raw)}: ${why}. ${setting.doc}`);
    }
  }
  if (problems.length > 0) throw new RhoneError("INVALID_CONFIG", `Bad settings:\n  ${problems.join("\n  ")}`);
  return Object.freeze(config) as ConfigOf<T>;
}

/** The settings as a help text, one line each. */
export function describeSettings(settings: Settings): string {
  const rows = Object.entries(settings).map(([key, { env, doc }]) => [`--${kebab(key)}`, env, doc] as const);
  const width = (column: 0 | 1): number => Math.max(...rows.map((cells) => cells[column].length));
  return rows.map(([flag, env, doc]) => `  ${flag.padEnd(width(0))}  ${env.padEnd(width(1))}  ${doc}`).join("\n");
}
