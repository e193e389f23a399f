import { access } from "node:fs/promises";
import { RhoneError } from "@rhone/common";
import type { MemberView } from "@rhone/identity";
import { type Command, Option } from "commander";
import { commandContext } from "../command-context.js";
import type { CommandWriter } from "../config.js";
import type { DataDir } from "../data-dir.js";
import { MEMBER_ROLES, type MemberRole } from "../membership/member-options.js";
import { formatTable, formatTime } from "../terminal/format.js";
import { addDataDirFlag } from "./flags.js";

interface MembersOptions {
  readonly dataDir?: string;
  readonly json?: boolean;
}

interface ExpelOptions extends MembersOptions {
  readonly role?: MemberRole;
}

/** rhone members list | expel. */
export function addMembersCommands(program: Command, signal: AbortSignal): void {
  const members = program.command("members").description("list and expel the machines and processes of a cluster");
  withTarget(members.command("list").alias("ls"))
    .description("list all that have a certificate of this machine's cluster, and those that were expelled")
    .action(async (options: MembersOptions) => {
      const { dataDir, rhone } = commandContext(options.dataDir, signal);
      const listed = await (await membersIn(dataDir)).list();
      if (options.json === true) console.log(JSON.stringify(listed.map(memberObject), null, 2));
      else console.log(formatMembers(listed, rhone));
    });
  withTarget(members.command("expel").argument("<name>", "name of a member"))
    .description("refuse a member's key from now on: its connections end, and it gets no certificate any more")
    .addOption(new Option("--role <role>", "which one, where several have the name").choices([...MEMBER_ROLES]))
    .action(async (name: string, options: ExpelOptions) => {
      const { dataDir, rhone } = commandContext(options.dataDir, signal);
      await expel({ name, role: options.role }, { dataDir, rhone, json: options.json === true });
    });
}

const withTarget = (command: Command): Command => addDataDirFlag(command).option("--json", "print JSON");

/** Loaded when it is needed: the library of certificates takes longer to load than most commands run. */
const identity = () => import("@rhone/identity");

const membersIn = async ({ authority }: DataDir) => (await identity()).membersOf(authority);

interface Expelling {
  readonly dataDir: DataDir;
  readonly rhone: CommandWriter;
  readonly json: boolean;
}

async function expel(
  { name, role }: { readonly name: string; readonly role: MemberRole | undefined },
  { dataDir, rhone, json }: Expelling,
): Promise<void> {
  const { writeRevoked } = await identity();
  const members = await membersIn(dataDir);
  const named = (await members.list()).filter(
    (member) => member.name === name && member.state !== "expelled" && (role === undefined || member.role === role),
  );
  const [member, ...others] = named;
  if (member === undefined) {
    throw new RhoneError("NOT_FOUND", `There is no member ${name}; \`${rhone("members list")}\` shows all.`);
  }
  if (others.length > 0) {
    const roles = named.map((each) => each.role).join(", ");
    throw new RhoneError("INVALID_CONFIG", `Several members are called ${name}: choose one by --role (${roles}).`);
  }
  if (await isOwn(member, dataDir)) {
    const problem = `${name} is a process of this machine, which made the cluster`;
    throw new RhoneError("INVALID_CONFIG", `${problem}. Stop it with: ${rhone("down")}`);
  }
  await members.expel(member);
  await writeRevoked(dataDir.revoked, await members.revoked());
  const tokens = await revokeTokensOf(member, dataDir);
  if (json) return console.log(JSON.stringify({ ...memberObject(member), state: "expelled", revoked_tokens: tokens }));
  console.log(`expelled the ${member.role} ${name}: its key is refused everywhere within seconds`);
  for (const id of tokens) console.log(`revoked the token ${id}, by which it joined`);
}

/** A machine that has a token's text left could join by another key. */
async function revokeTokensOf({ key }: MemberView, { authority }: DataDir): Promise<readonly string[]> {
  const tokens = (await identity()).tokensOf(authority);
  const its = (await tokens.list()).filter(
    ({ state, usedBy }) => state === "valid" && usedBy.some((use) => use.key === key),
  );
  for (const { id } of its) await tokens.revoke(id);
  return its.map(({ id }) => id);
}

/** Whether its private key is on this machine. */
async function isOwn({ role, name }: MemberView, dataDir: DataDir): Promise<boolean> {
  const { key } = (await identity()).identityFiles(dataDir.identity, role, name);
  return access(key).then(
    () => true,
    () => false,
  );
}

/** One row per member. */
export function formatMembers(members: readonly MemberView[], rhone: CommandWriter): string {
  if (members.length === 0) return `There are no members. Machines join by a token: ${rhone("token create")}`;
  const rows = members.map(({ name, role, state, ...at }) => [
    name,
    role,
    state,
    ...[at.sinceMs, at.renewedAtMs, at.validUntilMs].map((ms) => formatTime(Math.floor(ms / 1000))),
  ]);
  return formatTable([["NAME", "ROLE", "STATE", "SINCE (UTC)", "RENEWED", "VALID UNTIL"], ...rows]);
}

/** A member without its key, for JSON. */
export function memberObject({ name, role, state, sinceMs, renewedAtMs, validUntilMs }: MemberView) {
  return {
    name,
    role,
    state,
    since: new Date(sinceMs).toISOString(),
    renewed_at: new Date(renewedAtMs).toISOString(),
    valid_until: new Date(validUntilMs).toISOString(),
  };
}
