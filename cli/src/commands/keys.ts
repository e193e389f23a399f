import { type ApiKey, ApiKeyStore, apiKeyNameSchema, newApiKey, openRedis, RhoneError } from "@rhone/common";
import { type Command, InvalidArgumentError } from "commander";
import { aliveProcesses, readClusterRecord } from "../cluster/cluster-record.js";
import { type CommandContext, commandContext } from "../command-context.js";
import { wholeNumber } from "../option-parsers.js";
import { formatTable } from "../terminal/format.js";

interface KeysOptions {
  readonly redisUrl?: string;
  readonly dataDir?: string;
  readonly json?: boolean;
}

interface CreateOptions extends KeysOptions {
  readonly rpm?: number;
  readonly tpm?: number;
}

const limit = wholeNumber({ least: 0, most: 1e12 });

/** rhone keys create | list | revoke. */
export function addKeysCommands(program: Command, signal: AbortSignal): void {
  const keys = program.command("keys").description("API keys of a cluster; see `rhone up --auth`");
  const withStore = async <T>(options: KeysOptions, use: (store: ApiKeyStore) => Promise<T>): Promise<T> => {
    const url = await redisOfCluster(options.redisUrl, commandContext(options.dataDir, signal));
    const redis = await openRedis({ url, name: "rhone-keys", waits: false, onError: () => {} });
    return use(new ApiKeyStore(redis)).finally(() => redis.disconnect());
  };
  withTarget(keys.command("create").argument("<name>", "whose key it is; two keys of a name are one caller", keyName))
    .description("make a key; its secret is shown now and never again")
    .option("--rpm <n>", "requests per minute, 0 = no limit (default: the gateway's)", limit)
    .option("--tpm <n>", "tokens per minute of prompts and answers, 0 = no limit (default: the gateway's)", limit)
    .action(async (name: string, options: CreateOptions) => {
      const { rpm = null, tpm = null } = options;
      const { key, secret } = newApiKey({ name, requestsPerMinute: rpm, tokensPerMinute: tpm });
      await withStore(options, (store) => store.add(key));
      if (options.json === true) return printJson({ ...keyObject(key), secret });
      console.error(`Key ${key.id} of ${name}. Keep its secret: it is not shown again.`);
      console.log(secret);
    });
  withTarget(keys.command("list").alias("ls"))
    .description("show the keys, without their secrets")
    .action(async (options: KeysOptions) => print(await withStore(options, (store) => store.list()), options));
  withTarget(keys.command("revoke").argument("<key>", "the id of one, or a name for all of that name"))
    .description("refuse a key from now on")
    .action(async (idOrName: string, options: KeysOptions) => {
      const revoked = await withStore(options, (store) => store.revoke(idOrName));
      if (revoked.length === 0)
        throw new RhoneError("NOT_FOUND", `There is no key ${idOrName}; see \`rhone keys list\`.`);
      if (options.json === true) return printJson(revoked.map(keyObject));
      for (const { id, name } of revoked) console.log(`revoked ${id} of ${name}`);
    });
}

const withTarget = (command: Command): Command =>
  command
    .option("--redis-url <url>", "the cluster's Redis; default: that of the data directory's cluster, else REDIS_URL")
    .option("--data-dir <dir>", "the data directory")
    .option("--json", "print JSON");

function keyName(text: string): string {
  const parsed = apiKeyNameSchema.safeParse(text);
  if (parsed.success) return parsed.data;
  throw new InvalidArgumentError(`It ${parsed.error.issues[0]?.message}.`);
}

function print(keys: readonly ApiKey[], { json }: KeysOptions): void {
  if (json === true) printJson(keys.map(keyObject));
  else console.log(formatKeys(keys));
}

const printJson = (value: unknown): void => console.log(JSON.stringify(value, null, 2));

/** A line per key. */
export function formatKeys(keys: readonly ApiKey[]): string {
  if (keys.length === 0) return "No keys. `rhone keys create NAME` makes one.";
  const rows = keys.map(({ id, name, requestsPerMinute, tokensPerMinute, createdAt }) => [
    id,
    name,
    formatLimit(requestsPerMinute),
    formatLimit(tokensPerMinute),
    new Date(createdAt * 1000).toISOString().slice(0, 16).replace("T", " "),
  ]);
  return formatTable([["id", "name", "requests/min", "tokens/min", "created"], ...rows], [2, 3]);
}

function formatLimit(limit: number | null): string {
  if (limit === null) return "default";
  return limit === 0 ? "no limit" : String(limit);
}

/** What is shown of a key: its digest would help nobody. */
export function keyObject({ id, name, requestsPerMinute, tokensPerMinute, createdAt }: ApiKey) {
  return {
    id,
    name,
    requests_per_minute: requestsPerMinute,
    tokens_per_minute: tokensPerMinute,
    created_at: createdAt,
  };
}

/** The Redis that keeps a cluster's state: the one that was named, else that of the data directory's cluster, else REDIS_URL. Throws NOT_RUNNING. */
export async function redisOfCluster(
  named: string | undefined,
  { dataDir, config }: Pick<CommandContext, "dataDir" | "config">,
): Promise<string> {
  const record = named === undefined ? await readClusterRecord(dataDir) : null;
  const own = record !== null && aliveProcesses(record).length > 0 ? record.redisUrl : undefined;
  const url = named ?? own ?? config.redisUrl;
  if (url !== undefined) return url;
  throw new RhoneError(
    "NOT_RUNNING",
    `No cluster runs in ${dataDir.root}; start it, or name its Redis with --redis-url or REDIS_URL.`,
  );
}
