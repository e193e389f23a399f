import type { ClusterStatus } from "@rhone/common";

/** A process of a cluster, told apart from a later one with the same number. */
export interface ClusterProcess {
  /** "supervisor", "gateway", "coordinator", "worker-1", "redis", "redis-server". */
  readonly name: string;
  readonly pid: number;
  /** When it started, as the system writes it. */
  readonly startedAt: string;
}

/** A cluster on this machine whose processes may be stopped and killed: a supervisor in the background starts them. */
export interface BreakableCluster {
  /** The gateway's, http://host:port, which it keeps when it is started again. */
  readonly url: string;
  /** What Redis holds ends with its process. */
  readonly redisInMemory: boolean;
  /** Those that run now; none while there is no supervisor. */
  processes(): Promise<readonly ClusterProcess[]>;
  isAlive(process: ClusterProcess): boolean;
  /** Signals this process, never a later one with its number; false when it is gone. */
  signal(process: ClusterProcess, signal: NodeJS.Signals): boolean;
  /** Of each coordinator that a gateway sees, with addresses. Throws NOT_RUNNING when no gateway answers. */
  status(): Promise<readonly ClusterStatus[]>;
  /** Starts the supervisor again after it was killed, which starts the others; resolves when the cluster is ready. */
  revive(): Promise<void>;
}
