import { hostPort, type JoinablePipeline, openSecurity } from "@rhone/common";
import { dataDirAt } from "../data-dir.js";
import { DOOR_PORT } from "../enrollment/join-command.js";
import { type IdentityPaths, type Listening, redisPort } from "../enrollment/listening.js";
import type { ClusterOptions } from "../launch/cluster-options.js";
import type { LaunchPlan } from "../launch/launch-plan.js";
import type { RedisPlan } from "../redis/redis-plan.js";
import { clusterSecretOf, identityConfig } from "./cluster-security.js";
import type { Report } from "./progress.js";
import { Whereabouts } from "./whereabouts.js";

/** How a cluster of this machine admits others. */
export interface Admission {
  /** host:port where they join. */
  readonly address: string;
  /** Folder of the identity by which commands ask the cluster's processes. */
  readonly operator: string;
  readonly listening: Listening;
  /** Joiners are told of these pipelines from now on; the user is shown how machines join. */
  send(pipelines: readonly JoinablePipeline[]): void;
  /** Joiners are told of all pipelines that this gateway sees, on other machines too. */
  watch(gateway: string): void;
  close(): Promise<void>;
}

export interface AdmissionRequest {
  readonly options: Pick<ClusterOptions, "dataDir" | "listen" | "listenPort" | "chatTemplate">;
  readonly plan: LaunchPlan;
  readonly redis: Pick<RedisPlan, "url" | "host">;
  readonly report: Report;
}

/**
 * Opens the server where other machines join, passes the private Redis on to those that use it, and gives this
 * machine's processes identities. Throws PORT_IN_USE, and INVALID_CONFIG where the machine has no address for others.
 */
export async function admitMachines({ options, plan, redis, report }: AdmissionRequest): Promise<Admission> {
  const { listen = true, listenPort: port = DOOR_PORT } = options;
  const dataDir = dataDirAt(options.dataDir);
  const logger = reporting(report);
  const whereabouts = new Whereabouts({ ...options, secret: () => clusterSecretOf(dataDir) });
  const { Door } = await import("../enrollment/door.js"); // the library of certificates takes a while to load
  const door = await Door.open({ dataDir, listen, port, places: () => whereabouts.places(), logger });
  const closing: (() => unknown)[] = [() => door.close()];
  const close = async (): Promise<void> => {
    for (const end of closing.toReversed()) await end();
  };
  try {
    const coordinator = await door.identity("coordinator");
    const gateway = await door.identity("gateway");
    const { folder: operator } = await door.identity("operator");
    const own: IdentityPaths[] = [];
    const workers = plan.pipelines.reduce((sum, pipeline) => sum + pipeline.workers, 0);
    for (let index = 0; index < workers; index++) own.push(await door.identity("worker", `-${index + 1}`));
    if (redis.host !== undefined) {
      const { RedisRelay } = await import("../redis/redis-relay.js");
      const security = openSecurity(identityConfig(coordinator), logger);
      closing.push(() => security.close());
      const place = { host: door.place.bind, port: redisPort(port) };
      const relay = await RedisRelay.open({ ...place, security, redisUrl: redis.url, logger });
      closing.push(() => relay.close());
      whereabouts.redis = `rhone://${hostPort(door.place.advertise, relay.port)}`;
    }
    return {
      address: door.address,
      operator,
      listening: { place: door.place, port, coordinator, gateway, workers: own },
      send: (pipelines) => {
        whereabouts.own = pipelines;
        void door.invite().then(
          (invitation) => report({ kind: "invitation", ...invitation }),
          (error: Error) => report({ kind: "warning", text: `No token can be made: ${error.message}` }),
        );
      },
      watch: (url) => {
        whereabouts.gateway = url;
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** What happens at the door, as lines for the user or the supervisor's log. */
function reporting(report: Report) {
  const line = (kind: "note" | "warning") => (fields: object, message: string) => {
    const facts = Object.entries(fields).filter(([, value]) => typeof value === "string" || typeof value === "number");
    report({ kind, text: `${message}: ${facts.map(([name, value]) => `${name} ${value}`).join(", ")}` });
  };
  return { info: line("note"), warn: line("warning"), error: line("warning") };
}
