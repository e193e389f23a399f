import type { Server } from "node:net";
import { RhoneError } from "../errors/rhone-error.js";

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** Binds, or throws PORT_IN_USE with the address and what to do. */
export async function listenOrExplain(server: Server, { host, port }: ListenAddress): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => reject(explainBindError(error, { host, port })));
    server.listen(port, host, () => resolve());
  });
}

/** EADDRINUSE, EACCES, EADDRNOTAVAIL and names that nobody knows as errors that say what to do; anything else unchanged. */
export function explainBindError(error: NodeJS.ErrnoException, { host, port }: ListenAddress): Error {
  const where = `${host}:${port}`;
  if (error.code === "EADDRINUSE") {
    return new RhoneError("PORT_IN_USE", `${where} is in use by another program; stop it or choose another port.`, {
      cause: error,
    });
  }
  if (error.code === "EACCES") {
    return new RhoneError("INVALID_CONFIG", `No permission to bind ${where}; choose a port above 1023.`, {
      cause: error,
    });
  }
  if (error.code === "EADDRNOTAVAIL" || error.code === "ENOTFOUND" || error.code === "EAI_AGAIN") {
    return new RhoneError("INVALID_CONFIG", `${host} is not an address of this machine.`, { cause: error });
  }
  return error;
}
