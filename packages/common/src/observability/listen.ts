import type { Server } from "node:net";
import { hostPort } from "../config/host-address.js";
import { RhoneError } from "../errors/rhone-error.js";

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** Binds a server. Throws PORT_IN_USE or INVALID_CONFIG, each with the address. */
export async function listenOrExplain(server: Server, { host, port }: ListenAddress): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) => reject(explainBindError(error, { host, port })));
    server.listen(port, host, () => resolve());
  });
}

/** An error of bind(2) or of the look-up of `host` as a RhoneError that says what to do; any other error unchanged. */
export function explainBindError(error: NodeJS.ErrnoException, { host, port }: ListenAddress): Error {
  const where = hostPort(host, port);
  switch (error.code) {
    case "EADDRINUSE":
      return new RhoneError("PORT_IN_USE", `${where} is in use by another program. Stop it or choose another port.`, {
        cause: error,
      });
    case "EACCES":
      return new RhoneError("INVALID_CONFIG", `No permission to bind ${where}. Choose a port above 1023.`, {
        cause: error,
      });
    case "EADDRNOTAVAIL":
    case "EAFNOSUPPORT":
    case "EINVAL":
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return new RhoneError("INVALID_CONFIG", `${host} is not an address of this machine.`, { cause: error });
    default:
      return error;
  }
}
