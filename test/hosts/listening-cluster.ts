import { join } from "node:path";
import type { Host } from "@rhone/bench";
import { RunningCluster, rhone } from "../cluster/start-cluster.js";

export interface PipelineWorker {
  readonly worker: string;
  readonly layers: readonly [first: number, last: number] | null;
}

interface Status {
  readonly coordinators: readonly { readonly state: string; readonly workers: readonly PipelineWorker[] }[];
}

/** A cluster that one host made by `rhone up --listen`, for others to join by the command that it printed. */
export class ListeningCluster {
  /** For requests. */
  readonly cluster: RunningCluster;
  /** The words behind `rhone` of the command that `up` printed; the last one is the token. */
  readonly invitation: readonly string[];
  readonly #first: Host;

  private constructor(first: Host, cluster: RunningCluster, invitation: readonly string[]) {
    this.#first = first;
    this.cluster = cluster;
    this.invitation = invitation;
  }

  /** Without API keys, and with one worker of the host's own. Throws with what `up` printed if it does not come up. */
  static async start(first: Host, flags: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<ListeningCluster> {
    const how = ["--listen", "--host", first.address, "--auth", "off", "--workers", "1"];
    const { code, stdout, stderr } = await rhone(["up", "--detach", ...how, ...flags], { on: first, env });
    const url = /^ready (http:\S+)$/m.exec(stdout)?.[1];
    const command = /^ *rhone (join \S+ \S+)$/m.exec(stdout)?.[1];
    if (code !== 0 || url === undefined || command === undefined) throw new Error(`${stdout}${stderr}`);
    const cluster = new RunningCluster({ url, dataDir: join(first.folder, ".rhone") });
    return new ListeningCluster(first, cluster, command.split(" "));
  }

  /** Resolves when the host has its place. Throws with what `join` printed unless it succeeds without a warning. */
  async join(host: Host, flags: readonly string[], deadlineMs?: number): Promise<void> {
    const options = { on: host, ...(deadlineMs !== undefined && { deadlineMs }) };
    const { code, stdout, stderr } = await rhone([...this.invitation, "--detach", ...flags], options);
    if (code !== 0 || stderr !== "") throw new Error(`${host.name} has not joined (${code}): ${stdout}${stderr}`);
  }

  /** The workers of the pipeline, the spares among them; null while it is not ready. */
  async workers(): Promise<readonly PipelineWorker[] | null> {
    // Without a key the gateway tells no names, but in a fiftieth of the time.
    const told = await (await fetch(`${this.cluster.url}/status`)).json();
    if ((told as Status).coordinators[0]?.state !== "ready") return null;
    const { stdout } = await rhone(["status", "--json"], { on: this.#first });
    const [coordinator] = (JSON.parse(stdout) as Status).coordinators;
    return coordinator?.state === "ready" ? coordinator.workers : null;
  }
}
