import { execFile } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, isIPv4, type Socket } from "node:net";
import { promisify } from "node:util";
import type { ClusterStatus } from "@rhone/common";

/** A connection of a pipeline. */
export interface Link {
  /** "stage 0 to stage 1". */
  readonly name: string;
  readonly to: "a stage" | "the coordinator";
  /** The process that opened it; null: nobody else opens one to this port. */
  readonly from: number | null;
  /** host:port at which the other end listens. */
  readonly address: string;
}

/** Those that frames take through ready pipelines: into the first stage, between stages, and back. */
export function linksOf(statuses: readonly ClusterStatus[]): readonly Link[] {
  return statuses.flatMap(({ state, workers, address = "", operations }) => {
    const stages = workers.flatMap(({ layers, pid, address: place }) =>
      layers === null ? [] : [{ first: layers[0], pid, place }],
    );
    if (state !== "ready" || stages.length === 0) return [];
    const of = statuses.length === 1 ? "" : ` of the pipeline at ${operations}`;
    const ordered = stages.toSorted((a, b) => a.first - b.first);
    const into = ordered.map(({ place }, stage): Link => {
      const from = ordered[stage - 1];
      const before = from === undefined ? "the coordinator" : `stage ${stage - 1}`;
      const name = `${before} to stage ${stage}${of}`;
      return { name, to: "a stage", from: from?.pid ?? null, address: place };
    });
    const name = `stage ${ordered.length - 1} to the coordinator${of}`;
    return [...into, { name, to: "the coordinator", from: ordered.at(-1)?.pid ?? null, address }];
  });
}

/**
 * Resets the connections that process `from` has opened to an address. Their number. `inside`: a process of the network
 * that they are opened from; this one's when absent.
 */
export async function resetLink({ from, address }: Pick<Link, "from" | "address">, inside?: number): Promise<number> {
  const place = filterOf(address);
  const open = await ss(["-Htnp", "state", "established", place], inside);
  const ports = localPortsOf(open, from);
  for (const own of ports) await ss(["-K", "-Htn", `sport = :${own} and ${place}`], inside);
  return ports.length;
}

/** Of `ss`. A loopback address may be either of the two; names are not looked up. */
function filterOf(address: string): string {
  const colon = address.lastIndexOf(":");
  const [host, port] = [address.slice(0, colon), address.slice(colon + 1)];
  return isIPv4(host) && !host.startsWith("127.") ? `dst ${host} and dport = :${port}` : `dport = :${port}`;
}

/** Of the sockets that `ss -Htnp` lists, those of a process; null: all of them. */
export function localPortsOf(listed: string, pid: number | null): readonly number[] {
  const own = listed.split("\n").filter((line) => pid === null || line.includes(`,pid=${pid},`));
  return own.flatMap((line) => {
    const [, local] = /^\s*(?:\d+)\s+(?:\d+)\s+\S+:(\d+)\s/.exec(line) ?? [];
    return local === undefined ? [] : [Number(local)];
  });
}

/** Why connections can't be reset on this machine, or null: found by resetting one of our own. */
export async function whyNoResets(): Promise<string | null> {
  const server = createServer((socket) => socket.on("error", () => {}));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    const wasReset = endOf(socket);
    const found = await resetLink({ from: process.pid, address: `127.0.0.1:${port}` });
    if (found > 0 && (await wasReset)) return null;
    return "`ss -K` resets no connection here; it needs Linux with CONFIG_INET_DIAG_DESTROY, and root";
  } catch (error) {
    return `\`ss\` can't be run here: ${(error as Error).message.split("\n")[0]}`;
  } finally {
    socket.destroy();
    server.close();
  }
}

const RESET_MS = 1000;

/** Whether the socket is reset within a second. */
function endOf(socket: Socket): Promise<boolean> {
  return new Promise((resolve) => {
    socket.once("error", () => resolve(true));
    setTimeout(() => resolve(false), RESET_MS).unref();
  });
}

async function ss(args: readonly string[], inside?: number): Promise<string> {
  const [command, ...before] = inside === undefined ? ["ss"] : ["nsenter", "-t", String(inside), "-n", "ss"];
  return (await promisify(execFile)(command ?? "ss", [...before, ...args], { encoding: "utf8", timeout: 5000 })).stdout;
}
