import { type ApiKey, ApiKeyStore, apiKeyNameSchema, newApiKey, openRedis, RhoneError } from "@rhone/common";
import { type Command, InvalidArgumentError } from "commander";
import { aliveProcesses, readClusterRecord } from "../cluster/cluster-record.js";
import { type CommandContext, commandContext } from "../command-context.js";
import { wholeNumber } from "../option-parsers.js";
import { formatTable } from "../terminal/format.js";
import { addDataDirFlag } from "./flags.js";

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
  const keys = program.command("keys").description("create, list and revoke API keys (see `rhone up --auth`)");
  const withStore = async <T>(options: KeysOptions, use: (store: ApiKeyStore) => Promise<T>): Promise<T> => {
    const url = await redisOfCluster(options.redisUrl, commandContext(options.dataDir, signal));
    const redis = await openRedis({ url, name: "rhone-keys", waits: false, onError: () => {} });
    return use(new ApiKeyStore(redis)).finally(() => redis.disconnect());
  };
  withTarget(
    keys
      .command("create")
      .argument("<name>", "name of the caller; keys with the same name share their limits", keyName),
  )
    .description("create a key and print its secret, which is shown only once")
    .option("--rpm <n>", "requests per minute; 0 = no limit (default: the gateway's limit)", limit)
    .option("--tpm <n>", "tokens per minute, prompts and answers; 0 = no limit (default: the gateway's limit)", limit)
    .action(async (name: string, options: CreateOptions) => {
      const { rpm = null, tpm = null } = options;
      const { key, secret } = newApiKey({ name, requestsPerMinute: rpm, tokensPerMinute: tpm });
      await withStore(options, (store) => store.add(key));
      if (options.json === true) return printJson({ ...keyObject(key), secret });
      console.error(`Key ${key.id} for ${name}. Keep its secret; it is not shown again:`);
      console.log(secret);
    });
  withTarget(keys.command("list").alias("ls"))
    .description("list the keys, without their secrets")
    .action(async (options: KeysOptions) => print(await withStore(options, (store) => store.list()), options));
  withTarget(keys.command("revoke").argument("<key>", "id of a key, or a name to revoke all keys of that name"))
    .description("refuse a key from now on")
    .action(async (idOrName: string, options: KeysOptions) => {
      const revoked = await withStore(options, (store) => store.revoke(idOrName));
      if (revoked.length === 0)
        throw new RhoneError("NOT_FOUND", `There is no key ${idOrName}; \`rhone keys list\` shows all.`);
      if (options.json === true) return printJson(revoked.map(keyObject));
      for (const { id, name } of revoked) console.log(`revoked ${id} of ${name}`);
    });
}

const withTarget = (command: Command): Command =>
  addDataDirFlag(command)
    .option("--redis-url <url>", "Redis of the cluster (default: the data directory's cluster, else REDIS_URL)")
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

/** One row per key. */
export function formatKeys(keys: readonly ApiKey[]): string {
  if (keys.length === 0) return "There are no keys. Create one with: rhone keys create NAME";
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

/** A key without its digest, for JSON. */
export function keyObject({ id, name, requestsPerMinute, tokensPerMinute, createdAt }: ApiKey) {
  return {
    id,
    name,
    requests_per_minute: requestsPerMinute,
    tokens_per_minute: tokensPerMinute,
    created_at: createdAt,
  };
}

/**
 * The URL of a cluster's Redis: the given one, else the data directory's cluster's, else REDIS_URL. Throws NOT_RUNNING.
 */
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
    `No cluster is running in ${dataDir.root}. To reach another one, give --redis-url or REDIS_URL.`,
  );
}
