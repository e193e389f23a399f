import type { Logger } from "../observability/logger.js";

export interface HostSettings {
  readonly host: string;
  readonly advertiseHost?: string | undefined;
}

const EVERY_INTERFACE: ReadonlySet<string> = new Set(["0.0.0.0", "::"]);

/**
 * The host name that others are told for this process's ports: `advertiseHost`, else `host`. Every interface is a place
 * to listen, not one to connect to: on another machine it is that machine itself, so it is warned of.
 */
export function advertisedHost({ host, advertiseHost = host }: HostSettings, logger: Logger): string {
  if (EVERY_INTERFACE.has(advertiseHost)) {
    logger.warn({ advertised: advertiseHost }, "other machines can't reach this address: set --advertise-host");
  }
  return advertiseHost;
}
