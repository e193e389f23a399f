import { readFile } from "node:fs/promises";
import {
  type ApiKey,
  ApiKeyStore,
  apiKeyNameSchema,
  apiKeyOf,
  newApiKey,
  type OpenRedisOptions,
  openRedis,
  RhoneError,
} from "@rhone/common";
import { type Command, InvalidArgumentError } from "commander";
import { asksForKeys } from "../cluster/asks-for-keys.js";
import { aliveProcesses, readClusterRecord } from "../cluster/cluster-record.js";
import { type CommandContext, commandContext } from "../command-context.js";
import { type CommandWriter, commandWriter } from "../config.js";
import { redisAddress, wholeNumber } from "../option-parsers.js";
import { formatTable, formatTime } from "../terminal/format.js";
import { addDataDirFlag } from "./flags.js";

/** A cluster's Redis, which has its keys, and its gateway; undefined where only the Redis is known. */
interface KeysPlace {
  readonly redisUrl: string;
  readonly files: NonNullable<OpenRedisOptions["files"]>;
  readonly gateway: string | undefined;
  /** The keys end with the cluster. */
  readonly inMemory: boolean;
}

interface KeysOptions {
  readonly redisUrl?: string;
  readonly dataDir?: string;
  readonly json?: boolean;
}

interface CreateOptions extends KeysOptions {
  readonly rpm?: number;
  readonly tpm?: number;
  readonly secretFile?: string;
}

const limit = wholeNumber({ least: 0, most: 1e12 });

/** rhone keys create | list | revoke. */
export function addKeysCommands(program: Command, signal: AbortSignal): void {
  const keys = program.command("keys").description("create, list and revoke API keys (see `rhone up --auth`)");
  const placeOf = ({ redisUrl, dataDir }: KeysOptions) => placeOfKeys(redisUrl, commandContext(dataDir, signal));
  withTarget(
    keys
      .command("create")
      .argument("<name>", "name of the caller; keys with the same name share their limits", keyName),
  )
    .description("create a key and print its secret, which is shown only once")
    .option("--rpm <n>", "requests per minute; 0 = no limit (default: the gateway's limit)", limit)
    .option("--tpm <n>", "tokens per minute, prompts and answers; 0 = no limit (default: the gateway's limit)", limit)
    .option("--secret-file <file>", "take a secret that was made for another cluster, so that both know it")
    .action(async (name: string, options: CreateOptions) => {
      const { rpm = null, tpm = null, secretFile } = options;
      const about = { name, requestsPerMinute: rpm, tokensPerMinute: tpm };
      const { key, secret } = secretFile === undefined ? newApiKey(about) : await keyInFile(secretFile, about);
      const place = await placeOf(options);
      await withStore(place, (store) => store.add(key));
      if (options.json === true) printJson({ ...keyObject(key), ...(secret !== null && { secret }) });
      else if (secret === null) console.error(`Key ${key.id} for ${name}, with the secret of ${secretFile}.`);
      else {
        console.error(`Key ${key.id} for ${name}. Keep its secret; it is not shown again:`);
        console.log(secret);
      }
      await noteOpenGateway(place);
    });
  withTarget(keys.command("list").alias("ls"))
    .description("list the keys, without their secrets")
    .action(async (options: KeysOptions) => {
      const listed = await withStore(await placeOf(options), (store) => store.list());
      if (options.json === true) return printJson(listed.map(keyObject));
      console.log(formatKeys(listed, commandWriter(options.dataDir)));
    });
  withTarget(keys.command("revoke").argument("<key>", "id of a key, or a name to revoke all keys of that name"))
    .description("refuse a key from now on")
    .action(async (idOrName: string, options: KeysOptions) => {
      const place = await placeOf(options);
      const revoked = await withStore(place, (store) => store.revoke(idOrName));
      if (revoked.length === 0) {
        const list = commandWriter(options.dataDir)("keys list");
        throw new RhoneError("NOT_FOUND", `There is no key ${idOrName}; \`${list}\` shows all.`);
      }
      if (options.json === true) printJson(revoked.map(keyObject));
      else for (const { id, name } of revoked) console.log(`revoked ${id} of ${name}`);
      await noteOpenGateway(place);
    });
}

/** Throws INVALID_CONFIG. The secret is not told again. */
async function keyInFile(path: string, about: Parameters<typeof apiKeyOf>[1]) {
  const text = await readFile(path, "utf8").catch((cause: Error) => {
    throw new RhoneError("INVALID_CONFIG", `${path} can't be read: ${cause.message}`, { cause });
  });
  const key = apiKeyOf(text.trim(), about);
  if (key !== null) return { key, secret: null };
  const problem = `${path} has ${text.trim().length} characters, which are no secret of an API key`;
  throw new RhoneError("INVALID_CONFIG", `${problem}: it must be what \`rhone keys create\` has printed.`);
}

async function withStore<T>({ redisUrl: url, files }: KeysPlace, use: (store: ApiKeyStore) => Promise<T>): Promise<T> {
  const redis = await openRedis({ url, files, name: "rhone-keys", waits: false, onError: () => {} });
  return use(new ApiKeyStore(redis)).finally(() => redis.disconnect());
}

/** Says on standard error when the gateway answers without a key: one that was made or revoked changes nothing then. */
async function noteOpenGateway({ gateway, inMemory }: KeysPlace): Promise<void> {
  if (gateway === undefined || (await asksForKeys(gateway)) !== false) return;
  const remedy = "To make it ask for one, start the cluster with --auth keys or RHONE_AUTH=keys.";
  const again = inMemory
    ? " Then create the key again: this cluster's Redis is in memory only, so keys end with it."
    : "";
  console.error(`The gateway at ${gateway} answers requests without a key. ${remedy}${again}`);
}

const withTarget = (command: Command): Command =>
  addDataDirFlag(command)
    .option(
      "--redis-url <url>",
      "Redis of the cluster (default: the data directory's cluster, else REDIS_URL)",
      redisAddress,
    )
    .option("--json", "print JSON");

function keyName(text: string): string {
  const parsed = apiKeyNameSchema.safeParse(text);
  if (parsed.success) return parsed.data;
  throw new InvalidArgumentError(`It ${parsed.error.issues[0]?.message}.`);
}

const printJson = (value: unknown): void => console.log(JSON.stringify(value, null, 2));

/** One row per key. */
export function formatKeys(keys: readonly ApiKey[], rhone: CommandWriter): string {
  if (keys.length === 0) return `There are no keys. Create one with: ${rhone("keys create NAME")}`;
  const rows = keys.map(({ id, name, requestsPerMinute, tokensPerMinute, createdAt }) => [
    id,
    name,
    formatLimit(requestsPerMinute),
    formatLimit(tokensPerMinute),
    formatTime(createdAt),
  ]);
  return formatTable([["ID", "NAME", "REQUESTS/MIN", "TOKENS/MIN", "CREATED (UTC)"], ...rows], [2, 3]);
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
 * The Redis that is named, else the one of the data directory's cluster, else REDIS_URL's. Throws NOT_RUNNING, and
 * INVALID_CONFIG on a machine that has joined a cluster.
 */
export async function placeOfKeys(
  named: string | undefined,
  { dataDir, config }: Pick<CommandContext, "dataDir" | "config">,
): Promise<KeysPlace> {
  const { redisPasswordFile, redisCa, redisCert, redisKey } = config;
  // The variables are about the Redis of REDIS_URL.
  const filesOf = (url: string): KeysPlace["files"] =>
    url === config.redisUrl ? { redisPasswordFile, redisCa, redisCert, redisKey } : {};
  const record = named === undefined ? await readClusterRecord(dataDir) : null;
  if (record?.redisUrl !== undefined && aliveProcesses(record).length > 0) {
    const { redisUrl, url: gateway, inMemory = false } = record;
    return { redisUrl, files: filesOf(redisUrl), gateway, inMemory };
  }
  const redisUrl = named ?? config.redisUrl;
  if (redisUrl !== undefined) return { redisUrl, files: filesOf(redisUrl), gateway: undefined, inMemory: false };
  if (record?.joined !== undefined) {
    const problem = `This machine has joined the cluster at ${record.joined}`;
    throw new RhoneError("INVALID_CONFIG", `${problem}. Its keys are made on the machine that made the cluster.`);
  }
  throw new RhoneError(
    "NOT_RUNNING",
    `No cluster is running in ${dataDir.root}. To reach another one, give --redis-url or REDIS_URL.`,
  );
}
