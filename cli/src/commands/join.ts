import { resolve } from "node:path";
import { text as textOf } from "node:stream/consumers";
import { hostPortSchema, KERNEL_CHOICES, RhoneError } from "@rhone/common";
import { type Command, InvalidArgumentError, Option } from "commander";
import { checkNotRunning, readClusterRecord } from "../cluster/cluster-record.js";
import { startDetached } from "../cluster/detach.js";
import { PhaseRenderer } from "../cluster/phase-renderer.js";
import { stopCluster } from "../cluster/stop-cluster.js";
import { type CommandContext, commandContext } from "../command-context.js";
import { createDataDir } from "../data-dir.js";
import { choosePipeline } from "../membership/choose-pipeline.js";
import {
  DEFAULT_PORTS,
  MEMBER_ROLES,
  type MemberFlags,
  type MemberOptions,
  type MemberRole,
  partToJoin,
} from "../membership/member-options.js";
import { forgetMember, keepMember, readMember } from "../membership/member-record.js";
import { byteCount, chatTemplate, host, port, positive, simulation } from "../option-parsers.js";
import { ENTRY_POINTS, MEMBER_ENTRY } from "../processes/entry-points.js";
import { listenForStop } from "../processes/stop-signals.js";
import { TaskLine } from "../terminal/task-line.js";
import { addAuthFlag, addDataDirFlag, addStorageFlags } from "./flags.js";

interface JoinOptions extends MemberFlags {
  readonly detach?: boolean;
  readonly discover?: boolean;
}

const DISCOVER_MS = 5000;

/** Whose flags they are, of those that are not everybody's. */
const FLAG_ROLES: Readonly<Record<string, readonly MemberRole[]>> = {
  model: ["worker", "coordinator"],
  advertise: ["worker", "coordinator"],
  threads: ["worker"],
  memory: ["worker"],
  device: ["worker"],
  kernels: ["worker"],
  simulate: ["worker"],
  host: ["gateway"],
  auth: ["gateway"],
  chatTemplate: ["gateway"],
  storage: ["gateway"],
  s3Endpoint: ["gateway"],
  s3Region: ["gateway"],
  s3PathStyle: ["gateway"],
  workers: ["coordinator"],
};

const EXAMPLES = `
Examples:
  rhone join 10.0.0.1:7100 rhone1.…           as it was printed by: rhone up --listen
  rhone join --discover rhone1.…              the same, where both are on one local network
  rhone join                                  again, after a restart: no token is needed
  rhone join 10.0.0.1:7100 - < token          with the token from a file instead of the command line
  rhone join 10.0.0.1:7100 rhone1.… --detach --threads 8 --memory 12G --name attic
  rhone join 10.0.0.1:7100 rhone1.… --model NAME      a worker of that model, if there are several
  rhone join 10.0.0.1:7100 rhone1.… --as gateway      the API on this machine, too
  rhone join 10.0.0.1:7100 rhone1.… --as coordinator  a replica, for workers that join after it`;

export function addJoinCommand(program: Command, signal: AbortSignal): void {
  const command = program
    .command("join")
    .description("make this machine a worker of a cluster on another one, or a gateway or coordinator")
    .argument("[address]", "host:port that `rhone up --listen` prints (default: the cluster that it joined last)")
    .argument("[token]", "token from there; - reads it from standard input; not needed by a machine that has joined");
  addApiFlags(addWorkerFlags(addDataDirFlag(command)))
    .addOption(
      new Option("--as <role>", "what this machine becomes, as its token says (default: worker)").choices([
        ...MEMBER_ROLES,
      ]),
    )
    .option("-m, --model <name>", "model of the cluster; for a coordinator also a file of this machine", modelName)
    .option("--workers <n>", "of a coordinator: workers that it waits for (default: 1)", positive)
    .option("--name <name>", "name in the cluster, kept by its certificate (default: from the host name)", memberName)
    .option(
      "--port <port>",
      `TCP port to open to the other machines (default: ${DEFAULT_PORTS.worker}; of a coordinator ` +
        `${DEFAULT_PORTS.coordinator}), or a gateway's for HTTP (default: ${DEFAULT_PORTS.gateway})`,
      port,
    )
    .option("--advertise <host>", "name or address by which they reach this machine (default: it is found)", host)
    .option("--discover", "find the cluster of the token on the local network; no address is needed then")
    .option("-d, --detach", "return once this machine has its place, and leave its part running in the background")
    .addHelpText("after", EXAMPLES)
    .action(async (first: string | undefined, second: string | undefined, asked: JoinOptions) => {
      process.title = "rhone join"; // the system shows it in place of the arguments, which may hold a token
      const [door, token] = asked.discover ? [undefined, first] : [first, second];
      if (door !== undefined) checkAddress(door);
      if (asked.discover && second !== undefined) {
        throw new RhoneError("INVALID_CONFIG", "--discover finds the address: give the token alone.");
      }
      await join({ door, token }, asked, commandContext(asked.dataDir, signal));
    });
}

const addWorkerFlags = (command: Command): Command =>
  command
    .option("-t, --threads <n>", "threads that compute (default: all cores)", positive)
    .option("--memory <bytes>", "memory for weights and pages, such as 6G (default: 90 % of what is free)", byteCount)
    .option("--device <name>", "device to compute on, from `rhone device ls` (default: CPU)")
    .addOption(
      new Option("--kernels <name>", "what CPUs compute with (default: the best that this one runs)").choices([
        ...KERNEL_CHOICES,
      ]),
    )
    .option("--simulate <how>", "compute nothing: null, or stage-ms=<n>,row-us=<n>,row-bytes=<n>", simulation);

const addApiFlags = (command: Command): Command =>
  addStorageFlags(addAuthFlag(command.option("--host <host>", "address that a gateway listens on", host))).addOption(
    new Option("--chat-template <name|file>", "of a gateway (default: the cluster's)").argParser(chatTemplate),
  );

/** A path is kept for the next start, which may be in another folder. */
const modelName = (text: string): string => (/\/|\.gguf$/.test(text) ? resolve(text) : text);

/** Throws INVALID_CONFIG for flags that would be ignored. */
function checkFlags(asked: JoinOptions, as: MemberRole): void {
  const foreign = Object.keys(asked).filter((name) => FLAG_ROLES[name]?.includes(as) === false);
  if (foreign.length === 0) return;
  const flags = foreign.map((name) => `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`);
  throw new RhoneError("INVALID_CONFIG", `A ${as} has no ${flags.join(", ")}. --help says whose flags they are.`);
}

/** Throws INVALID_CONFIG. The text is not repeated: it may be a token. */
function checkAddress(text: string): void {
  if (hostPortSchema.safeParse(text).success) return;
  throw new RhoneError(
    "INVALID_CONFIG",
    "The first argument is no address: give host:port, such as 10.0.0.1:7100 or [fd00::1]:7100, then the token.",
  );
}

function memberName(text: string): string {
  if (/^[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?$/.test(text)) return text;
  throw new InvalidArgumentError("Give 1 to 63 lower-case letters, digits, dots or hyphens.");
}

interface Invitation {
  readonly door: string | undefined;
  readonly token: string | undefined;
}

async function join(invitation: Invitation, asked: JoinOptions, context: CommandContext): Promise<void> {
  const { config, style, dataDir } = context;
  const renderer = new PhaseRenderer(process.stdout, style);
  const report = renderer.show.bind(renderer);
  const signals = listenForStop(() => renderer.note("Leaving in order. Press Ctrl-C again to end at once."));
  try {
    await createDataDir(dataDir);
    await checkNotRunning(dataDir);
    report({ kind: "phase", phase: "member", text: `asking ${invitation.door ?? "the cluster"}`, done: false });
    const options = await admitted(invitation, asked, context);
    report({ kind: "phase", phase: "member", text: `member ${options.name} of ${options.door}`, done: true });
    signals.stop.throwIfAborted();
    if (asked.detach) return await startDetached({ options, report, ...signals, supervisor: MEMBER_ENTRY });
    const { runMember } = await import("../membership/run-member.js");
    await runMember({ options, config, entryPoints: ENTRY_POINTS, report, ...signals });
  } finally {
    if (signals.stop.aborted) renderer.note("Left. None of its processes is left on this machine.");
    renderer.close();
  }
}

/** Makes this machine a member, and keeps what it joined for the next time. */
async function admitted(
  { door: named, token: given }: Invitation,
  asked: JoinOptions,
  { dataDir, rhone, signal }: CommandContext,
): Promise<MemberOptions> {
  const { becomeMember, memberNameIn } = await import("../membership/become-member.js");
  const before = await readMember(dataDir);
  const token = given === "-" ? (await textOf(process.stdin)).trim() : given;
  const door = asked.discover ? await discovered(token, signal) : (named ?? before?.door);
  if (door === undefined) {
    throw new RhoneError(
      "INVALID_CONFIG",
      `This machine has not joined a cluster. Start one on another machine with \`rhone up --listen\`, and paste the ` +
        `command that it prints: ${rhone("join HOST:PORT TOKEN")}`,
    );
  }
  const { detach: _, discover: __, ...flags } = asked;
  const { part: wished, last } = partToJoin({ flags, door, hasToken: token !== undefined, before });
  const { as } = wished;
  checkFlags(asked, as);
  const name = asked.name ?? last?.name ?? (await memberNameIn(dataDir, as));
  const places = await becomeMember({ door, token, as, name, dataDir, rhone, before: last });
  const part = { ...wished, dataDir: dataDir.root, name, places };
  checkTemplate(part);
  const model = as === "worker" ? part.model : undefined;
  const { coordinator } = choosePipeline(places, { door, model, last: last?.coordinator });
  const options = { ...part, coordinator };
  await keepMember(dataDir, options);
  return options;
}

/** Throws INVALID_CONFIG for a gateway that would write chats otherwise than the cluster's first. */
function checkTemplate({ as, places, chatTemplate: own }: Pick<MemberOptions, "as" | "places" | "chatTemplate">): void {
  if (as !== "gateway" || !places.hasTemplateFile || own !== undefined) return;
  throw new RhoneError(
    "INVALID_CONFIG",
    "The cluster's chat template is a file on the machine that made it. Copy it here, and name it: " +
      "--chat-template FILE",
  );
}

/** host:port of the token's cluster, which announces itself. Throws UNREACHABLE with the others that were found. */
async function discovered(token: string | undefined, signal: AbortSignal): Promise<string> {
  if (token === undefined) throw new RhoneError("INVALID_CONFIG", "--discover needs the token of the cluster.");
  const { clusterOf, parseToken } = await import("@rhone/identity");
  const { findDoors } = await import("../enrollment/discover.js");
  const cluster = clusterOf(parseToken(token).authority);
  const isIt = (door: { readonly cluster: string }): boolean => door.cluster === cluster;
  const found = await findDoors({ withinMs: DISCOVER_MS, isEnough: isIt, signal });
  const [right] = found.filter(isIt);
  if (right !== undefined) return right.address;
  const others = found.length === 0 ? "none" : found.map((door) => door.address).join(", ");
  throw new RhoneError(
    "UNREACHABLE",
    `No cluster of this token answered on the local network within ${DISCOVER_MS / 1000} s (others: ${others}). ` +
      "Networks may hold multicast back: give the address that `rhone up --listen` printed.",
  );
}

interface LeaveOptions {
  readonly dataDir?: string;
  readonly forget?: boolean;
  readonly json?: boolean;
}

export function addLeaveCommand(program: Command, signal: AbortSignal): void {
  addDataDirFlag(program.command("leave"))
    .description("end this machine's part in a cluster that it joined, in order: its layers are handed over first")
    .option("--forget", "remove its certificate too, so that it needs a token to join again")
    .option("--json", "print JSON")
    .action(async ({ dataDir: home, forget = false, json }: LeaveOptions) => {
      const { dataDir, rhone } = commandContext(home, signal);
      const before = await readMember(dataDir);
      const record = await readClusterRecord(dataDir);
      if (record !== null && record.joined === undefined) {
        throw new RhoneError(
          "INVALID_CONFIG",
          `${dataDir.root} has a cluster of its own. Stop it with: ${rhone("down")}`,
        );
      }
      const line = new TaskLine(process.stderr);
      if (record !== null) line.begin("leaving: what it has begun is finished or handed over first");
      const outcome = record === null ? "not-running" : await stopCluster(dataDir).finally(() => line.close());
      if (outcome === "not-running" && !(forget && before !== null)) {
        throw new RhoneError("NOT_RUNNING", `No member of a cluster is running in ${dataDir.root}.`);
      }
      if (forget) await forgetMember(dataDir);
      const left = before?.door ?? record?.joined;
      if (json === true) return console.log(JSON.stringify({ left, outcome, forgotten: forget }));
      const again = forget ? "It needs a token to join again." : `It joins again with: ${rhone("join")}`;
      console.log(`left ${left ?? "the cluster"}. ${again}`);
    });
}
