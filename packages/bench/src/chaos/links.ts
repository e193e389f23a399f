import { execFile } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { promisify } from "node:util";
import type { ClusterStatus } from "@rhone/common";

/** A connection of a pipeline. */
export interface Link {
  /** "stage 0 to stage 1". */
  readonly name: string;
  readonly to: "a stage" | "the coordinator";
  /** The process that opened it; null: nobody else opens one to this port. */
  readonly from: number | null;
  /** TCP port at which the other end listens. */
  readonly port: number;
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
      return { name, to: "a stage", from: from?.pid ?? null, port: portOf(place) };
    });
    const name = `stage ${ordered.length - 1} to the coordinator${of}`;
    return [...into, { name, to: "the coordinator", from: ordered.at(-1)?.pid ?? null, port: portOf(address) }];
  });
}

const portOf = (address: string): number => Number(address.slice(address.lastIndexOf(":") + 1));

/** Resets the connections that process `from` has opened to a port of this machine. Their number. */
export async function resetLink({ from, port }: Pick<Link, "from" | "port">): Promise<number> {
  const open = await ss(["-Htnp", "state", "established", `dport = :${port}`]);
  const ports = localPortsOf(open, from);
  for (const own of ports) await ss(["-K", "-Htn", `sport = :${own} and dport = :${port}`]);
  return ports.length;
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
    const found = await resetLink({ from: process.pid, port });
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

async function ss(args: readonly string[]): Promise<string> {
  return (await promisify(execFile)("ss", [...args], { encoding: "utf8", timeout: 5000 })).stdout;
}
