import { readFile, rm, utimes } from "node:fs/promises";
import { createFile, RhoneError, removeLeft, replaceFile } from "@rhone/common";
import { z } from "zod";
import { commandWriter } from "../config.js";
import type { DataDir } from "../data-dir.js";
import { identifyProcess, isAlive } from "../processes/process-identity.js";
import type { SupervisedService } from "../processes/supervised-service.js";

const processSchema = z.object({
  name: z.string(),
  pid: z.number().int().positive(),
  startedAt: z.string(),
  /** A signal has told it to end: a gateway may take as long as its streams. */
  isEnding: z.boolean().optional(),
});
export type RecordedProcess = Readonly<z.infer<typeof processSchema>>;

const clusterSchema = z.object({
  /** The process that starts and watches the others. */
  supervisor: processSchema,
  state: z.enum(["starting", "ready", "stopping"]),
  startedAtMs: z.number(),
  /** Of the gateway; "" on a machine that has none. */
  url: z.string(),
  /** The one of requests that name none. */
  model: z.string(),
  /** Its description, for people. */
  redis: z.string(),
  /** URL of Redis. It may hold a password: only this user can read the record. */
  redisUrl: z.string().optional(),
  /** What is in Redis, API keys too, ends with the cluster. */
  inMemory: z.boolean().optional(),
  /** host:port where this machine joined a cluster of another machine. */
  joined: z.string().optional(),
  /** What the coordinator sees of this machine, as it said last, where that has joined. */
  standing: z.string().optional(),
  /** host:port at which other machines join, where they may. */
  door: z.string().optional(),
  /** Folder of the identity by which commands ask its processes, where these have identities. */
  operator: z.string().optional(),
  /** host:port of the coordinator's operations server, once it is ready. */
  operations: z.string().optional(),
  services: z.array(processSchema).readonly(),
});

/** The processes of services as the record has them. */
export const recordedProcesses = (services: readonly Pick<SupervisedService, "processes">[]) =>
  services.flatMap(({ processes }): RecordedProcess[] =>
    processes.flatMap(({ name, pid, isEnding }) => {
      const identity = identifyProcess(pid);
      return identity === null ? [] : [{ name, ...identity, ...(isEnding && { isEnding }) }];
    }),
  );

/** How often a supervisor touches its record. */
export const TOUCH_MS = 1000;

/** The cluster of a data directory and its processes. */
export type ClusterRecord = Readonly<z.infer<typeof clusterSchema>>;

/** The record of the data directory, even if its processes are gone; null when there is none or it is unreadable. */
export async function readClusterRecord({ clusterFile }: DataDir): Promise<ClusterRecord | null> {
  try {
    return clusterSchema.parse(JSON.parse(await readFile(clusterFile, "utf8")));
  } catch {
    return null;
  }
}

/** The processes of a record that still run, the supervisor first. */
export function aliveProcesses({ supervisor, services }: ClusterRecord): readonly RecordedProcess[] {
  return [supervisor, ...services].filter(isAlive);
}

/** Throws ALREADY_RUNNING as `ClusterClaim.take` does, before anything is done that it would be a pity about. */
export async function checkNotRunning(dataDir: DataDir): Promise<void> {
  const other = await readClusterRecord(dataDir);
  if (other !== null && isAlive(other.supervisor)) throw alreadyRunning(other, dataDir);
}

/**
 * This process's claim on a data directory: the record in it, which `release` removes. One process at a time holds it.
 */
export class ClusterClaim {
  readonly #dataDir: DataDir;
  #record: ClusterRecord;
  #hasPredecessor = false;
  #writing: Promise<void> = Promise.resolve();
  #touching: NodeJS.Timeout | undefined;

  private constructor(dataDir: DataDir, record: ClusterRecord) {
    this.#dataDir = dataDir;
    this.#record = record;
  }

  /**
   * Throws ALREADY_RUNNING when the supervisor of another cluster is alive. A record left by a crash is replaced, after
   * `onLeftover` has ended the processes that outlived their supervisor.
   */
  static async take(
    dataDir: DataDir,
    about: Pick<ClusterRecord, "url" | "model" | "redisUrl" | "inMemory" | "joined">,
    onLeftover: (processes: readonly RecordedProcess[]) => Promise<void>,
  ): Promise<ClusterClaim> {
    const self = identifyProcess(process.pid);
    if (self === null)
      throw new RhoneError(
        "INTERNAL",
        "This system does not tell when a process started, which a cluster's record needs.",
      );
    const record: ClusterRecord = {
      supervisor: { name: "supervisor", ...self },
      state: "starting",
      startedAtMs: Date.now(),
      redis: "",
      services: [],
      ...about,
    };
    const claim = new ClusterClaim(dataDir, record);
    for (;;) {
      if (await createFile(dataDir.clusterFile, claim.#text)) return claim.#keepTouching();
      const other = await readClusterRecord(dataDir);
      if (other !== null && isAlive(other.supervisor)) throw alreadyRunning(other, dataDir);
      if (other !== null) {
        claim.#hasPredecessor = true;
        await onLeftover(aliveProcesses(other));
      }
      await removeLeft(dataDir.clusterFile, async () => {
        const left = await readClusterRecord(dataDir);
        return left === null || !isAlive(left.supervisor);
      });
    }
  }

  /** Whether a crash had left a record, whose processes have ended only now. */
  get hasPredecessor(): boolean {
    return this.#hasPredecessor;
  }

  /** Changes the record. Changes are written in order. */
  async update(changes: Partial<Omit<ClusterRecord, "supervisor" | "startedAtMs">>): Promise<void> {
    this.#record = { ...this.#record, ...changes };
    this.#writing = this.#writing.then(() => replaceFile(this.#dataDir.clusterFile, this.#text));
    await this.#writing;
  }

  async release(): Promise<void> {
    clearInterval(this.#touching);
    await this.#writing;
    await rm(this.#dataDir.clusterFile, { force: true });
  }

  /** The record's time of change shows that this process's event loop turns: see `supervisorTurns`. */
  #keepTouching(): this {
    const touch = () => utimes(this.#dataDir.clusterFile, new Date(), new Date()).catch(() => {});
    this.#touching = setInterval(touch, TOUCH_MS).unref();
    return this;
  }

  get #text(): string {
    return `${JSON.stringify(this.#record, null, 2)}\n`;
  }
}

function alreadyRunning({ supervisor, url, model, state, joined }: ClusterRecord, { root }: DataDir): RhoneError {
  const doing = state === "ready" ? `serving ${model} at ${url}` : state;
  const what = joined === undefined ? `A cluster in ${root} is already ${doing}` : `${root} has joined ${joined}`;
  const advice = `Use another --data-dir, or stop it with: ${commandWriter(root)(joined === undefined ? "down" : "leave")}`;
  return new RhoneError("ALREADY_RUNNING", `${what} (process ${supervisor.pid}). ${advice}`);
}
