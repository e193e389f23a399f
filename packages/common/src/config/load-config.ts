import { parseArgs } from "node:util";
import { z } from "zod";
import { RhoneError } from "../errors/rhone-error.js";
import { withoutPassword } from "./schemas.js";

/** One setting. Its flag is its key in kebab case. */
export interface Setting<S extends z.ZodType = z.ZodType> {
  /** The environment variable. */
  readonly env: string;
  /** Parses the text of the flag or variable, and holds the default. */
  readonly schema: S;
  /** Meaning, unit and special values, as one or two sentences. */
  readonly doc: string;
  /** The default in words, where the schema has none or has one that differs between machines or starts. */
  readonly defaultText?: string;
}

export type Settings = Readonly<Record<string, Setting>>;
export type ConfigOf<T extends Settings> = { readonly [K in keyof T]: z.output<T[K]["schema"]> };

/** A setting as people see it. */
export interface SettingDescription {
  readonly flag: string;
  readonly env: string;
  /** "" = unset, "required" = there is none. */
  readonly default: string;
  /** The numbers that it takes: "1 to 3600", "at least 1"; "" for all of them, and for other kinds of settings. */
  readonly range: string;
  readonly doc: string;
}

/**
 * Reads each setting from its flag, else its environment variable, else its default, into a frozen object. An empty
 * variable counts as unset. Throws INVALID_CONFIG with every bad setting and unknown flag in one message.
 */
export function loadConfig<T extends Settings>(
  settings: T,
  env: Readonly<Record<string, string | undefined>>,
  argv: readonly string[],
): ConfigOf<T> {
  const { config, problems } = parseSettings(settings, env, argv);
  if (problems.length > 0) throw badSettings(problems);
  return Object.freeze(config) as ConfigOf<T>;
}

export const badSettings = (problems: readonly string[]): RhoneError =>
  new RhoneError("INVALID_CONFIG", `Bad settings:\n  ${problems.join("\n  ")}`);

/** The settings that can be read, and what is wrong with each other one and with unknown flags. */
export function parseSettings<T extends Settings>(
  settings: T,
  env: Readonly<Record<string, string | undefined>>,
  argv: readonly string[],
): { readonly config: Partial<ConfigOf<T>>; readonly problems: readonly string[] } {
  const problems: string[] = [];
  const flags = parseFlags(settings, argv, problems);
  const config: Record<string, unknown> = {};
  for (const [key, setting] of Object.entries(settings)) {
    const flag = flags[flagOf(key)];
    const text = flag ?? (env[setting.env] || undefined);
    const parsed = setting.schema.safeParse(text);
    if (parsed.success) config[key] = parsed.data;
    else if (text === undefined) problems.push(`--${flagOf(key)} or ${setting.env} is required. ${setting.doc}`);
    else {
      const source = flag === undefined ? `${setting.env}=` : `--${flagOf(key)} `;
      const why = parsed.error.issues.map(explain).join("; ");
      problems.push(`${source}${withoutPassword(text)} ${why}. ${setting.doc}`);
    }
  }
  return { config: config as Partial<ConfigOf<T>>, problems };
}

/** The settings for tables and help texts, in their order. */
export function settingDescriptions(settings: Settings): readonly SettingDescription[] {
  return Object.entries(settings).map(([key, { env, schema, doc, defaultText }]) => {
    const parsed = schema.safeParse(undefined);
    const schemaDefault = parsed.success ? String(parsed.data ?? "") : "required";
    return { flag: `--${flagOf(key)}`, env, default: defaultText ?? schemaDefault, range: rangeOf(schema), doc };
  });
}

function rangeOf(schema: z.ZodType): string {
  const { anyOf = [], ...json } = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" });
  const bounds = [json, ...anyOf].find(({ minimum, maximum }) => minimum !== undefined || maximum !== undefined);
  // Every whole number has the bounds of what a double holds exactly.
  const [least, most] = [bounds?.minimum, bounds?.maximum].map((bound) =>
    bound === undefined || Math.abs(bound) === Number.MAX_SAFE_INTEGER ? undefined : bound,
  );
  if (least !== undefined && most !== undefined) return `${least} to ${most}`;
  if (least !== undefined) return `at least ${least}`;
  return most === undefined ? "" : `at most ${most}`;
}

/** The settings as a help text, one line each: flag, variable, meaning and default. */
export function describeSettings(settings: Settings): string {
  const rows = settingDescriptions(settings);
  const width = (column: "flag" | "env"): number => Math.max(...rows.map((row) => row[column].length));
  return rows
    .map((row) => {
      const ending = row.default === "" ? "" : row.default === "required" ? " Required." : ` Default: ${row.default}.`;
      const range = row.range === "" ? "" : ` Takes ${row.range}.`;
      return `  ${row.flag.padEnd(width("flag"))}  ${row.env.padEnd(width("env"))}  ${row.doc}${ending}${range}`;
    })
    .join("\n");
}

const flagOf = (key: string): string => key.replaceAll(/[A-Z]/g, (c) => `-${c.toLowerCase()}`);

function parseFlags(
  settings: Settings,
  argv: readonly string[],
  problems: string[],
): Readonly<Record<string, string | undefined>> {
  const options = Object.fromEntries(Object.keys(settings).map((key) => [flagOf(key), { type: "string" as const }]));
  try {
    return parseArgs({ args: [...argv], options, allowPositionals: false }).values;
  } catch (error) {
    problems.push(error instanceof Error ? error.message : String(error));
    return {};
  }
}

/** What is wrong with a setting, as the end of a sentence that begins with it. */
function explain(issue: z.core.$ZodIssue): string {
  if (issue.code === "invalid_type") return issue.expected === "int" ? "is not a whole number" : "is not a number";
  if (issue.code === "too_small") return `is ${issue.inclusive ? "less than" : "not above"} ${issue.minimum}`;
  if (issue.code === "too_big") return `is more than ${issue.maximum}`;
  if (issue.code === "invalid_value") return `is not one of ${issue.values.join(", ")}`;
  return issue.message;
}
