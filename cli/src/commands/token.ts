import { RhoneError } from "@rhone/common";
import type { TokenView } from "@rhone/identity";
import { type Command, Option } from "commander";
import { aliveProcesses, readClusterRecord } from "../cluster/cluster-record.js";
import { type CommandContext, commandContext } from "../command-context.js";
import type { CommandWriter } from "../config.js";
import { DOOR_PORT, joinCommand } from "../enrollment/join-command.js";
import { MEMBER_ROLES, type MemberRole } from "../membership/member-options.js";
import { duration, wholeNumber } from "../option-parsers.js";
import { formatDuration, formatTable, formatTime, plural } from "../terminal/format.js";
import { addDataDirFlag } from "./flags.js";

interface TokenOptions {
  readonly dataDir?: string;
  readonly json?: boolean;
}

interface CreateOptions extends TokenOptions {
  readonly as: MemberRole;
  readonly ttl: number;
  readonly uses: number;
}

const MOST_USES = 1000;

/** rhone token create | list | revoke. */
export function addTokenCommands(program: Command, signal: AbortSignal): void {
  const token = program.command("token").description("create, list and revoke tokens by which other machines join");
  withTarget(token.command("create"))
    .description("create a token and print the command that joins by it; the token is shown only once")
    .addOption(new Option("--as <role>", "what machines become by it").choices([...MEMBER_ROLES]).default("worker"))
    .addOption(
      new Option("--ttl <time>", "how long it admits machines: 90s, 30m, 12h, 7d")
        .argParser(duration)
        .default(30 * 60_000, "30m"),
    )
    .option("--uses <n>", "machines that it admits, at most", wholeNumber({ least: 1, most: MOST_USES }), 1)
    .action((options: CreateOptions) => create(options, commandContext(options.dataDir, signal)));
  withTarget(token.command("list").alias("ls"))
    .description("list the tokens, without their secrets, and the machines that they admitted")
    .action(async (options: TokenOptions) => {
      const { dataDir, rhone } = commandContext(options.dataDir, signal);
      const listed = await (await tokensIn(dataDir.authority)).list();
      if (options.json === true) console.log(JSON.stringify(listed.map(tokenObject), null, 2));
      else console.log(formatTokens(listed, rhone));
    });
  withTarget(token.command("revoke").argument("<id>", "id of a token"))
    .description("admit no more machines by a token; those that it admitted stay")
    .action(async (id: string, options: TokenOptions) => {
      const { dataDir, rhone } = commandContext(options.dataDir, signal);
      if (!(await (await tokensIn(dataDir.authority)).revoke(id))) {
        throw new RhoneError("NOT_FOUND", `There is no token ${id}; \`${rhone("token list")}\` shows all.`);
      }
      console.log(options.json === true ? JSON.stringify({ id, state: "revoked" }) : `revoked ${id}`);
    });
}

const withTarget = (command: Command): Command => addDataDirFlag(command).option("--json", "print JSON");

/** Loaded when it is needed: the library of certificates takes longer to load than most commands run. */
const identity = () => import("@rhone/identity");

const tokensIn = async (folder: string) => (await identity()).tokensOf(folder);

async function create({ as, ttl, uses, json }: CreateOptions, context: CommandContext): Promise<void> {
  const { dataDir, rhone } = context;
  const { Authority, formatToken } = await identity();
  const authority = await Authority.open(dataDir.authority);
  const { token, secret } = await authority.tokens.create({ role: as, uses, ttlMs: ttl });
  const text = formatToken({ authority: authority.hash, id: token.id, secret });
  const door = await doorOf(context);
  if (json === true) {
    console.log(JSON.stringify({ ...tokenObject(token), token: text, door }, null, 2));
    return;
  }
  const place = door ?? `HOST:${DOOR_PORT}`;
  const admits = `admits ${plural(uses, as)} within ${formatDuration(ttl)}`;
  console.error(`Token ${token.id} ${admits}. It is not shown again. On the other machine:`);
  console.log(joinCommand(place, text) + (as === "worker" ? "" : ` --as ${as}`));
  if (door !== null) return;
  console.error(`No cluster in ${dataDir.root} admits machines now. Start it with: ${rhone("up --listen")}`);
}

/** host:port at which the data directory's running cluster admits machines; null when it does not. */
async function doorOf({ dataDir }: Pick<CommandContext, "dataDir">): Promise<string | null> {
  const record = await readClusterRecord(dataDir);
  return record !== null && aliveProcesses(record).length > 0 ? (record.door ?? null) : null;
}

/** One row per token. */
export function formatTokens(tokens: readonly TokenView[], rhone: CommandWriter): string {
  if (tokens.length === 0) return `There are no tokens. Create one with: ${rhone("token create")}`;
  const rows = tokens.map(({ id, role, state, usedBy, uses, expiresAtMs }) => [
    id,
    role,
    state,
    `${usedBy.length} of ${uses}`,
    formatTime(Math.floor(expiresAtMs / 1000)),
    usedBy.map(({ name }) => name).join(", "),
  ]);
  return formatTable([["ID", "ADMITS", "STATE", "USED", "EXPIRES (UTC)", "MACHINES"], ...rows]);
}

/** A token without its digest, for JSON. */
export function tokenObject({ id, role, state, uses, usedBy, createdAtMs, expiresAtMs }: TokenView) {
  return {
    id,
    role,
    state,
    uses,
    used_by: usedBy.map(({ name, atMs }) => ({ name, at: new Date(atMs).toISOString() })),
    created_at: new Date(createdAtMs).toISOString(),
    expires_at: new Date(expiresAtMs).toISOString(),
  };
}
