import type { IdentityFiles } from "@rhone/identity";
import type { Report } from "../cluster/progress.js";
import type { CliConfig } from "../config.js";
import type { DataDir } from "../data-dir.js";
import type { EntryPoints } from "../processes/entry-points.js";
import type { Addresses, ServiceSpec } from "../processes/service-process.js";
import type { MemberOptions } from "./member-options.js";

/** What a machine that has joined runs: one service. */
export interface MemberPart {
  readonly spec: (previous: Addresses | undefined) => ServiceSpec;
  /** Follows the service once it listens, until `stop`. Rejects when the machine has to leave. */
  follow(addresses: Addresses, stop: AbortSignal): Promise<void>;
}

export interface PartSources {
  readonly options: MemberOptions;
  readonly config: CliConfig;
  readonly dataDir: DataDir;
  readonly files: IdentityFiles;
  readonly entryPoints: Pick<EntryPoints, "shardWorker" | "gateway" | "coordinator">;
  /** The first `member` event is what the command waits for. */
  readonly report: Report;
}
