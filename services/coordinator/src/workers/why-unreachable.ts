import { connect } from "node:net";
import { openChannel, RhoneError, type Security } from "@rhone/common";

/** Longer than a packet and its repetitions take around the world. */
const WITHIN_MS = 4000;

export interface ReachRequest {
  /** Id of the worker. */
  readonly worker: string;
  /** host:port where it says that others reach it. */
  readonly address: string;
  readonly security: Security;
  readonly withinMs?: number;
}

/**
 * Connects back to a worker. Returns why that fails, with the host and port and what to open, or null: it answers there
 * and is that worker. A worker that its neighbours can't reach would break every pipeline.
 */
export async function whyUnreachable({
  worker,
  address,
  security,
  withinMs = WITHIN_MS,
}: ReachRequest): Promise<RhoneError | null> {
  const { hostname, port } = new URL(`tcp://${address}`);
  const host = hostname.replace(/^\[(.*)\]$/, "$1");
  const claim = `Worker ${worker} says that it is reached at ${address}`;
  const elsewhere = "or name another address of it (--advertise, RHONE_ADVERTISE_HOST)";
  const closed = await whyClosed(host, Number(port), withinMs);
  if (closed !== null) {
    const open = `Open TCP port ${port} of ${host} to the cluster's machines, ${elsewhere}`;
    return new RhoneError("UNREACHABLE", `${claim}, but the coordinator can't connect there: ${closed}. ${open}.`);
  }
  const client = openChannel(address, { security, expect: { role: "worker", name: worker }, ownConnection: true });
  const isIt = await new Promise<boolean>((resolve) => {
    client.waitForReady(Date.now() + withinMs, (error) => resolve(error === undefined));
  });
  client.close();
  if (isIt) return null;
  const other = "but what answers there is not this worker: a router may lead the port to another machine";
  return new RhoneError("UNREACHABLE", `${claim}, ${other}. Lead TCP port ${port} of ${host} to it, ${elsewhere}.`);
}

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "the connection is refused",
  EHOSTUNREACH: "there is no route to that host",
  ENETUNREACH: "there is no route to that network",
  ENOTFOUND: "the host name is not known here",
  EAI_AGAIN: "the host name is not known here",
};

/** In words; null: the port is open. */
function whyClosed(host: string, port: number, withinMs: number): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const end = (reason: string | null): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(reason);
    };
    const timer = setTimeout(() => end(`no answer within ${withinMs / 1000} s`), withinMs);
    socket.once("error", ({ code = "", message }: NodeJS.ErrnoException) => end(REASONS[code] ?? message));
    socket.once("connect", () => end(null));
  });
}
