import { dataDirAt } from "../data-dir.js";
import { DOOR_PORT } from "../enrollment/join-command.js";
import type { IdentityPaths, Listening } from "../enrollment/listening.js";
import type { ClusterOptions } from "../launch/cluster-options.js";
import type { Report } from "./progress.js";

/** How a cluster of this machine admits others. */
export interface Admission {
  /** host:port where they join. */
  readonly address: string;
  /** Folder of the identity by which commands ask the cluster's processes. */
  readonly operator: string;
  readonly listening: Listening;
  /** Joiners are sent to this coordinator (host:port) from now on; the user is shown how they join. */
  send(coordinator: string): void;
  close(): Promise<void>;
}

export interface AdmissionRequest {
  readonly options: Pick<ClusterOptions, "dataDir" | "listen" | "listenPort">;
  readonly report: Report;
}

/**
 * Opens the server where other machines join, and gives this machine's processes identities. Throws PORT_IN_USE, and
 * INVALID_CONFIG where the machine has no address for others.
 */
export async function admitMachines({ options, report }: AdmissionRequest, workers: number): Promise<Admission> {
  const { dataDir, listen = true, listenPort: port = DOOR_PORT } = options;
  const { Door } = await import("../enrollment/door.js"); // the library of certificates takes a while to load
  const door = await Door.open({ dataDir: dataDirAt(dataDir), listen, port, logger: reporting(report) });
  try {
    const coordinator = await door.identity("coordinator");
    const gateway = await door.identity("gateway");
    const { folder: operator } = await door.identity("operator");
    const own: IdentityPaths[] = [];
    for (let index = 0; index < workers; index++) own.push(await door.identity("worker", `-${index + 1}`));
    return {
      address: door.address,
      operator,
      listening: { place: door.place, port, coordinator, gateway, workers: own },
      send: (address) => {
        door.coordinator = address;
        void door.invite().then(
          (invitation) => report({ kind: "invitation", ...invitation }),
          (error: Error) => report({ kind: "warning", text: `No token can be made: ${error.message}` }),
        );
      },
      close: () => door.close(),
    };
  } catch (error) {
    await door.close();
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
