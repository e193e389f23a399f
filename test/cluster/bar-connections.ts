import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";

export interface Barrier {
  /** From now on only the process `pid` may connect; connections of others end. Null: all may. */
  allowOnly(pid: number | null): void;
  close(): void;
}

/** Passes connections to 127.0.0.2:port on to 127.0.0.1:port, as a network does that can be cut for some. Linux. */
export async function barConnections(port: number): Promise<Barrier> {
  let allowed: number | null = null;
  const open = new Map<Socket, number>();
  const mayPass = (remotePort: number): boolean => allowed === null || ownsPort(allowed, remotePort);
  const server = createServer((client) => {
    const { remotePort = 0 } = client;
    if (!mayPass(remotePort)) return client.resetAndDestroy();
    const target = connect(port, "127.0.0.1");
    open.set(client, remotePort);
    for (const socket of [client, target]) {
      socket.on("error", () => {});
      socket.once("close", () => {
        open.delete(client);
        client.destroy();
        target.destroy();
      });
    }
    client.pipe(target).pipe(client);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.2", resolve);
  });
  return {
    allowOnly: (pid) => {
      allowed = pid;
      for (const [client, remotePort] of open) if (!mayPass(remotePort)) client.resetAndDestroy();
    },
    close: () => {
      server.close();
      for (const client of open.keys()) client.destroy();
    },
  };
}

/** Whether a process has the connection whose port on this machine is `port`. */
function ownsPort(pid: number, port: number): boolean {
  const hex = port.toString(16).toUpperCase().padStart(4, "0");
  const entries = readFileSync(`/proc/${pid}/net/tcp`, "utf8").split("\n").slice(1);
  const inodes = entries.flatMap((entry) => {
    const fields = entry.trim().split(/\s+/);
    return fields[1]?.endsWith(`:${hex}`) ? [`socket:[${fields[9]}]`] : [];
  });
  return readdirSync(`/proc/${pid}/fd`).some((fd) => {
    try {
      return inodes.includes(readlinkSync(`/proc/${pid}/fd/${fd}`));
    } catch {
      return false; // closed meanwhile
    }
  });
}
