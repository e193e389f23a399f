import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { type ConfigOf, loadConfig, redisUrlSchema, type Settings } from "@rhone/common";
import { z } from "zod";

const text = z.string().min(1).optional();

/** Everything that the command line reads from the environment. */
export const cliSettings = {
  home: {
    env: "RHONE_HOME",
    schema: z.string().min(1).default(join(homedir(), ".rhone")),
    doc: "The data directory: models, logs, Redis data, run state.",
  },
  redisUrl: {
    env: "REDIS_URL",
    schema: redisUrlSchema.removeDefault().optional(),
    doc: "A Redis server to use, instead of a private one that `rhone up` starts.",
  },
  apiKey: { env: "RHONE_API_KEY", schema: text, doc: "API key for gateways that require one." },
  searchPath: {
    env: "PATH",
    schema: z.string().default(""),
    doc: "Folders with programs, searched for redis-server and valkey-server.",
  },
  hfEndpoint: { env: "HF_ENDPOINT", schema: text, doc: "A mirror of huggingface.co for `model pull`." },
  hfToken: { env: "HF_TOKEN", schema: text, doc: "An access token for `model pull`." },
  ggmlDir: {
    env: "RHONE_GGML_DIR",
    schema: text,
    doc: "Folder with llama.cpp's libraries, instead of the installed ones.",
  },
  noColor: { env: "NO_COLOR", schema: text, doc: "Any value turns colours off." },
} as const satisfies Settings;

export type CliConfig = ConfigOf<typeof cliSettings>;

/** `home` wins over RHONE_HOME. Throws INVALID_CONFIG. */
export function readCliConfig(home?: string): CliConfig {
  const config = loadConfig(cliSettings, process.env, []);
  return { ...config, home: resolve(home ?? config.home) };
}

/** The environment of a child process: this one's, with `changes`; undefined removes a variable. */
export function childEnvironment(changes: Readonly<Record<string, string | undefined>> = {}): NodeJS.ProcessEnv {
  return { ...process.env, ...changes };
}

/** NO_COLOR, for errors that come before the settings are read or from reading them. */
export const noColorSetting = (): string | undefined => process.env.NO_COLOR;
