import type { ClusterStatus } from "@rhone/common";

/** A process of a cluster, told apart from a later one with the same number. */
export interface ClusterProcess {
  /** "supervisor", "gateway", "coordinator", "worker-1", "redis", "redis-server". */
  readonly name: string;
  readonly pid: number;
  /** When it started, as the system writes it. */
  readonly startedAt: string;
}

/** A cluster on this machine: its processes, its Redis and its folder can be looked at. */
export interface LocalCluster {
  /** The gateway's, http://host:port, which it keeps when it is started again. */
  readonly url: string;
  /** For a gateway that asks for one. */
  readonly apiKey: string | undefined;
  /** What Redis holds ends with its process. */
  readonly redisInMemory: boolean;
  /** For `openRedis`; null where it is not recorded. */
  readonly redisUrl: string | null;
  /** The data directory. */
  readonly folder: string;
  /** Those that run now; none while there is no supervisor. */
  processes(): Promise<readonly ClusterProcess[]>;
  /** Of each coordinator that a gateway sees, with addresses. Throws NOT_RUNNING when no gateway answers. */
  status(): Promise<readonly ClusterStatus[]>;
}

/** One whose processes may be stopped and killed: a supervisor in the background starts them. */
export interface BreakableCluster extends LocalCluster {
  isAlive(process: ClusterProcess): boolean;
  /** By SIGSTOP, and nobody has woken it. */
  isStopped(process: ClusterProcess): boolean;
  /** Signals this process, never a later one with its number; false when it is gone. */
  signal(process: ClusterProcess, signal: NodeJS.Signals): boolean;
  /** Starts a supervisor again after it was killed, which starts the others; resolves when the cluster is ready. */
  revive(supervisor: string): Promise<void>;
  /** null: its processes are on one host, where nothing is between them. */
  readonly network: BreakableNetwork | null;
}

/** The hosts of a cluster, each with a cable to one switch. What is done twice lasts until both are undone. */
export interface BreakableNetwork {
  readonly hosts: readonly string[];
  /** Frames from one host to another are lost. Undone by what it returns. */
  cut(from: string, to: string): () => void;
  /** Pulls a host's cable. */
  unplug(host: string): () => void;
}
