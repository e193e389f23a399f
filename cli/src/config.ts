import { homedir } from "node:os";
import { join, resolve } from "node:path";
import {
  type ConfigOf,
  ggmlDirSetting,
  hungAfterSetting,
  kernelsSetting,
  type LoggerOptions,
  loadConfig,
  logLevelSetting,
  parseSettings,
  redisFileSettings,
  redisUrlSchema,
  type Settings,
} from "@rhone/common";
import { z } from "zod";

const text = z.string().min(1).optional();
const httpUrl = z.url({ protocol: /^https?$/, error: "is not an http:// or https:// URL" });
const DEFAULT_HOME = join(homedir(), ".rhone");

/** Everything that the command line reads from the environment. */
export const cliSettings = {
  home: {
    env: "RHONE_HOME",
    schema: z.string().min(1).default(DEFAULT_HOME),
    doc: "Data directory: models, logs, Redis data and run state. --data-dir wins over it.",
    defaultText: "~/.rhone",
  },
  command: {
    env: "RHONE_COMMAND",
    schema: z.string().min(1).default("rhone"),
    doc: "How the command was called; messages that suggest one begin with it. The script `rhone` sets it.",
  },
  redisUrl: {
    env: "REDIS_URL",
    schema: redisUrlSchema.removeDefault().optional(),
    doc: "Redis of your own, as a redis://, rediss:// or unix:// URL.",
    defaultText: "a private one is started",
  },
  ...redisFileSettings,
  apiKey: { env: "RHONE_API_KEY", schema: text, doc: "API key that commands send to gateways." },
  searchPath: {
    env: "PATH",
    schema: z.string().default(""),
    doc: "Folders searched for redis-server and valkey-server.",
  },
  hfEndpoint: {
    env: "HF_ENDPOINT",
    schema: httpUrl.optional(),
    doc: "Mirror of huggingface.co for `rhone model pull`, as an http:// or https:// URL.",
  },
  hfToken: { env: "HF_TOKEN", schema: text, doc: "Access token for `rhone model pull`." },
  hungAfter: hungAfterSetting,
  kernels: kernelsSetting,
  ggmlDir: ggmlDirSetting,
  noColor: { env: "NO_COLOR", schema: text, doc: "Any value turns colours off." },
} as const satisfies Settings;

export type CliConfig = ConfigOf<typeof cliSettings>;

/** `home` wins over RHONE_HOME. Throws INVALID_CONFIG. */
export function readCliConfig(home?: string): CliConfig {
  const config = loadConfig(cliSettings, process.env, []);
  return { ...config, home: resolve(home ?? config.home) };
}

const NPX = "npx rhone";

/** Completes the arguments of a command that a message suggests: "up" -> "./rhone up --data-dir /srv/rhone". */
export type CommandWriter = (args: string) => string;

/** Commands that work when they are pasted: called as this one was, for the same data directory. Never throws. */
export function commandWriter(dataDir?: string): CommandWriter {
  const { command, home } = loadConfig({ command: cliSettings.command, home: cliSettings.home }, process.env, []);
  const root = resolve(dataDir ?? home);
  const place = root === DEFAULT_HOME ? "" : ` --data-dir ${quoted(root)}`;
  return (args) => `${command} ${args}${place}`;
}

/**
 * What begins a command for another machine: `./rhone` or `npx rhone`, where this command was called so, else the plain
 * name, because paths of this machine mean nothing there. Never throws.
 */
export function launcherName(): string {
  const { command } = loadConfig({ command: cliSettings.command }, process.env, []);
  return command === "./rhone" || command === NPX ? command : "rhone";
}

/** One word of a shell's command. */
export const quoted = (word: string): string =>
  /^[\w./:@%+=,~-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;

/**
 * The environment of a child process: this one's, without the secrets that only this command needs, and with `changes`;
 * undefined removes a variable.
 */
export function childEnvironment(changes: Readonly<Record<string, string | undefined>> = {}): NodeJS.ProcessEnv {
  return { ...process.env, RHONE_API_KEY: undefined, HF_TOKEN: undefined, ...changes };
}

/** Of this process's log. A bad one is refused with the services' settings, and that refusal is logged. */
export function logLevel(): LoggerOptions["level"] {
  return parseSettings({ logLevel: logLevelSetting }, process.env, []).config.logLevel ?? "info";
}

/** NO_COLOR, for errors that come before the settings are read or from reading them. */
export const noColorSetting = (): string | undefined => process.env.NO_COLOR;
